package org.llm4msr.model.encoder;

import java.util.Arrays;
import java.util.function.Consumer;
import org.llm4msr.model.tokenizer.Tokenizer;

/**
 * Hands out the text of tokens piece by piece. A character may take several tokens: until the last
 * of them is there its text ends with U+FFFD, which is held back.
 */
final class TextStream {
  private static final char INCOMPLETE = '\ufffd';

  private final Tokenizer tokenizer;
  private final Consumer<String> pieces;
  private int[] tokens = new int[0];
  private int handedOut;

  TextStream(Tokenizer tokenizer, Consumer<String> pieces) {
    this.tokenizer = tokenizer;
    this.pieces = pieces;
  }

  void add(int token) {
    tokens = Arrays.copyOf(tokens, tokens.length + 1);
    tokens[tokens.length - 1] = token;
    String text = tokenizer.decode(tokens);
    int end = text.length();
    while (end > 0 && text.charAt(end - 1) == INCOMPLETE) {
      end--;
    }
    handOut(text, end);
  }

  /** Hands out what was held back. */
  void finish() {
    String text = tokenizer.decode(tokens);
    handOut(text, text.length());
  }

  private void handOut(String text, int end) {
    if (end > handedOut) {
      pieces.accept(text.substring(handedOut, end));
      handedOut = end;
    }
  }
}
