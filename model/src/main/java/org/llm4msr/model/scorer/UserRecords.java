package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.memory.HostBuffer;

/**
 * The users of a snapshot and a record of each: those of the file, and over them those that later
 * knowledge changed or added. Added users are numbered after the file's, in the order in which they
 * came; numbers stay what they are.
 */
final class UserRecords {
  private static final int OF_FILE = -1;

  private final int width;
  private final KeyIndex known;
  private final MemorySegment ofFile;
  private final KeyIndex added;
  // Row in `later` of each user, OF_FILE for records of the file; null where nothing came later.
  private final MemorySegment laterRow;
  private final MemorySegment later;

  /**
   * @param ofFile float32 {@code [users + 1, width]}, the last for unknown users
   */
  UserRecords(KeyIndex known, MemorySegment ofFile, int width) {
    this(known, ofFile, width, null, null, null);
  }

  private UserRecords(
      KeyIndex known,
      MemorySegment ofFile,
      int width,
      KeyIndex added,
      MemorySegment laterRow,
      MemorySegment later) {
    this.known = known;
    this.ofFile = ofFile;
    this.width = width;
    this.added = added;
    this.laterRow = laterRow;
    this.later = later;
  }

  int count() {
    return laterRow == null ? known.count() : known.count() + added.count();
  }

  /** Users whose records are not those of the file. */
  int laterCount() {
    return later == null || width == 0 ? 0 : (int) (later.byteSize() / rowBytes());
  }

  /** Floats of a record. */
  int width() {
    return width;
  }

  private long rowBytes() {
    return (long) width * Float.BYTES;
  }

  long byteSize() {
    return ofFile.byteSize() + (later == null ? 0 : later.byteSize());
  }

  /** The number of a key, or {@link KeyIndex#ABSENT}. */
  int find(String key) {
    int user = known.find(key);
    if (user != KeyIndex.ABSENT || laterRow == null) {
      return user;
    }
    int place = added.find(key);
    return place == KeyIndex.ABSENT ? KeyIndex.ABSENT : known.count() + place;
  }

  private int laterRow(int user) {
    if (laterRow == null || user == KeyIndex.ABSENT) {
      return OF_FILE;
    }
    return laterRow.getAtIndex(JAVA_INT, user);
  }

  /** Where the record of a user, or of an unknown one, lies; at {@link #offset}. */
  MemorySegment segment(int user) {
    return laterRow(user) == OF_FILE ? ofFile : later;
  }

  /** Bytes before the record in its {@link #segment}. */
  long offset(int user) {
    int row = laterRow(user);
    if (row == OF_FILE) {
      row = user == KeyIndex.ABSENT ? known.count() : user;
    }
    return row * rowBytes();
  }

  /** Gathers changes; these records stay as they are. */
  final class Update implements AutoCloseable {
    private static final int FIRST_ROWS = 64;

    private final int[] rowOf = laterRow == null ? ofFileOnly() : laterRow.toArray(JAVA_INT);
    private final List<String> newKeys = new ArrayList<>();
    private final List<Integer> newRows = new ArrayList<>();
    private final float[] record = new float[width];
    private final float[] before = new float[width];
    private Arena scratch = Arena.ofConfined();
    private MemorySegment rows;
    private int used = laterCount();
    private int changed;
    private int same;

    Update() {
      rows = scratch.allocate(Math.max(FIRST_ROWS, 2L * used) * rowBytes());
      if (later != null) {
        rows.copyFrom(later);
      }
    }

    private int[] ofFileOnly() {
      int[] all = new int[known.count()];
      Arrays.fill(all, OF_FILE);
      return all;
    }

    /**
     * Puts what a vector says into the record of a user, who is added where nobody knows her.
     *
     * @param key another one each time
     * @param vector scaled in place
     */
    void apply(String key, float[] vector, KnowledgeLayers layers) {
      int user = find(key);
      MemorySegment.copy(segment(user), JAVA_FLOAT, offset(user), record, 0, width);
      System.arraycopy(record, 0, before, 0, width);
      layers.apply(vector, record);
      if (user == KeyIndex.ABSENT) {
        newKeys.add(key);
        newRows.add(append());
      } else if (Arrays.equals(before, record)) {
        same++;
      } else {
        changed++;
        if (rowOf[user] == OF_FILE) {
          rowOf[user] = append();
        } else {
          MemorySegment.copy(record, 0, rows, JAVA_FLOAT, rowOf[user] * rowBytes(), width);
        }
      }
    }

    private int append() {
      if (used * rowBytes() == rows.byteSize()) {
        Arena larger = Arena.ofConfined();
        MemorySegment grown = larger.allocate(2 * rows.byteSize());
        grown.copyFrom(rows);
        scratch.close();
        scratch = larger;
        rows = grown;
      }
      MemorySegment.copy(record, 0, rows, JAVA_FLOAT, used * rowBytes(), width);
      return used++;
    }

    KnowledgeUpdate counts() {
      return new KnowledgeUpdate(newKeys.size(), changed, same);
    }

    /** The users with all changes, in memory of {@code arena}. */
    UserRecords in(Arena arena) {
      List<String> keys = new ArrayList<>();
      for (int user = known.count(); user < count(); user++) {
        keys.add(added.key(user - known.count()));
      }
      keys.addAll(newKeys);
      int[] all = Arrays.copyOf(rowOf, rowOf.length + newRows.size());
      for (int i = 0; i < newRows.size(); i++) {
        all[rowOf.length + i] = newRows.get(i);
      }
      MemorySegment records = arena.allocate(used * rowBytes(), HostBuffer.ALIGNMENT);
      records.copyFrom(rows.asSlice(0, records.byteSize()));
      return new UserRecords(
          known,
          ofFile,
          width,
          KeyIndex.of(keys, arena),
          arena.allocateFrom(JAVA_INT, all),
          records);
    }

    @Override
    public void close() {
      scratch.close();
    }
  }
}
