package org.llm4msr.model.encoder;

import java.util.Locale;

/** Which hidden states, after the final norm, make a prompt's vector. */
public enum Pooling {
  /** That of the last token, which has seen the whole prompt. */
  LAST_PROMPT,
  /** The mean over all tokens. */
  MEAN_PROMPT;

  /** As on the command line and in files, such as {@code last_prompt}. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
