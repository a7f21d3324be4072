package org.llm4msr.model.data;

import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.List;

/**
 * An interaction log: immutable, column by column, on the heap or in mapped files as its {@link
 * ColumnStore} says, which it closes. Rows, users and items have dense indices from 0. Users and
 * items include those that only the users or items table knows, so that knowledge and fields exist
 * for newcomers too.
 *
 * <p>Rows keep the order of the log. A field's ids are stored once per user or item where the field
 * belongs to one, so that a row costs some 16 bytes whatever the number of fields.
 */
public final class Dataset implements AutoCloseable {
  /** {@link #time} of a row without one. */
  public static final long NO_TIME = Long.MIN_VALUE;

  private static final Split[] SPLITS = Split.values();

  private final Log log;
  private final Column split;
  private final ExternalRecommender external;
  private final Folds heldOut;
  private final Runnable release;

  /** What all views of a log share. */
  private record Log(
      String name,
      String description,
      List<Scenario> scenarios,
      Dictionary users,
      Dictionary items,
      TextTable userText,
      TextTable itemText,
      List<Field> fields,
      ColumnStore store,
      int rows,
      Column user,
      Column item,
      Column scenario,
      Column label,
      Column time,
      Column userHash,
      Column itemHash) {}

  private Dataset(
      Log log, Column split, ExternalRecommender external, Folds heldOut, Runnable release) {
    this.log = log;
    this.split = split;
    this.external = external;
    this.heldOut = heldOut;
    this.release = release;
  }

  /** Takes the builder's columns over; the builder is used up. */
  static Dataset of(DatasetBuilder from) {
    Log log =
        new Log(
            from.name,
            from.description,
            from.scenarios,
            from.users,
            from.items,
            from.userText,
            from.itemText,
            List.copyOf(from.fields),
            from.store,
            from.rows(),
            from.user,
            from.item,
            from.scenario,
            from.label,
            from.time,
            from.hashes(from.users),
            from.hashes(from.items));
    return new Dataset(log, from.split, from.external(), Folds.NONE, from.store::close);
  }

  /**
   * The same log without the training rows of one fold: they are {@link Split#UNUSED}. Vocabularies
   * stay as they are. A view: to be closed before this data set is.
   *
   * @param fold in [1, count]
   */
  public Dataset holdingOut(Folds folds, int fold) {
    if (fold < 1 || fold > folds.count()) {
      throw new IllegalArgumentException("fold " + fold + " of " + folds.count());
    }
    Column rest = log.store.column();
    rest.reserve(log.rows, Byte.BYTES);
    for (int row = 0; row < log.rows; row++) {
      rest.setByte(
          row, folds.of(this, row) == fold ? (byte) Split.UNUSED.ordinal() : split.getByte(row));
    }
    return new Dataset(log, rest, external, heldOut, rest::close);
  }

  /**
   * The same log with an existing recommender's logit of each row. A view: to be closed before this
   * data set is.
   *
   * @param logits {@code [rows]}, finite
   * @param heldOut the folds of which a training row's logit did not see its own, or {@link
   *     Folds#NONE}
   */
  public Dataset withLogits(float[] logits, Folds heldOut) {
    if (logits.length != log.rows) {
      throw new IllegalArgumentException(logits.length + " logits for " + log.rows + " rows");
    }
    Column values = log.store.column();
    ExternalColumns columns = new ExternalColumns(values, 0);
    for (float logit : logits) {
      columns.add(new float[] {logit});
    }
    return new Dataset(log, split, columns, heldOut, values::close);
  }

  public String name() {
    return log.name;
  }

  /** What the log is about, for prompts; empty when the description says nothing. */
  public String description() {
    return log.description;
  }

  public int rows() {
    return log.rows;
  }

  public List<Scenario> scenarios() {
    return log.scenarios;
  }

  public int users() {
    return log.users.size();
  }

  public int items() {
    return log.items.size();
  }

  /** The external id of a user. */
  public String userKey(int userIndex) {
    return log.users.value(userIndex);
  }

  /** The external id of an item. */
  public String itemKey(int itemIndex) {
    return log.items.value(itemIndex);
  }

  /** The dense index of an external user id, or {@link Dictionary#ABSENT}. */
  public int findUser(String key) {
    return log.users.find(key);
  }

  /** The dense index of an external item id, or {@link Dictionary#ABSENT}. */
  public int findItem(String key) {
    return log.items.find(key);
  }

  /** Words about users; without entries when the log has none. */
  public TextTable userText() {
    return log.userText;
  }

  /** Words about items; without entries when the log has none. */
  public TextTable itemText() {
    return log.itemText;
  }

  /** The model's inputs, in the order of the ids in a batch. */
  public List<Field> fields() {
    return log.fields;
  }

  /** Whether rows come with the logit of an existing recommender. */
  public boolean hasLogits() {
    return external != null && representationWidth() == 0;
  }

