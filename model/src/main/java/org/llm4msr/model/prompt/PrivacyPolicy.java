package org.llm4msr.model.prompt;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * What may go into a prompt. Raw identifiers never may, whatever the policy says.
 *
 * @param fields what may be used: {@link #ITEM_TITLE}, {@link #ITEM_CATEGORIES}, {@link
 *     #USER_TITLE}, {@link #USER_CATEGORIES}, or {@code user.} and the name of a user feature
 * @param minGroup a title, category or user feature shared by fewer training users than this is
 *     left out; at least 1
 * @param redact the patterns that are replaced wherever they stand
 * @param terms words (names of people, say) that are replaced wherever they stand, whatever their
 *     case
 */
public record PrivacyPolicy(
    List<String> fields, int minGroup, Set<Pattern> redact, List<String> terms) {
  public static final String ITEM_TITLE = "item.title";
  public static final String ITEM_CATEGORIES = "item.categories";
  public static final String USER_TITLE = "user.title";
  public static final String USER_CATEGORIES = "user.categories";

  /** What the names of user features begin with in {@link #fields}. */
  public static final String USER_PREFIX = "user.";

  /** Titles and categories of items, groups of five, every pattern. */
  public static final PrivacyPolicy DEFAULT =
      new PrivacyPolicy(
          List.of(ITEM_TITLE, ITEM_CATEGORIES), 5, EnumSet.allOf(Pattern.class), List.of());

  /** Kinds of text that give someone away. */
  public enum Pattern {
    EMAIL,
    LINK,
    /** Payment card numbers: 13 to 19 digits with a valid check digit. */
    CARD,
    PHONE,
    /** Seven or more digits in a row. */
    NUMBER,
    /** Sixteen or more letters and digits without a break, as in session ids and keys. */
    TOKEN
  }

  public PrivacyPolicy {
    if (minGroup < 1) {
      throw new IllegalArgumentException("the smallest group must be at least 1, not " + minGroup);
    }
    fields = List.copyOf(fields);
    redact = Set.copyOf(redact);
    terms = List.copyOf(terms);
  }
}
