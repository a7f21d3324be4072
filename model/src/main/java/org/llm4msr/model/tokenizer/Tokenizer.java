package org.llm4msr.model.tokenizer;

import org.llm4msr.runtime.UserError;

/** Splits text into the tokens of one model's vocabulary. Safe for use by several threads. */
public interface Tokenizer extends AutoCloseable {
  /**
   * Token ids of a text, with the special tokens that the tokenizer's file asks for.
   *
   * @throws UserError if the text cannot be tokenised
   */
  int[] encode(String text);

  /** The text of tokens, without special ones. */
  String decode(int[] tokens);

  /** One more than the largest id of the vocabulary, tokens added to it later aside. */
  int vocabularySize();

  /** What kind of tokenizer it is, such as BPE. */
  String name();

  @Override
  void close();
}
