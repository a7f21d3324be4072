package org.llm4msr.model.data;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntToLongFunction;
import org.llm4msr.runtime.UserError;

/**
 * Collects a log and makes a {@link Dataset} of it. First users, items and rows; then, unless rows
 * came with their part, {@link #split}; then fields, whose vocabularies need the parts; then {@link
 * #build}.
 */
public final class DatasetBuilder {
  private static final byte UNDECIDED = -1;

  /** Makes the choice of rows to keep independent of the split, which uses the same hash. */
  private static final long CUT = 0x637574L;

  /** As many as an array can hold. */
  private static final int MOST_ROWS = Integer.MAX_VALUE - 8;

  final String name;
  final String description;
  final List<Scenario> scenarios;
  final ColumnStore store;
  final Dictionary users;
  final Dictionary items;
  final TextTable userText = new TextTable();
  final TextTable itemText = new TextTable();
  final List<Field> fields = new ArrayList<>();
  final Column user;
  final Column item;
  final Column scenario;
  final Column label;
  final Column split;
  Column time;
  private final Map<Dictionary, Column> hashes = new IdentityHashMap<>();
  private final FieldFactory factory = new FieldFactory(this);
  private int rows;
  private ExternalColumns external;
  private ExternalRecommender recommender;

  /** A builder of a log on the heap; the other parameters are as there. */
  public DatasetBuilder(String name, String description, List<Scenario> scenarios) {
    this(name, description, scenarios, ColumnStore.onHeap());
  }

  /**
   * @param name of the data set, for messages
   * @param description what the log is about, for prompts; may be empty
   * @param scenarios at least one, names distinct
   * @param store where the log's columns lie; the data set closes it, or the caller where none is
   *     built
   */
  public DatasetBuilder(
      String name, String description, List<Scenario> scenarios, ColumnStore store) {
    if (scenarios.isEmpty() || scenarios.size() > Short.MAX_VALUE) {
      throw new IllegalArgumentException("number of scenarios: " + scenarios.size());
    }
    if (scenarios.stream().map(Scenario::name).distinct().count() != scenarios.size()) {
      throw new IllegalArgumentException("scenario names must be distinct: " + scenarios);
    }
    this.name = name;
    this.description = description;
    this.scenarios = List.copyOf(scenarios);
    this.store = store;
    users = new Dictionary(store);
    items = new Dictionary(store);
    user = store.column();
    item = store.column();
    scenario = store.column();
    label = store.column();
    split = store.column();
  }

  /** The dense index of a user, who is added when new. */
  public int user(String key) {
    return users.add(key);
  }

  /** The dense index of an item, which is added when new. */
  public int item(String key) {
    return items.add(key);
  }

  /** Number of users so far. */
  public int users() {
    return users.size();
  }

  /** Number of items so far. */
  public int items() {
    return items.size();
  }

  /** Number of rows so far. */
  public int rows() {
    return rows;
  }

  /** Words about an item. {@code title} may be null; the first category is the main one. */
  public void itemText(int index, String title, List<String> categories) {
    itemText.set(index, title, categories);
  }

  /** Words about a user. */
  public void userText(int index, String title, List<String> categories) {
    userText.set(index, title, categories);
  }

  /**
   * Appends a row.
   *
   * @param userIndex from {@link #user}
   * @param itemIndex from {@link #item}
   * @param scenarioIndex position in the list of scenarios
   * @param labelValue 0 or 1
   * @param part null when {@link #split} will decide
   * @param rowTime or {@link Dataset#NO_TIME}
   */
  public void row(
      int userIndex, int itemIndex, int scenarioIndex, int labelValue, Split part, long rowTime) {
    if (userIndex >= users.size()
        || itemIndex >= items.size()
        || scenarioIndex >= scenarios.size()
        || (labelValue & ~1) != 0) {
      throw new IllegalArgumentException(
          "row with user %d, item %d, scenario %d, label %d"
              .formatted(userIndex, itemIndex, scenarioIndex, labelValue));
    }
    if (rows == MOST_ROWS) {
      throw new UserError(name + ": more than " + MOST_ROWS + " rows cannot be held");
    }
    int row = rows++;
    set(user, row, userIndex);
    set(item, row, itemIndex);
    scenario.reserve(rows, Short.BYTES);
    scenario.setShort(row, (short) scenarioIndex);
    setByte(label, row, (byte) labelValue);
    setByte(split, row, part == null ? UNDECIDED : (byte) part.ordinal());
    if (rowTime != Dataset.NO_TIME || time != null) {
      if (time == null) {
        time = store.column();
        time.reserve(rows, Long.BYTES);
        for (int earlier = 0; earlier < row; earlier++) {
          time.setLong(earlier, Dataset.NO_TIME);
        }
      }
      time.reserve(rows, Long.BYTES);
      time.setLong(row, rowTime);
    }
  }

