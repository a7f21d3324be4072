package org.llm4msr.model.prompt;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.llm4msr.model.prompt.Audit.Finding;

/**
 * Replaces what gives someone away in a text: patterns such as e-mail addresses, the log's own ids,
 * and words that the policy lists. Full-width digits and letters are brought to their plain form
 * first, and invisible characters removed, so that they hide nothing.
 */
final class Redactor {
  private static final String DASH = "[ .\\-\u2010-\u2015\u2212]";
  private static final String NOT_AFTER = "(?<![0-9A-Za-z])";
  private static final String NOT_BEFORE = "(?![0-9A-Za-z])";

  /** In the order in which they are applied: the more telling ones first. */
  private static final Map<PrivacyPolicy.Pattern, Pattern> PATTERNS = new LinkedHashMap<>();

  static {
    PATTERNS.put(
        PrivacyPolicy.Pattern.EMAIL,
        Pattern.compile("[\\p{L}\\p{N}._%+-]++@[\\p{L}\\p{N}-]++(?:\\.[\\p{L}\\p{N}-]++)+"));
    PATTERNS.put(
        PrivacyPolicy.Pattern.LINK,
        Pattern.compile("(?i)(?:https?|ftp)://\\S++|" + NOT_AFTER + "www\\.[^\\s.]++\\.\\S++"));
    PATTERNS.put(
        PrivacyPolicy.Pattern.TOKEN,
        Pattern.compile(
            NOT_AFTER
                + "(?:[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
                + "|(?=[0-9]*+[A-Za-z])(?=(?:[A-Za-z]*+[0-9]){4})[0-9A-Za-z]{16,}+)"
                + NOT_BEFORE));
    PATTERNS.put(
        PrivacyPolicy.Pattern.CARD,
        Pattern.compile("(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])"));
    PATTERNS.put(
        PrivacyPolicy.Pattern.PHONE,
        Pattern.compile(
            "\\+[0-9]{1,3}(?:"
                + DASH
                + "?\\(?[0-9]{1,4}\\)?){2,6}(?![0-9])"
                + "|"
                + NOT_AFTER
                + "\\(?0[0-9]{1,4}\\)?"
                + DASH
                + "?[0-9]{1,4}"
                + DASH
                + "[0-9]{3,4}(?![0-9])"
                + "|"
                + NOT_AFTER
                + "\\(?[0-9]{3}\\)?"
                + DASH
                + "?[0-9]{3}"
                + DASH
                + "[0-9]{4}(?![0-9])"
                + "|"
                + NOT_AFTER
                + "0[0-9](?:"
                + DASH
                + "[0-9]{2}){4}(?![0-9])"));
    PATTERNS.put(PrivacyPolicy.Pattern.NUMBER, Pattern.compile("(?<![0-9])[0-9]{7,}+"));
  }

  private static final Pattern INVISIBLE = Pattern.compile("[\\p{Cf}\\p{Co}\\p{Cn}]");
  private static final Pattern CONTROL = Pattern.compile("[\\p{Cc}&&[^\n]]");

  private final List<PrivacyPolicy.Pattern> patterns;
  private final Set<String> identifiers;
  private final int[] identifierLengths;
  private final Pattern terms;

  /**
   * @param identifiers the log's ids that can be told from ordinary words, as {@link #folded}
   */
  Redactor(PrivacyPolicy policy, Set<String> identifiers) {
    this.patterns = PATTERNS.keySet().stream().filter(policy.redact()::contains).toList();
    this.identifiers = identifiers;
    TreeSet<Integer> lengths = new TreeSet<>(Comparator.reverseOrder());
    identifiers.forEach(id -> lengths.add(id.length()));
    identifierLengths = lengths.stream().mapToInt(Integer::intValue).toArray();
    terms = termPattern(policy.terms());
  }

  private static Pattern termPattern(List<String> terms) {
    if (terms.isEmpty()) {
      return null;
    }
    List<String> quoted = new ArrayList<>();
    terms.stream()
        .map(Redactor::plain)
        .sorted(Comparator.comparingInt(String::length).reversed())
        .forEach(term -> quoted.add(Pattern.quote(term)));
    return Pattern.compile(
        NOT_AFTER + "(?:" + String.join("|", quoted) + ")" + NOT_BEFORE,
        Pattern.CASE_INSENSITIVE | Pattern.UNICODE_CASE);
  }

  /** The form in which identifiers are compared. */
  static String folded(String text) {
    return plain(text).toLowerCase(Locale.ROOT);
  }

