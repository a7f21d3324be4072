package org.llm4msr.model.recommender.backbone;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.UserError;

/**
 * A setting of a backbone.
 *
 * @param initial its value unless the user gives another
 * @param description half a sentence for help texts
 */
public record BackboneOption(String name, Type type, String initial, String description) {
  /** What a value must look like. */
  public enum Type {
    WIDTHS("positive whole numbers such as 256,128"),
    COUNT("a whole number of at least 1"),
    NUMBER("a number of 0 or more"),
    NAMES("names divided by commas"),
    CONDITION("scenario or row");

    private final String expected;

    Type(String expected) {
      this.expected = expected;
    }
  }

  static BackboneOption widths(String name, String initial, String description) {
    return new BackboneOption(name, Type.WIDTHS, initial, description);
  }

  static BackboneOption count(String name, int initial, String description) {
    return new BackboneOption(name, Type.COUNT, Integer.toString(initial), description);
  }

  static BackboneOption number(String name, double initial, String description) {
    return new BackboneOption(name, Type.NUMBER, Double.toString(initial), description);
  }

  /**
   * @throws UserError if it is not a value of this option
   */
  void check(String value) {
    boolean valid;
    try {
      valid =
          switch (type) {
            case WIDTHS -> parseWidths(value).stream().allMatch(width -> width >= 1);
            case COUNT -> Integer.parseInt(value.strip()) >= 1;
            case NUMBER -> {
              double number = Double.parseDouble(value.strip());
              yield number >= 0 && number < Double.POSITIVE_INFINITY;
            }
            case NAMES -> parseNames(value).stream().noneMatch(String::isEmpty);
            case CONDITION -> value.equals("scenario") || value.equals("row");
          };
    } catch (NumberFormatException e) {
      valid = false;
    }
    if (!valid) {
      throw new UserError(
          "the option %s of a backbone: expected %s, found '%s'"
              .formatted(name, type.expected, value));
    }
  }

  static List<Integer> parseWidths(String value) {
    return parseNames(value).stream().map(Integer::valueOf).toList();
  }

  static List<String> parseNames(String value) {
    return Arrays.stream(value.split(",", -1)).map(String::strip).toList();
  }
}
