package org.llm4msr.model.prompt;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/** What the privacy gate let through and what it replaced or left out, in numbers only. */
public final class Audit {

  /** Something that the gate did. */
  public enum Finding {
    EMAIL("[email]"),
    LINK("[link]"),
    CARD("[card]"),
    PHONE("[phone]"),
    NUMBER("[number]"),
    TOKEN("[token]"),
    /** A user's or an item's own id. */
    IDENTIFIER("[id]"),
    /** A word that the policy lists. */
    TERM("[removed]"),
    /** A title that too few share: its categories speak for it. */
    TITLE_OF_SMALL_GROUP(""),
    CATEGORY_OF_SMALL_GROUP(""),
    /** A fact about users that too few share; counted per user. */
    USER_FACT_OF_SMALL_GROUP(""),
    /** A prompt that was longer than allowed. */
    SHORTENED("");

    private final String replacement;

    Finding(String replacement) {
      this.replacement = replacement;
    }

    /** What stands in place of it, empty where nothing does. */
    String replacement() {
      return replacement;
    }

    /** The name in reports, such as {@code title_of_small_group}. */
    public String code() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private final Map<Finding, Long> counts = new EnumMap<>(Finding.class);
  private long prompts;

  void add(Finding finding) {
    counts.merge(finding, 1L, Long::sum);
  }

  void addPrompt() {
    prompts++;
  }

  /** How many prompts left the gate. */
  public long prompts() {
    return prompts;
  }

  /** How often the gate did something. A title or category is counted once, not once per prompt. */
  public long count(Finding finding) {
    return counts.getOrDefault(finding, 0L);
  }
}
