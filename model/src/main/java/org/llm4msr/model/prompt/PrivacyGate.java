package org.llm4msr.model.prompt;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.TextTable;
import org.llm4msr.model.data.Vocabulary;
import org.llm4msr.model.prompt.Audit.Finding;

/**
 * The one place through which words about items and users get into a prompt, and through which
 * every prompt leaves: only this class can make a {@link Prompt}. It enforces the {@link
 * PrivacyPolicy} twice, on every piece that is asked for and on the whole text, and counts what it
 * did.
 */
public final class PrivacyGate {

  /** A text that has passed the gate, with the key that stands beside it. */
  public static final class Prompt {
    private final String id;
    private final String text;

    private Prompt(String id, String text) {
      this.id = id;
      this.text = text;
    }

    /** See {@link PromptIds}. */
    public String id() {
      return id;
    }

    public String text() {
      return text;
    }

    @Override
    public String toString() {
      return text;
    }
  }

  /** Longer titles are cut. */
  private static final int TITLE_CHARS = 60;

  /** Longer texts are cut before they are searched, so that no title can make a search slow. */
  private static final int SEARCHED_CHARS = 500;

  /** Ids shorter than this cannot be told from ordinary words and numbers. */
  private static final int IDENTIFIER_CHARS = 5;

  private static final String ELLIPSIS = "...";

  private final TrainingHistory history;
  private final Dataset dataset;
  private final PrivacyPolicy policy;
  private final int maxChars;
  private final Redactor redactor;
  private final Audit audit = new Audit();
  private final int[] usersPerItem;
  private final int[] usersPerCategory;
  private final Map<Integer, Optional<String>> titles = new HashMap<>();
  private final Map<Integer, Optional<String>> categories = new HashMap<>();
  private final List<Field> userFields;
  private final Map<List<Integer>, Integer> usersPerFacts = new HashMap<>();
  private final Map<String, Integer> usersPerUserTitle = new HashMap<>();
  private final Map<Integer, Integer> usersPerUserCategory = new HashMap<>();

  PrivacyGate(TrainingHistory history, PromptOptions options) {
    this.history = history;
    dataset = history.dataset();
    policy = options.privacy();
    maxChars = options.maxChars();
    redactor = new Redactor(policy, identifiers());
    usersPerItem = history.usersPerItem();
    usersPerCategory = history.usersPerCategory();
    userFields = userFields();
    countUserFacts();
  }

  /**
   * The log's ids that could be recognised in a text: at least five characters, among them a digit,
   * and six or more if they are digits only; or a sign that words do not have. An item that is
   * known by its title is no secret.
   */
  private Set<String> identifiers() {
    Set<String> identifiers = new HashSet<>();
    for (int user = 0; user < dataset.users(); user++) {
      addIdentifier(identifiers, dataset.userKey(user));
    }
    for (int item = 0; item < dataset.items(); item++) {
      if (!dataset.itemKey(item).equals(dataset.itemText().title(item))) {
        addIdentifier(identifiers, dataset.itemKey(item));
      }
    }
    return identifiers;
  }

  private static void addIdentifier(Set<String> identifiers, String key) {
    String folded = Redactor.folded(key).strip();
    boolean digit = folded.chars().anyMatch(Character::isDigit);
    boolean digitsOnly = folded.chars().allMatch(Character::isDigit);
    boolean sign = folded.chars().anyMatch(c -> "@._:/#".indexOf(c) >= 0);
    if (folded.length() >= IDENTIFIER_CHARS + (digitsOnly ? 1 : 0) && (digit || sign)) {
      identifiers.add(folded);
    }
  }

  private List<Field> userFields() {
    List<Field> fields = new ArrayList<>();
    for (String name : policy.fields()) {
      dataset.fields().stream()
          .filter(f -> f.owner() == Field.Owner.USER)
          .filter(f -> name.equals(PrivacyPolicy.USER_PREFIX + f.name()) && f.isNamed())
          .forEach(fields::add);
    }
    return fields;
  }

  private void countUserFacts() {
    TextTable text = dataset.userText();
    for (int user = 0; user < dataset.users(); user++) {
      if (!history.isTrainingUser(user)) {
        continue;
      }
      List<Integer> facts = facts(user);
      for (int length = 1; length <= facts.size(); length++) {
        usersPerFacts.merge(List.copyOf(facts.subList(0, length)), 1, Integer::sum);
      }
      if (text.title(user) != null) {
        usersPerUserTitle.merge(text.title(user), 1, Integer::sum);
      }
      for (int category : TrainingHistory.categories(text, user)) {
        usersPerUserCategory.merge(category, 1, Integer::sum);
      }
    }
  }