  private static void set(Column column, int row, int value) {
    column.reserve(row + 1L, Integer.BYTES);
    column.setInt(row, value);
  }

  private static void setByte(Column column, int row, byte value) {
    column.reserve(row + 1L, Byte.BYTES);
    column.setByte(row, value);
  }

  /**
   * Notes what an existing recommender says of the row that was added last; all rows need it, or
   * none.
   *
   * @param logit log(p / (1 - p)) of its probability p, finite
   */
  public void logit(double logit) {
    external(0, (float) logit);
  }

  /**
   * Notes how an existing recommender represents the row that was added last; all rows need it, or
   * none, and no row has a logit. Each number is standardised by the mean and the deviation of the
   * training rows.
   *
   * @param numbers as many for every row, at least 1, finite
   */
  public void representation(float... numbers) {
    if (numbers.length == 0) {
      throw new IllegalArgumentException("a representation needs numbers");
    }
    external(numbers.length, numbers);
  }

  /**
   * Names an existing recommender that is asked about rows whenever they are needed; rows then have
   * neither logits nor representations of their own.
   */
  public void external(ExternalRecommender existing) {
    if (existing.representationWidth() < 0) {
      throw new IllegalArgumentException(
          existing + " gives representations of width " + existing.representationWidth());
    }
    recommender = existing;
  }

  private void external(int width, float... numbers) {
    for (float number : numbers) {
      if (!Float.isFinite(number)) {
        throw new IllegalArgumentException("an existing recommender says " + number);
      }
    }
    if (external == null && rows == 1) {
      external = new ExternalColumns(store.column(), width);
    }
    if (external == null || external.rows() != rows - 1) {
      throw new IllegalArgumentException(
          "row " + (rows - 1) + " has its numbers already, or an earlier one has none");
    }
    if (external.representationWidth() != width) {
      throw new IllegalArgumentException(
          "row %d has a representation of width %d, earlier ones have one of %d (0: a logit)"
              .formatted(rows - 1, width, external.representationWidth()));
    }
    external.add(numbers);
  }

  /** The existing recommender that rows are asked of; null without one. */
  ExternalRecommender external() {
    return external == null ? recommender : external;
  }

  /** Divides all rows by {@code rule}. */
  public void split(SplitRule rule) {
    switch (rule) {
      case SplitRule.Random(SplitRule.Ratios ratios, long seed) -> {
        IntToLongFunction contentHash = contentHash();
        for (int row = 0; row < rows; row++) {
          split.setByte(row, part(ratios, StableHash.combine(contentHash.applyAsLong(row), seed)));
        }
      }
      case SplitRule.ColdUsers(SplitRule.Ratios ratios, long seed) -> {
        Column hash = hashes(users);
        for (int row = 0; row < rows; row++) {
          long userHash = hash.getLong(user.getInt(row));
          split.setByte(row, part(ratios, StableHash.combine(userHash, seed)));
        }
      }
      case SplitRule.ByTime(SplitRule.Ratios ratios) -> splitByTime(ratios);
    }
  }

  private static byte part(SplitRule.Ratios ratios, long hash) {
    return (byte) ratios.at(StableHash.unit(hash)).ordinal();
  }

