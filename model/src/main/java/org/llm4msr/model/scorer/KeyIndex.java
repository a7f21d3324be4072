package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.llm4msr.model.data.StableHash;

/** External keys and their numbers, searched in the mapped file: nothing of it is on the heap. */
final class KeyIndex {
  /** What {@link #find} answers for a key that is not there. */
  static final int ABSENT = -1;

  private final int count;
  private final MemorySegment hashes;
  private final MemorySegment numbers;
  private final MemorySegment offsets;
  private final MemorySegment bytes;

  /**
   * @throws SnapshotContainer.DamagedException if the parts do not fit together
   */
  KeyIndex(SnapshotContainer file, String name, int count)
      throws SnapshotContainer.DamagedException {
    this.count = count;
    hashes = file.section(name + ".hashes", (long) count * Long.BYTES);
    numbers = file.section(name + ".numbers", (long) count * Integer.BYTES);
    offsets = file.section(name + ".offsets", (count + 1L) * Long.BYTES);
    bytes = file.section(name + ".bytes", offsets.getAtIndex(JAVA_LONG, count));
    long before = 0;
    for (int i = 0; i <= count; i++) {
      long offset = offsets.getAtIndex(JAVA_LONG, i);
      if (offset < before || i == 0 && offset != 0) {
        throw new SnapshotContainer.DamagedException("the keys of " + name);
      }
      before = offset;
    }
    for (int i = 0; i < count; i++) {
      int number = numbers.getAtIndex(JAVA_INT, i);
      if (number < 0 || number >= count) {
        throw new SnapshotContainer.DamagedException("the numbers of " + name);
      }
    }
  }

  static void write(
      SnapshotContainer.Writer file, String name, int count, IntFunction<String> key) {
    byte[][] keys = new byte[count][];
    long[] hashes = new long[count];
    for (int i = 0; i < count; i++) {
      keys[i] = key.apply(i).getBytes(StandardCharsets.UTF_8);
      hashes[i] = StableHash.of(key.apply(i));
    }
    int[] order =
        IntStream.range(0, count)
            .boxed()
            .sorted(Comparator.comparingLong((Integer i) -> hashes[i]).thenComparing(i -> i))
            .mapToInt(i -> i)
            .toArray();
    file.begin(name + ".hashes");
    for (int i : order) {
      file.writeLong(hashes[i]);
    }
    file.begin(name + ".numbers");
    for (int i : order) {
      file.writeInt(i);
    }
    file.begin(name + ".offsets");
    long offset = 0;
    file.writeLong(0);
    for (byte[] text : keys) {
      offset += text.length;
      file.writeLong(offset);
    }
    file.begin(name + ".bytes");
    for (byte[] text : keys) {
      file.writeBytes(text);
    }
  }

  int count() {
    return count;
  }

  /** The number of a key, or {@link #ABSENT}. */
  int find(String key) {
    long hash = StableHash.of(key);
    int low = 0;
    int high = count;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (hashes.getAtIndex(JAVA_LONG, middle) < hash) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    byte[] text = key.getBytes(StandardCharsets.UTF_8);
    for (int i = low; i < count && hashes.getAtIndex(JAVA_LONG, i) == hash; i++) {
      int number = numbers.getAtIndex(JAVA_INT, i);
      if (Arrays.equals(text, text(number))) {
        return number;
      }
    }
    return ABSENT;
  }

  /** The key of a number in {@code [0, count)}. */
  String key(int number) {
    return new String(text(number), StandardCharsets.UTF_8);
  }

  private byte[] text(int number) {
    long begin = offsets.getAtIndex(JAVA_LONG, number);
    long end = offsets.getAtIndex(JAVA_LONG, number + 1L);
    return bytes.asSlice(begin, end - begin).toArray(JAVA_BYTE);
  }
}
