package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import org.llm4msr.model.data.StableHash;

/**
 * External keys and their numbers, searched in memory off the heap, mostly the mapped file. A
 * sorted list of 31 bits of each key's hash with its number leads to the key's UTF-8 bytes.
 */
final class KeyIndex {
  /** What {@link #find} answers for a key that is not there. */
  static final int ABSENT = -1;

  private final int count;
  private final MemorySegment sorted;
  private final MemorySegment offsets;
  private final MemorySegment bytes;

  /**
   * @throws SnapshotContainer.DamagedException if the parts do not fit together
   */
  KeyIndex(SnapshotContainer file, String name, int count)
      throws SnapshotContainer.DamagedException {
    this.count = count;
    sorted = file.section(name + ".sorted", (long) count * Long.BYTES);
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
      int number = (int) sorted.getAtIndex(JAVA_LONG, i);
      if (number < 0 || number >= count) {
        throw new SnapshotContainer.DamagedException("the numbers of " + name);
      }
    }
  }

  private KeyIndex(int count, MemorySegment sorted, MemorySegment offsets, MemorySegment bytes) {
    this.count = count;
    this.sorted = sorted;
    this.offsets = offsets;
    this.bytes = bytes;
  }

  /** The same in memory of {@code arena}; keys are numbered in their order. */
  static KeyIndex of(List<String> keys, Arena arena) {
    int count = keys.size();
    MemorySegment offsets = arena.allocate(JAVA_LONG, count + 1L);
    long end = 0;
    for (int i = 0; i < count; i++) {
      end += utf8(keys.get(i)).length;
      offsets.setAtIndex(JAVA_LONG, i + 1L, end);
    }
    MemorySegment bytes = arena.allocate(end);
    for (int i = 0; i < count; i++) {
      byte[] text = utf8(keys.get(i));
      MemorySegment.copy(text, 0, bytes, JAVA_BYTE, offsets.getAtIndex(JAVA_LONG, i), text.length);
    }
    MemorySegment sorted = arena.allocateFrom(JAVA_LONG, sorted(count, keys::get));
    return new KeyIndex(count, sorted, offsets, bytes);
  }

  /** 31 bits of each key's hash and its number. */
  private static long[] sorted(int count, IntFunction<String> key) {
    long[] entries = new long[count];
    for (int i = 0; i < count; i++) {
      entries[i] = first(key.apply(i)) | i;
    }
    Arrays.sort(entries);
    return entries;
  }

  static void write(
      SnapshotContainer.Writer file, String name, int count, IntFunction<String> key) {
    file.begin(name + ".sorted");
    for (long entry : sorted(count, key)) {
      file.writeLong(entry);
    }
    file.begin(name + ".offsets");
    long offset = 0;
    file.writeLong(0);
    for (int i = 0; i < count; i++) {
      offset += utf8(key.apply(i)).length;
      file.writeLong(offset);
    }
    file.begin(name + ".bytes");
    for (int i = 0; i < count; i++) {
      file.writeBytes(utf8(key.apply(i)));
    }
  }

  private static byte[] utf8(String key) {
    return key.getBytes(StandardCharsets.UTF_8);
  }

  /** The entry of a key with number 0. */
  private static long first(String key) {
    return StableHash.of(key) >>> 33 << 32;
  }

  int count() {
    return count;
  }

  /** The key of a number. */
  String key(int number) {
    long begin = offsets.getAtIndex(JAVA_LONG, number);
    long length = offsets.getAtIndex(JAVA_LONG, number + 1L) - begin;
    return new String(bytes.asSlice(begin, length).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
  }

  /** The number of a key, or {@link #ABSENT}. */
  int find(String key) {
    long wanted = first(key);
    int low = 0;
    int high = count;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (sorted.getAtIndex(JAVA_LONG, middle) < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    byte[] text = utf8(key);
    for (int i = low; i < count; i++) {
      long entry = sorted.getAtIndex(JAVA_LONG, i);
      if (entry >>> 32 != wanted >>> 32) {
        break;
      }
      if (holds((int) entry, text)) {
        return (int) entry;
      }
    }
    return ABSENT;
  }

  private boolean holds(int number, byte[] text) {
    long begin = offsets.getAtIndex(JAVA_LONG, number);
    long length = offsets.getAtIndex(JAVA_LONG, number + 1L) - begin;
    return length == text.length
        && MemorySegment.ofArray(text).mismatch(bytes.asSlice(begin, length)) == -1;
  }
}