  /** Compatibility forms made plain (NFKC), control and invisible characters removed. */
  static String plain(String text) {
    if (text.chars().allMatch(c -> c == '\n' || (c >= ' ' && c <= '~'))) {
      return text;
    }
    String normal = Normalizer.normalize(text, Normalizer.Form.NFKC);
    String visible = INVISIBLE.matcher(normal).replaceAll("");
    return CONTROL.matcher(visible).replaceAll(" ");
  }

  /** Replaces what must not be there and counts it. */
  String redact(String text, Audit audit) {
    String clean = redactIdentifiers(plain(text), audit);
    for (PrivacyPolicy.Pattern pattern : patterns) {
      if (isPossible(pattern, clean)) {
        Finding finding = Finding.valueOf(pattern.name());
        clean = replace(clean, PATTERNS.get(pattern), finding, test(pattern), audit);
      }
    }
    if (terms != null) {
      clean = replace(clean, terms, Finding.TERM, match -> true, audit);
    }
    return clean;
  }

  /** A cheap look that spares nearly all texts the search. */
  private static boolean isPossible(PrivacyPolicy.Pattern pattern, String text) {
    return switch (pattern) {
      case EMAIL -> text.indexOf('@') >= 0;
      case LINK -> text.contains("://") || text.toLowerCase(Locale.ROOT).contains("www.");
      case TOKEN -> mostOf(text, Redactor::isWord, c -> c == '-') >= 16;
      case CARD, PHONE, NUMBER -> mostOf(text, Redactor::isDigit, c -> !Character.isLetter(c)) >= 7;
    };
  }

  /** The most characters of a kind in a stretch of only that kind and what may stand between. */
  private static int mostOf(String text, IntPredicate kind, IntPredicate between) {
    int most = 0;
    int count = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      count = kind.test(c) ? count + 1 : between.test(c) ? count : 0;
      most = Math.max(most, count);
    }
    return most;
  }

  private static boolean isDigit(int c) {
    return c >= '0' && c <= '9';
  }

  private static Predicate<String> test(PrivacyPolicy.Pattern pattern) {
    return switch (pattern) {
      case CARD -> Redactor::hasCheckDigit;
      case PHONE -> match -> digits(match).length() >= 9;
      default -> match -> true;
    };
  }

  private static String replace(
      String text, Pattern pattern, Finding finding, Predicate<String> test, Audit audit) {
    Matcher matcher = pattern.matcher(text);
    return matcher.replaceAll(match -> {
      if (!test.test(match.group())) {
        return Matcher.quoteReplacement(match.group());
      }
      audit.add(finding);
      return finding.replacement();
    });
  }

  private static String digits(String text) {
    return text.replaceAll("[^0-9]", "");
  }

  /** The check of payment card numbers (Luhn, ISO/IEC 7812-1). */
  private static boolean hasCheckDigit(String match) {
    String digits = digits(match);
    int sum = 0;
    for (int i = 0; i < digits.length(); i++) {
      int digit = digits.charAt(digits.length() - 1 - i) - '0';
      int doubled = i % 2 == 1 ? 2 * digit : digit;
      sum += doubled > 9 ? doubled - 9 : doubled;
    }
    return sum % 10 == 0;
  }

  /** Looks every stretch between word boundaries up whose length some identifier has. */
  private String redactIdentifiers(String text, Audit audit) {
    if (identifierLengths.length == 0) {
      return text;
    }
    String folded = text.toLowerCase(Locale.ROOT);
    if (folded.length() != text.length()) {
      // A few letters change their length with their case; then the whole text is compared folded.
      text = folded;
    }
    StringBuilder clean = new StringBuilder(text.length());
    int at = 0;
    while (at < text.length()) {
      int length = isBoundary(folded, at) ? identifierLength(folded, at) : 0;
      if (length > 0) {
        audit.add(Finding.IDENTIFIER);
        clean.append(Finding.IDENTIFIER.replacement());
        at += length;
      } else {
        clean.append(text.charAt(at++));
      }
    }
    return clean.toString();
  }

  private int identifierLength(String folded, int at) {
    for (int length : identifierLengths) {
      if (at + length <= folded.length()
          && isBoundary(folded, at + length)
          && identifiers.contains(folded.substring(at, at + length))) {
        return length;
      }
    }
    return 0;
  }

  /** Whether a word may begin or end at {@code at}: not between two plain letters or digits. */
  private static boolean isBoundary(String text, int at) {
    return at == 0
        || at == text.length()
        || !(isWord(text.charAt(at - 1)) && isWord(text.charAt(at)));
  }

  private static boolean isWord(int c) {
    return c < 128 && Character.isLetterOrDigit(c);
  }
}
