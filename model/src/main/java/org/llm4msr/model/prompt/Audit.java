package org.llm4msr.model.prompt;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/** What the privacy gate let through and what it replaced or left out, in numbers only. */
public final class Audit {

  /** Something that the gate did. */
  public enum Finding {
    EMAIL("[email]", "e-mail addresses replaced"),
    LINK("[link]", "links replaced"),
    CARD("[card]", "payment card numbers replaced"),
    PHONE("[phone]", "phone numbers replaced"),
    NUMBER("[number]", "long numbers replaced"),
    TOKEN("[token]", "keys and session ids replaced"),
    IDENTIFIER("[id]", "ids of users or items replaced"),
    TERM("[removed]", "listed words replaced"),
    TITLE_OF_SMALL_GROUP("", "titles that too few users share, left out"),
    CATEGORY_OF_SMALL_GROUP("", "categories that too few users share, left out"),
    USER_FACT_OF_SMALL_GROUP("", "facts about users that too few share, left out"),
    SHORTENED("", "prompts cut to the allowed length");

    private final String replacement;
    private final String description;

    Finding(String replacement, String description) {
      this.replacement = replacement;
      this.description = description;
    }

    /** What stands in place of it, empty where nothing does. */
    String replacement() {
      return replacement;
    }

    /** What was done, in words. */
    public String description() {
      return description;
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
