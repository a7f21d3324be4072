package org.llm4msr.app.command;

import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** Refuses impossible values of options, as wrong usage. */
final class Checks {
  private Checks() {}

  static void positive(CommandSpec command, String option, int value) {
    if (value < 1) {
      throw wrong(command, option + ": expected at least 1, found " + value);
    }
  }

  static void notNegative(CommandSpec command, String option, double value) {
    if (!(value >= 0 && value < Double.POSITIVE_INFINITY)) {
      throw wrong(command, option + ": expected 0 or more, found " + shown(value));
    }
  }

  private static String shown(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1e15
        ? Long.toString((long) value)
        : Double.toString(value);
  }

  static ParameterException wrong(CommandSpec command, String message) {
    return new ParameterException(command.commandLine(), message);
  }
}
