package org.llm4msr.model.prompt;

import java.util.Locale;

/** The languages that prompts can be written in. */
public enum Language {
  EN,
  JA;

  /** The two-letter code: {@code en}, {@code ja}. */
  public String code() {
    return name().toLowerCase(Locale.ROOT);
  }
}