  private IntToLongFunction contentHash() {
    Column userHash = hashes(users);
    Column itemHash = hashes(items);
    long[] scenarioHash =
        scenarios.stream().mapToLong(known -> StableHash.of(known.name())).toArray();
    return row -> {
      long hash = userHash.getLong(user.getInt(row));
      hash = StableHash.combine(hash, itemHash.getLong(item.getInt(row)));
      hash = StableHash.combine(hash, scenarioHash[scenario.getShort(row)]);
      return time == null ? hash : StableHash.combine(hash, time.getLong(row));
    };
  }

  /** {@link StableHash#of} all strings of a dictionary that is complete, int64. */
  Column hashes(Dictionary keys) {
    return hashes.computeIfAbsent(
        keys,
        dictionary -> {
          Column column = store.column();
          column.reserve(dictionary.size(), Long.BYTES);
          for (int code = 0; code < dictionary.size(); code++) {
            column.setLong(code, StableHash.of(dictionary.value(code)));
          }
          return column;
        });
  }

  private void splitByTime(SplitRule.Ratios ratios) {
    for (int row = 0; row < rows; row++) {
      if (time == null || time.getLong(row) == Dataset.NO_TIME) {
        throw new UserError(
            name
                + ": a split by time needs a time in every row, but row "
                + (row + 1)
                + " has none; use another split or fill the time column");
      }
    }
    if (rows == 0) {
      return;
    }
    long validFrom = timeAt(ratios.trainShare());
    long testFrom = timeAt(ratios.trainAndValidShare());
    for (int row = 0; row < rows; row++) {
      long at = time.getLong(row);
      Split part = at < validFrom ? Split.TRAIN : at < testFrom ? Split.VALID : Split.TEST;
      split.setByte(row, (byte) part.ordinal());
    }
  }

