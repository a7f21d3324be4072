package org.llm4msr.model.data;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Map.Entry;

/**
 * What makes the value that the model knows of a text that the log holds. Training and requests
 * apply the same rules, one after the other.
 */
public sealed interface ValueRule {
  /**
   * The value of a text.
   *
   * @return null where the text says nothing
   */
  String apply(String text);

  /**
   * A text that this rule makes into a value.
   *
   * @param value that {@link #apply} can return
   */
  default String undo(String value) {
    return value;
  }

  /** The value of a text by all rules; null where it says nothing. */
  static String apply(List<ValueRule> rules, String text) {
    String value = text;
    for (int i = 0; i < rules.size() && value != null; i++) {
      value = rules.get(i).apply(value);
    }
    return value;
  }

  /**
   * The same for a text from elsewhere than the log, which may also call a bucket by its name. Such
   * a text is no number, so in a log it says nothing.
   */
  static String applyOrName(List<ValueRule> rules, String text) {
    String value = text;
    for (int i = 0; i < rules.size() && value != null; i++) {
      String changed = rules.get(i).apply(value);
      value = changed == null && rules.get(i) instanceof Bucket ? value : changed;
    }
    return value;
  }

  /**
   * The value of a number by its bucket and the rules after that.
   *
   * @return null where no rule takes numbers, or it is not finite
   */
  static String apply(List<ValueRule> rules, double number) {
    for (int i = 0; i < rules.size(); i++) {
      if (rules.get(i) instanceof Bucket bucket) {
        return Double.isFinite(number)
            ? apply(rules.subList(i + 1, rules.size()), bucket.name(number))
            : null;
      }
    }
    return null;
  }

  /** Whether numbers become categories. */
  static boolean takesNumbers(List<ValueRule> rules) {
    return rules.stream().anyMatch(rule -> rule instanceof Bucket);
  }

  /** A text that the rules make into a value that they can make. */
  static String undo(List<ValueRule> rules, String value) {
    String text = value;
    for (ValueRule rule : rules.reversed()) {
      text = rule.undo(text);
    }
    return text;
  }

  /**
   * The first element of a list written as text, without white space around it.
   *
   * @param separator between elements, beside {@link ListColumn#SEPARATOR}; empty for none
   */
  record FirstElement(String separator) implements ValueRule {
    @Override
    public String apply(String text) {
      List<String> elements = ListColumn.elements(text, separator);
      return elements.isEmpty() ? null : elements.getFirst();
    }
  }

  /**
   * Words in place of coded values; others stay.
   *
   * @param words by value
   */
  record Labels(Map<String, String> words) implements ValueRule {
    @Override
    public String apply(String text) {
      return words.getOrDefault(text, text);
    }

    @Override
    public String undo(String value) {
      return words.entrySet().stream()
          .filter(entry -> entry.getValue().equals(value))
          .map(Entry::getKey)
          .findFirst()
          .orElse(value);
    }
  }

  /** Makes a category of a number; what is none, or not finite, says nothing. */
  sealed interface Bucket extends ValueRule {
    /** The name of a finite number's bucket. */
    String name(double number);

    /** A number in the bucket of a name. */
    double number(String name);

    @Override
    default String apply(String text) {
      double number = Buckets.parse(text);
      return Double.isNaN(number) ? null : name(number);
    }

    @Override
    default String undo(String value) {
      return Double.toString(number(value));
    }
  }

  /**
   * Doubling buckets for counts and sizes: "0", "1", "2 to 3", "4 to 7", "8 to 15", …; one bucket
   * for what is below 0. The fraction is dropped.
   */
  record LogBuckets() implements Bucket {
    private static final String NEGATIVE = "below 0";
    private static final String TO = " to ";

    @Override
    public String name(double number) {
      if (number < 0) {
        return NEGATIVE;
      }
      long whole = (long) number;
      if (whole < 2) {
        return Long.toString(whole);
      }
      long low = Long.highestOneBit(whole);
      return low + TO + (2 * low - 1);
    }

    @Override
    public double number(String name) {
      return name.equals(NEGATIVE) ? -1 : Double.parseDouble(name.split(TO)[0]);
    }
  }

  /**
   * Buckets between bounds.
   *
   * @param bounds the largest number of every bucket but the last, ascending; none for one bucket
   */
  record BoundedBuckets(List<Double> bounds) implements Bucket {
    private static final String ANY = "any";
    private static final String UP_TO = "up to ";
    private static final String ABOVE = "above ";

    public BoundedBuckets {
      bounds = List.copyOf(bounds);
      for (int i = 0; i < bounds.size(); i++) {
        if (!Double.isFinite(bounds.get(i)) || i > 0 && !(bounds.get(i) > bounds.get(i - 1))) {
          throw new IllegalArgumentException("bounds of buckets that do not rise: " + bounds);
        }
      }
    }

    @Override
    public String name(double number) {
      int at = Collections.binarySearch(bounds, number);
      return name(at >= 0 ? at : -at - 1);
    }

    private String name(int bucket) {
      if (bounds.isEmpty()) {
        return ANY;
      }
      List<String> parts = new ArrayList<>();
      if (bucket > 0) {
        parts.add(ABOVE + plain(bounds.get(bucket - 1)));
      }
      if (bucket < bounds.size()) {
        parts.add(UP_TO + plain(bounds.get(bucket)));
      }
      return String.join(" ", parts);
    }

    @Override
    public double number(String name) {
      for (int bucket = 0; bucket < bounds.size(); bucket++) {
        if (name(bucket).equals(name)) {
          return bounds.get(bucket);
        }
      }
      return bounds.isEmpty() ? 0 : Math.nextUp(bounds.getLast());
    }

    private static String plain(double number) {
      return number == Math.rint(number) && Math.abs(number) < 1e15
          ? Long.toString((long) number)
          : Double.toString(number);
    }
  }
}