  /**
   * The folds of which a training row's logit ({@link #hasLogits}) did not see its own; {@link
   * Folds#NONE} where that is not known.
   */
  public Folds heldOut() {
    return heldOut;
  }

  /** Width of the representation that an existing recommender gives for each row; 0 without one. */
  public int representationWidth() {
    return external == null ? 0 : external.representationWidth();
  }

  /** Numbers of a row that come from an existing recommender: 1 for a logit; 0 without one. */
  public int externalColumns() {
    return external == null ? 0 : Math.max(1, representationWidth());
  }

  /** What an existing recommender says of rows; for one thread. Null without one. */
  public ExternalScores externalScores() {
    return external == null ? null : new ExternalScores(this, external, externalColumns());
  }

  /** What an existing recommender says of one row, {@code [externalColumns]}. */
  public float[] external(int row) {
    float[] numbers = new float[externalColumns()];
    if (external != null) {
      externalScores().write(new int[] {row}, 1, MemorySegment.ofArray(numbers));
    }
    return numbers;
  }

  /** Ids of a row over all fields. */
  public int idColumns() {
    return log.fields.stream().mapToInt(Field::length).sum();
  }

  /** Factors of a row over all fields that have some. */
  public int factorColumns() {
    return log.fields.stream().filter(Field::isWeighted).mapToInt(Field::length).sum();
  }

  /** Dense index of the row's user. */
  public int user(int row) {
    return log.user.getInt(row);
  }

  /** Dense index of the row's item. */
  public int item(int row) {
    return log.item.getInt(row);
  }

  /** Index into {@link #scenarios}. */
  public int scenario(int row) {
    return log.scenario.getShort(row);
  }

  /** 0 or 1. */
  public int label(int row) {
    return log.label.getByte(row);
  }

  public Split split(int row) {
    return SPLITS[split.getByte(row)];
  }

  /** The time as the log gives it (only its order matters), or {@link #NO_TIME}. */
  public long time(int row) {
    return log.time == null ? NO_TIME : log.time.getLong(row);
  }

  /** The first id of field {@code field} in a row, in [0, vocabulary size). */
  public int fieldId(int field, int row) {
    Field f = log.fields.get(field);
    return f.id(entry(f, row));
  }

  /** What a field's ids and factors of a row are found by: its user, its item, or the row. */
  public int entry(Field field, int row) {
    return switch (field.owner()) {
      case USER -> log.user.getInt(row);
      case ITEM -> log.item.getInt(row);
      case ROW -> row;
    };
  }

  /** The rows of a part, ascending. */
  public int[] rowsOf(Split part) {
    int[] found = new int[count(part)];
    rowsOf(part, found);
    return found;
  }

  /** Fills {@code found}, {@code [count(part)]}, with the rows of a part, ascending. */
  void rowsOf(Split part, int[] found) {
    int next = 0;
    for (int row = 0; row < log.rows; row++) {
      if (split.getByte(row) == part.ordinal()) {
        found[next++] = row;
      }
    }
  }

  /** Number of rows of a part. */
  public int count(Split part) {
    int count = 0;
    for (int row = 0; row < log.rows; row++) {
      count += split.getByte(row) == part.ordinal() ? 1 : 0;
    }
    return count;
  }

  /** How many training rows each user has: the evidence behind what is known of her. [users] */
  public int[] trainRowsPerUser() {
    return trainRows(log.user, log.users.size());
  }

  /** How many training rows each item has. [items] */
  public int[] trainRowsPerItem() {
    return trainRows(log.item, log.items.size());
  }

  private int[] trainRows(Column owner, int owners) {
    int[] count = new int[owners];
    for (int row = 0; row < log.rows; row++) {
      if (split.getByte(row) == Split.TRAIN.ordinal()) {
        count[owner.getInt(row)]++;
      }
    }
    return count;
  }

  /** A hash of the row's (user, item) pair that does not depend on the order of the log. */
  long pairHash(int row) {
    return StableHash.combine(log.userHash.getLong(user(row)), log.itemHash.getLong(item(row)));
  }

  /**
   * A checksum of what the training rows say: their users and items by key, scenarios by name, and
   * labels, repeats included. The same on every machine and whatever the order of the rows and the
   * format of the files. 16 hexadecimal digits.
   */
  public String trainingRowsChecksum() {
    long[] scenarioHash =
        log.scenarios.stream().mapToLong(known -> StableHash.of(known.name())).toArray();
    long sum = 0;
    for (int row = 0; row < log.rows; row++) {
      if (split.getByte(row) == Split.TRAIN.ordinal()) {
        long hash = StableHash.combine(pairHash(row), scenarioHash[scenario(row)]);
        // A sum does not depend on the order; an exclusive or would lose repeats.
        sum += StableHash.combine(hash, label(row));
      }
    }
    return HexFormat.of().toHexDigits(sum);
  }

  /** Gives the memory of all columns back; what is on the heap needs no closing. */
  @Override
  public void close() {
    release.run();
  }
}
