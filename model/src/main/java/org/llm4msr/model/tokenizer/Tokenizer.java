package org.llm4msr.model.tokenizer;

import java.util.OptionalInt;
import org.llm4msr.runtime.UserError;

/** Splits text into the tokens of one model's vocabulary. Safe for use by several threads. */
public interface Tokenizer extends AutoCloseable {
  /**
   * Token ids of a text, with the special tokens that the tokenizer's files ask for.
   *
   * @throws UserError if the text cannot be tokenised
   */
  int[] encode(String text);

  /**
   * Token ids of a text that holds its special tokens already, such as what a chat template makes:
   * they are recognised, and none is added.
   *
   * @throws UserError if the text cannot be tokenised
   */
  int[] encodeRendered(String text);

  /**
   * Text of token ids; special tokens are left out. Tokens of an incomplete character become
   * U+FFFD.
   *
   * @throws IllegalArgumentException if an id is negative or too large
   */
  String decode(int[] tokens);

  /** The id of a token as the vocabulary writes it, such as {@code <|im_end|>}. */
  OptionalInt id(String token);

  /** One more than the largest id of the vocabulary, tokens added to it later aside. */
  int vocabularySize();

  /** What kind of tokenizer it is, such as BPE. */
  String name();

  @Override
  void close();
}
