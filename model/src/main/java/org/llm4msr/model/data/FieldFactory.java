package org.llm4msr.model.data;

import java.util.function.Supplier;
import org.llm4msr.runtime.UserError;

/** Makes fields of columns; what training rows hold decides what a field knows. */
final class FieldFactory {
  private final DatasetBuilder log;

  /**
   * @param log whose rows are complete and divided
   */
  FieldFactory(DatasetBuilder log) {
    this.log = log;
  }

  Field category(String name, Field.Owner owner, CodedColumn column, FieldOptions options) {
    if (options.hash() > 0 && ValueRule.takesNumbers(column.rules())) {
      throw new IllegalArgumentException(name + ": buckets are few; they are not hashed");
    }
    Field shared = shared(options);
    Vocabulary vocabulary =
        vocabulary(shared, options, column.dictionary(), () -> trainCounts(owner, column));
    int[] idOfCode = vocabulary.ids(column.dictionary());
    int entries = entries(owner);
    Column ids = log.store.column();
    ids.reserve(entries, Integer.BYTES);
    for (int i = 0; i < entries; i++) {
      int code = column.code(i);
      ids.setInt(i, code == CodedColumn.MISSING ? Vocabulary.UNKNOWN : idOfCode[code]);
    }
    return field(
        name, owner, shared, vocabulary, options, 1, new Field.Entries.Ids(ids, column.rules()));
  }

  Field list(
      String name,
      Field.Owner owner,
      ListColumn column,
      FieldOptions options,
      Pooling pooling,
      int most) {
    Field shared = shared(options);
    Dictionary dictionary = column.dictionary();
    Vocabulary vocabulary =
        vocabulary(shared, options, dictionary, () -> trainCounts(owner, column));
    int[] idOfCode = vocabulary.ids(dictionary);
    int entries = entries(owner);
    Column ids = log.store.column();
    Column start = log.store.column();
    Column count = log.store.column();
    start.reserve(entries, Long.BYTES);
    count.reserve(entries, Integer.BYTES);
    long used = 0;
    int length = 1;
    for (int i = 0; i < entries; i++) {
      int known = 0;
      start.setLong(i, used);
      for (int k = 0; k < column.count(i) && known < most; k++) {
        int id = idOfCode[column.code(i, k)];
        if (id != Vocabulary.UNKNOWN) {
          ids.reserve(used + 1, Integer.BYTES);
          ids.setInt(used++, id);
          known++;
        }
      }
      count.setInt(i, known);
      length = Math.max(length, known);
    }
    Field.Entries lists =
        new Field.Entries.Lists(ids, start, count, pooling, most, false, column.rules());
    return field(name, owner, shared, vocabulary, options, length, lists);
  }

  Field history(String name, Pooling pooling, int most) {
    if (log.time == null) {
      throw new UserError(
          log.name
              + ": "
              + name
              + " is a history, which needs to know what came before a row, but no row has a time;"
              + " name the column of times or leave the feature out");
    }
    FieldOptions ofItems = new FieldOptions(1, 0, 0, "item");
    Field item = shared(ofItems);
    if (item.owner() != Field.Owner.ITEM || item.isWeighted()) {
      throw new IllegalArgumentException("the field item does not hold the items' ids");
    }
    Field.Entries.Lists lists = Histories.before(log, item, pooling, most);
    int length = 1;
    for (int row = 0; row < log.rows(); row++) {
      length = Math.max(length, lists.count().getInt(row));
    }
    return field(name, Field.Owner.ROW, item, item.vocabulary(), ofItems, length, lists);
  }

  Field number(String name, Field.Owner owner, NumberColumn column, int dim) {
    long count = 0;
    double mean = 0;
    double squares = 0;
    for (int row = 0; row < log.rows(); row++) {
      double number = column.get(entry(owner, row));
      if (trains(row) && !Double.isNaN(number)) {
        // Welford 1962: no loss of digits for numbers far from 0, such as times.
        count++;
        double before = number - mean;
        mean += before / count;
        squares += before * (number - mean);
      }
    }
    double deviation = squares > 0 ? Math.sqrt(squares / count) : 1;
    // Without a single training row the number's vector would stay as it was drawn.
    double center = count == 0 ? Double.NaN : mean;
    int entries = entries(owner);
    Column factors = log.store.column();
    factors.reserve(entries, Float.BYTES);
    for (int i = 0; i < entries; i++) {
      factors.setFloat(i, (float) ((column.get(i) - center) / deviation));
    }
    Field.Entries numbers = new Field.Entries.Numbers(factors, center, deviation);
    return new Field(name, owner, name, Field.NUMBER, dim, 1, numbers);
  }

  private static Field field(
      String name,
      Field.Owner owner,
      Field shared,
      Vocabulary vocabulary,
      FieldOptions options,
      int length,
      Field.Entries entries) {
    String table = shared == null ? name : shared.table();
    int dim = shared == null ? options.dim() : shared.dim();
    return new Field(name, owner, table, vocabulary, dim, length, entries);
  }

  /** The field whose table is to be shared, or null. */
  private Field shared(FieldOptions options) {
    String wanted = options.share();
    if (wanted.isEmpty()) {
      return null;
    }
    return log.fields.stream()
        .filter(field -> field.name().equals(wanted) && !field.isNumber())
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no earlier categorical field " + wanted));
  }

  private static Vocabulary vocabulary(
      Field shared, FieldOptions options, Dictionary dictionary, Supplier<long[]> trainCounts) {
    if (shared != null) {
      return shared.vocabulary();
    }
    return options.hash() > 0
        ? Vocabulary.hashed(options.hash())
        : new Vocabulary(
            dictionary, CodeSort.byCount(dictionary, trainCounts.get(), options.minCount()));
  }

  long[] trainCounts(Field.Owner owner, CodedColumn column) {
    long[] counts = new long[column.dictionary().size()];
    for (int row = 0; row < log.rows(); row++) {
      if (trains(row)) {
        int code = column.code(entry(owner, row));
        if (code != CodedColumn.MISSING) {
          counts[code]++;
        }
      }
    }
    return counts;
  }

  private long[] trainCounts(Field.Owner owner, ListColumn column) {
    long[] counts = new long[column.dictionary().size()];
    for (int row = 0; row < log.rows(); row++) {
      if (trains(row)) {
        int entry = entry(owner, row);
        for (int k = 0; k < column.count(entry); k++) {
          counts[column.code(entry, k)]++;
        }
      }
    }
    return counts;
  }

  private boolean trains(int row) {
    return log.split.getByte(row) == Split.TRAIN.ordinal();
  }

  private int entry(Field.Owner owner, int row) {
    return switch (owner) {
      case USER -> log.user.getInt(row);
      case ITEM -> log.item.getInt(row);
      case ROW -> row;
    };
  }

  private int entries(Field.Owner owner) {
    return switch (owner) {
      case USER -> log.users();
      case ITEM -> log.items();
      case ROW -> log.rows();
    };
  }
}