  private List<Integer> facts(int user) {
    return userFields.stream().map(field -> field.id(user)).toList();
  }

  private boolean allows(String field) {
    return policy.fields().contains(field);
  }

  /** Whether a number of users is below the policy's smallest group. */
  boolean isSmall(long users) {
    return users < policy.minGroup();
  }

  int minGroup() {
    return policy.minGroup();
  }

  /** How many training users met an item. */
  int usersOf(int item) {
    return usersPerItem[item];
  }

  /** An item's title, if there is one, the policy allows it and enough users met the item. */
  Optional<String> title(int item) {
    return titles.computeIfAbsent(item, this::checkTitle);
  }

  private Optional<String> checkTitle(int item) {
    String title = dataset.itemText().title(item);
    if (title == null || !allows(PrivacyPolicy.ITEM_TITLE)) {
      return Optional.empty();
    }
    return checked(title, usersPerItem[item], Finding.TITLE_OF_SMALL_GROUP);
  }

  /** A category's name, if the policy allows it and enough users met items of it. */
  Optional<String> category(int category) {
    return categories.computeIfAbsent(category, this::checkCategory);
  }

  private Optional<String> checkCategory(int category) {
    if (!allows(PrivacyPolicy.ITEM_CATEGORIES)) {
      return Optional.empty();
    }
    String name = dataset.itemText().categoryName(category);
    return checked(name, usersPerCategory[category], Finding.CATEGORY_OF_SMALL_GROUP);
  }

  private Optional<String> checked(String text, int users, Finding otherwise) {
    if (isSmall(users)) {
      audit.add(otherwise);
      return Optional.empty();
    }
    // Redaction comes before cutting: half an address would not be recognised.
    String clean = redactor.redact(cut(text, SEARCHED_CHARS), audit);
    return Optional.of(cut(clean.replace('\n', ' ').strip(), TITLE_CHARS));
  }

  /**
   * What may be said about a user: the policy's user features in its order, as many as enough
   * training users have in common, then her title and categories.
   */
  List<String> userFacts(int user) {
    List<String> facts = new ArrayList<>();
    List<Integer> ids = facts(user);
    int shared = ids.size();
    while (shared > 0 && isSmall(usersPerFacts.getOrDefault(ids.subList(0, shared), 0))) {
      shared--;
    }
    for (int f = 0; f < shared; f++) {
      if (ids.get(f) != Vocabulary.UNKNOWN) {
        facts.add(userFields.get(f).vocabulary().value(ids.get(f)));
      }
    }
    if (shared < ids.size()) {
      audit.add(Finding.USER_FACT_OF_SMALL_GROUP);
    }
    TextTable text = dataset.userText();
    if (text.title(user) != null && allows(PrivacyPolicy.USER_TITLE)) {
      int users = usersPerUserTitle.getOrDefault(text.title(user), 0);
      checked(text.title(user), users, Finding.USER_FACT_OF_SMALL_GROUP).ifPresent(facts::add);
    }
    if (allows(PrivacyPolicy.USER_CATEGORIES)) {
      for (int category : TrainingHistory.categories(text, user)) {
        int users = usersPerUserCategory.getOrDefault(category, 0);
        checked(text.categoryName(category), users, Finding.USER_FACT_OF_SMALL_GROUP)
            .ifPresent(facts::add);
      }
    }
    return facts;
  }

  /** Whether a text is short enough. */
  boolean fits(String text) {
    return text.length() <= maxChars;
  }

  /** Lets a text out, after one more look at all of it. */
  Prompt release(String id, String text) {
    String clean = redactor.redact(text, audit);
    if (!fits(clean)) {
      audit.add(Finding.SHORTENED);
      clean = cut(clean, maxChars);
    }
    audit.addPrompt();
    return new Prompt(id, clean);
  }

  /** What was done so far. */
  public Audit audit() {
    return audit;
  }

  /** At most {@code chars} characters, without half a surrogate pair. */
  static String cut(String text, int chars) {
    if (text.length() <= chars) {
      return text;
    }
    int end = chars - ELLIPSIS.length();
    return text.substring(0, Character.isHighSurrogate(text.charAt(end - 1)) ? end - 1 : end)
        + ELLIPSIS;
  }
}
