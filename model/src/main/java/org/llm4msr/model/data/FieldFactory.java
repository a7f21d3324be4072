package org.llm4msr.model.data;

import java.util.Comparator;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.llm4msr.runtime.UserError;

/** Makes fields of columns; what training rows hold decides what a field knows. */
final class FieldFactory {
  /** As many as an array can hold. */
  private static final int MOST_IDS = Integer.MAX_VALUE - 8;

  private final DatasetBuilder log;

  /**
   * @param log whose rows are complete and divided
   */
  FieldFactory(DatasetBuilder log) {
    this.log = log;
  }

  Field category(String name, Field.Owner owner, CodedColumn column, FieldOptions options) {
    Field shared = shared(options);
    Vocabulary vocabulary =
        vocabulary(shared, options, column.dictionary(), () -> trainCounts(owner, column));
    int[] idOfCode = column.dictionary().values().stream().mapToInt(vocabulary::id).toArray();
    int[] ids = new int[entries(owner)];
    for (int i = 0; i < ids.length; i++) {
      int code = column.code(i);
      ids[i] = code == CodedColumn.MISSING ? Vocabulary.UNKNOWN : idOfCode[code];
    }
    return field(name, owner, shared, vocabulary, options, 1, ids, null);
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
    int[] idOfCode = dictionary.values().stream().mapToInt(vocabulary::id).toArray();
    int[] known = new int[entries(owner)];
    int length = 1;
    for (int i = 0; i < known.length; i++) {
      for (int k = 0; k < column.count(i) && known[i] < most; k++) {
        known[i] += idOfCode[column.code(i, k)] == Vocabulary.UNKNOWN ? 0 : 1;
      }
      length = Math.max(length, known[i]);
    }
    if ((long) known.length * length > MOST_IDS) {
      throw new UserError(
          "%s: feature %s: %d lists of up to %d elements cannot be held; lower max"
              .formatted(log.name, name, known.length, length));
    }
    // What is left at 0 points at the unknown vector and does not count.
    int[] ids = new int[known.length * length];
    float[] factors = new float[ids.length];
    for (int i = 0; i < known.length; i++) {
      int first = i * length;
      int at = first;
      for (int k = 0; at < first + known[i]; k++) {
        int id = idOfCode[column.code(i, k)];
        if (id != Vocabulary.UNKNOWN) {
          ids[at] = id;
          factors[at++] = pooling == Pooling.MEAN ? 1f / known[i] : 1;
        }
      }
      if (known[i] == 0) {
        factors[first] = 1;
      }
    }
    return field(name, owner, shared, vocabulary, options, length, ids, factors);
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
    int[] ids = new int[entries(owner)];
    float[] factors = new float[ids.length];
    for (int i = 0; i < ids.length; i++) {
      double number = column.get(i);
      // Without a single training row the number's vector would stay as it was drawn.
      boolean known = count > 0 && !Double.isNaN(number);
      ids[i] = known ? 1 : Vocabulary.UNKNOWN;
      factors[i] = known ? (float) ((number - mean) / deviation) : 1;
    }
    return new Field(name, owner, name, Field.NUMBER, dim, 1, ids, factors);
  }

  private static Field field(
      String name,
      Field.Owner owner,
      Field shared,
      Vocabulary vocabulary,
      FieldOptions options,
      int length,
      int[] ids,
      float[] factors) {
    String table = shared == null ? name : shared.table();
    int dim = shared == null ? options.dim() : shared.dim();
    return new Field(name, owner, table, vocabulary, dim, length, ids, factors);
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
        : new Vocabulary(frequent(dictionary, trainCounts.get(), options.minCount()));
  }

  /** The values with enough training rows, the most frequent first. */
  private static List<String> frequent(Dictionary dictionary, long[] counts, int minCount) {
    return IntStream.range(0, dictionary.size())
        .filter(code -> counts[code] >= minCount)
        .boxed()
        .sorted(
            Comparator.comparingLong((Integer code) -> -counts[code])
                .thenComparing(dictionary::value))
        .map(dictionary::value)
        .toList();
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
    return log.split[row] == Split.TRAIN.ordinal();
  }

  private int entry(Field.Owner owner, int row) {
    return switch (owner) {
      case USER -> log.user[row];
      case ITEM -> log.item[row];
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
