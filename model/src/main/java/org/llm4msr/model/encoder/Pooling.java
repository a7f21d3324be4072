package org.llm4msr.model.encoder;

import java.util.Locale;

/** Which hidden states make a prompt's vector. */
public enum Pooling {
  /** That of the last token, which has seen the whole prompt. */
  LAST_PROMPT,
  /** The mean over all tokens. */
  MEAN_PROMPT,
  /**
   * The model continues the prompt; that of the last token of the continuation, which has seen what
   * the model concludes.
   */
  LAST_GENERATED,
  /** The mean over the tokens of the continuation. */
  MEAN_GENERATED;

  /** Whether the prompt is continued first. */
  public boolean generated() {
    return this == LAST_GENERATED || this == MEAN_GENERATED;
  }

  /** As on the command line and in files, such as {@code last_prompt}. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
