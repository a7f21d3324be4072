package org.llm4msr.model.data;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What each row's user liked before it: the items of her training rows with label 1 and an earlier
 * time, the latest ones, oldest first. Rows of the same time do not know of each other, so a row
 * never holds itself nor anything later; a row without a time knows nothing and is known by none.
 *
 * <p>Every user's liked items lie in one column, sorted by time, and a row's list is a window of
 * it.
 */
final class Histories {
  private final DatasetBuilder log;
  private final Field item;

  /** Where each user's liked items begin, int64 {@code [users + 1]}. */
  private final Column begin;

  private final Column ids;
  private final Column times;

  private Histories(DatasetBuilder log, Field item) {
    this.log = log;
    this.item = item;
    begin = log.store.column();
    ids = log.store.column();
    times = log.store.column();
  }

  /**
   * A list for each row of a log whose rows have times.
   *
   * @param item the field of the items' ids; items that it does not know are left out
   * @param most elements of a list
   */
  static Field.Entries.Lists before(DatasetBuilder log, Field item, Pooling pooling, int most) {
    Histories histories = new Histories(log, item);
    histories.collect();
    histories.sort();
    Field.Entries.Lists windows = histories.windows(pooling, most);
    histories.begin.close();
    histories.times.close();
    return windows;
  }

  private boolean isLiked(int row) {
    return log.split.getByte(row) == Split.TRAIN.ordinal()
        && log.label.getByte(row) == 1
        && log.time.getLong(row) != Dataset.NO_TIME
        && item.id(log.item.getInt(row)) != Vocabulary.UNKNOWN;
  }

  /** Counting sort of the liked rows by user, in the log's order. */
  private void collect() {
    int users = log.users();
    begin.reserve(users + 1L, Long.BYTES);
    for (int row = 0; row < log.rows(); row++) {
      if (isLiked(row)) {
        long next = log.user.getInt(row) + 1L;
        begin.setLong(next, begin.getLong(next) + 1);
      }
    }
    for (int user = 0; user < users; user++) {
      begin.setLong(user + 1L, begin.getLong(user) + begin.getLong(user + 1L));
    }
    ids.reserve(begin.getLong(users), Integer.BYTES);
    times.reserve(begin.getLong(users), Long.BYTES);
    try (Column used = log.store.column()) {
      used.reserve(users, Integer.BYTES);
      for (int row = 0; row < log.rows(); row++) {
        if (isLiked(row)) {
          int user = log.user.getInt(row);
          long at = begin.getLong(user) + used.getInt(user);
          used.setInt(user, used.getInt(user) + 1);
          ids.setInt(at, item.id(log.item.getInt(row)));
          times.setLong(at, log.time.getLong(row));
        }
      }
    }
  }

  /** Sorts each user's items by time where the log is not; equal times keep the log's order. */
  private void sort() {
    for (int user = 0; user < log.users(); user++) {
      long from = begin.getLong(user);
      int count = Math.toIntExact(begin.getLong(user + 1L) - from);
      long[] time = new long[count];
      int[] id = new int[count];
      boolean sorted = true;
      for (int i = 0; i < count; i++) {
        time[i] = times.getLong(from + i);
        id[i] = ids.getInt(from + i);
        sorted &= i == 0 || time[i - 1] <= time[i];
      }
      if (!sorted) {
        Integer[] order = IntStream.range(0, count).boxed().toArray(Integer[]::new);
        Arrays.sort(order, Comparator.comparingLong(i -> time[i]));
        for (int i = 0; i < count; i++) {
          times.setLong(from + i, time[order[i]]);
          ids.setInt(from + i, id[order[i]]);
        }
      }
    }
  }

  private Field.Entries.Lists windows(Pooling pooling, int most) {
    Column start = log.store.column();
    Column count = log.store.column();
    start.reserve(log.rows(), Long.BYTES);
    count.reserve(log.rows(), Integer.BYTES);
    for (int row = 0; row < log.rows(); row++) {
      int user = log.user.getInt(row);
      long first = begin.getLong(user);
      long end = firstNotBefore(log.time.getLong(row), first, begin.getLong(user + 1L));
      int known = (int) Math.min(most, end - first);
      start.setLong(row, end - known);
      count.setInt(row, known);
    }
    return new Field.Entries.Lists(ids, start, count, pooling, most, true, List.of());
  }

  /**
   * The first place in [from, to) whose time is not before {@code time}, or {@code to}. {@link
   * Dataset#NO_TIME} is before everything.
   */
  private long firstNotBefore(long time, long from, long to) {
    long low = from;
    long high = to;
    while (low < high) {
      long middle = (low + high) >>> 1;
      if (times.getLong(middle) < time) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