  /**
   * The time from which on the next part begins, beyond the last time for a share of 1: the time
   * with {@code share} of the rows before it. Found by halving, so that nothing is sorted.
   */
  private long timeAt(double share) {
    long index = Math.round(rows * share);
    if (index >= rows) {
      return Long.MAX_VALUE;
    }
    long low = Long.MIN_VALUE;
    long high = Long.MAX_VALUE;
    while (low < high) {
      long middle = (low & high) + ((low ^ high) >> 1);
      long notAfter = 0;
      for (int row = 0; row < rows; row++) {
        notAfter += time.getLong(row) <= middle ? 1 : 0;
      }
      if (notAfter > index) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  /**
   * Leaves training rows of a scenario out, as if there had been fewer; validation and test rows
   * stay. Which rows are kept is decided by a hash of their content, and those of a smaller share
   * are among those of a larger one. Call it after {@link #split} and before fields are added.
   *
   * @param scenarioIndex position in the list of scenarios
   * @param share of its training rows to keep, above 0 and at most 1
   */
  public void cut(int scenarioIndex, double share) {
    IntToLongFunction contentHash = contentHash();
    for (int row = 0; row < rows; row++) {
      if (scenario.getShort(row) == scenarioIndex
          && split.getByte(row) == Split.TRAIN.ordinal()
          && StableHash.unit(StableHash.combine(contentHash.applyAsLong(row), CUT)) >= share) {
        split.setByte(row, (byte) Split.UNUSED.ordinal());
      }
    }
  }

  /** Adds the user's own id as a field. */
  public void userIdField(int minCount) {
    userIdField(FieldOptions.ofMinCount(minCount));
  }

  /** Adds the user's own id as a field. */
  public void userIdField(FieldOptions options) {
    field("user", Field.Owner.USER, CodedColumn.identity(users), options);
  }

  /** Adds the item's own id as a field. */
  public void itemIdField(int minCount) {
    itemIdField(FieldOptions.ofMinCount(minCount));
  }

  /** Adds the item's own id as a field. */
  public void itemIdField(FieldOptions options) {
    field("item", Field.Owner.ITEM, CodedColumn.identity(items), options);
  }

  /** Adds a field with a vocabulary and a table of its own. */
  public void field(String fieldName, Field.Owner owner, CodedColumn column, int minCount) {
    field(fieldName, owner, column, FieldOptions.ofMinCount(minCount));
  }

  /**
   * Adds a field. Its vocabulary is made of the values of training rows, the most frequent first,
   * unless the options say otherwise.
   *
   * @param column one entry per user, item or row, whichever {@code owner} says
   * @throws IllegalArgumentException if no earlier field has the table that is to be shared
   */
  public void field(String fieldName, Field.Owner owner, CodedColumn column, FieldOptions options) {
    fields.add(factory.category(fieldName, owner, column, options));
  }

  /**
   * Adds a field of lists, whose elements' vectors become one. Elements without a vector of their
   * own are left out; a list of none but these is unknown. An element that a list holds twice
   * counts twice, for the vocabulary too.
   *
   * @param column one list per user, item or row, whichever {@code owner} says
   * @param most elements of a list that count, the first ones; at least 1
   * @throws IllegalArgumentException if no earlier field has the table that is to be shared
   */
  public void listField(
      String fieldName,
      Field.Owner owner,
      ListColumn column,
      FieldOptions options,
      Pooling pooling,
      int most) {
    requireElements(most);
    fields.add(factory.list(fieldName, owner, column, options, pooling, most));
  }

  /**
   * Adds what each row's user liked before it as a field of lists that shares the items' table: the
   * items of her last training rows with label 1 and an earlier time.
   *
   * @param most items of a list, at least 1
   * @throws UserError if no row has a time
   * @throws IllegalArgumentException if the items' ids are no field yet
   */
  public void historyField(String fieldName, Pooling pooling, int most) {
    requireElements(most);
    fields.add(factory.history(fieldName, pooling, most));
  }

  private static void requireElements(int most) {
    if (most < 1) {
      throw new IllegalArgumentException("lists of at most " + most + " elements");
    }
  }

  /**
   * Adds a number as a field: standardised by the mean and the deviation of the training rows, so
   * that a change of unit changes nothing. Missing numbers have a vector of their own.
   *
   * @param column one entry per user, item or row, whichever {@code owner} says
   * @param dim width of the field's vectors, 0 for the model's
   */
  public void numberField(String fieldName, Field.Owner owner, NumberColumn column, int dim) {
    fields.add(factory.number(fieldName, owner, column, dim));
  }

  /** How many training rows each code of {@code column} has; missing values are not counted. */
  public long[] trainCounts(Field.Owner owner, CodedColumn column) {
    return factory.trainCounts(owner, column);
  }

  /**
   * Makes the data set; the builder cannot be used afterwards.
   *
   * @throws UserError when there are no rows, when a scenario has no rows or none to train on, when
   *     all training labels are equal
   */
  public Dataset build() {
    if (rows == 0) {
      throw new UserError(name + ": the log has no rows");
    }
    if (external != null && (external.rows() != rows || recommender != null)) {
      throw new IllegalStateException(
          external.rows()
              + " of "
              + rows
              + " rows have an existing recommender's numbers"
              + (recommender == null ? "" : ", and one is to be asked as well"));
    }
    int[] scenarioRows = new int[scenarios.size()];
    int[] scenarioTrainRows = new int[scenarios.size()];
    long trainRows = 0;
    long positives = 0;
    for (int row = 0; row < rows; row++) {
      byte part = split.getByte(row);
      if (part == UNDECIDED) {
        throw new IllegalStateException("row " + row + " belongs to no part; call split first");
      }
      int s = scenario.getShort(row);
      scenarioRows[s]++;
      if (part == Split.TRAIN.ordinal()) {
        scenarioTrainRows[s]++;
        trainRows++;
        positives += label.getByte(row);
      }
    }
    for (int s = 0; s < scenarioRows.length; s++) {
      if (scenarioTrainRows[s] == 0) {
        throw new UserError(
            name
                + ": scenario "
                + scenarios.get(s).name()
                + " has "
                + (scenarioRows[s] == 0 ? "no rows" : "no training rows")
                + "; remove it from the description or give it some");
      }
    }
    if (positives == 0 || positives == trainRows) {
      throw new UserError(
          name
              + ": every training row has label "
              + (positives == 0 ? 0 : 1)
              + ", so there is nothing to learn; check the label column or its rule");
    }
    if (external != null) {
      external.standardise(row -> split.getByte(row) == Split.TRAIN.ordinal());
    }
    return Dataset.of(this);
  }
}
