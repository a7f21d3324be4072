package org.llm4msr.bench;

import org.llm4msr.runtime.UserError;

/** Reads what stands on a command line. */
public final class Arguments {
  private Arguments() {}

  /**
   * @param name what it is, for the message
   * @throws UserError if the text is not a whole number from 1 on
   */
  public static int positive(String name, String text) {
    if (!text.matches("[1-9]\\d{0,8}")) {
      throw new UserError(name + " is '" + text + "', expected a whole number from 1 on");
    }
    return Integer.parseInt(text);
  }
}
