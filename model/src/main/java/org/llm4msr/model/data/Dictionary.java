package org.llm4msr.model.data;

import java.nio.charset.StandardCharsets;
import java.util.AbstractList;
import java.util.List;
import java.util.RandomAccess;

/**
 * Distinct strings, numbered from 0 in the order in which they were first seen. Compact: the UTF-8
 * bytes one after another, 12 bytes about each string, and a hash table of 4 bytes a slot with
 * linear probing, at most half full.
 */
public final class Dictionary {
  /** What {@link #find} answers for a string that is not there. */
  public static final int ABSENT = -1;

  private static final int FIRST_SLOTS = 16;
  private static final int MOST = 1 << 30;

  private final ColumnStore store;
  private final Column bytes;
  private final Column ends;
  private final Column hashes;
  private Column slots;
  private long slotCount = FIRST_SLOTS;
  private int size;

  /** A dictionary on the heap. */
  public Dictionary() {
    this(ColumnStore.onHeap());
  }

  Dictionary(ColumnStore store) {
    this.store = store;
    bytes = store.column();
    ends = store.column();
    hashes = store.column();
    slots = store.column();
    slots.reserve(slotCount, Integer.BYTES);
  }

  /** The code of {@code value}, added when it is new. */
  public int add(String value) {
    byte[] key = value.getBytes(StandardCharsets.UTF_8);
    int hash = hash(value);
    long slot = slot(key, hash);
    int known = slots.getInt(slot) - 1;
    if (known >= 0) {
      return known;
    }
    if (size == MOST) {
      throw new IllegalStateException("a dictionary of more than " + MOST + " strings");
    }
    int code = size++;
    long start = start(code);
    bytes.reserve(start + key.length, Byte.BYTES);
    bytes.setBytes(start, key);
    ends.reserve(size, Long.BYTES);
    ends.setLong(code, start + key.length);
    hashes.reserve(size, Integer.BYTES);
    hashes.setInt(code, hash);
    slots.setInt(slot, size);
    if (2L * size > slotCount) {
      rehash();
    }
    return code;
  }

  /** The code of {@code value}, or {@link #ABSENT}; null is absent. */
  public int find(String value) {
    return value == null
        ? ABSENT
        : slots.getInt(slot(value.getBytes(StandardCharsets.UTF_8), hash(value))) - 1;
  }

  /** Where the key's code plus 1 stands, or the free slot where it belongs. */
  private long slot(byte[] key, int hash) {
    long slot = Integer.toUnsignedLong(hash) & (slotCount - 1);
    while (true) {
      int code = slots.getInt(slot) - 1;
      if (code < 0 || hashes.getInt(code) == hash && holds(code, key)) {
        return slot;
      }
      slot = (slot + 1) & (slotCount - 1);
    }
  }

  private boolean holds(int code, byte[] key) {
    long start = start(code);
    if (ends.getLong(code) - start != key.length) {
      return false;
    }
    for (int i = 0; i < key.length; i++) {
      if (bytes.getByte(start + i) != key[i]) {
        return false;
      }
    }
    return true;
  }

  private static int hash(String value) {
    return (int) StableHash.mix(value.hashCode());
  }

  private void rehash() {
    slots.close();
    slots = store.column();
    slotCount *= 4;
    slots.reserve(slotCount, Integer.BYTES);
    for (int code = 0; code < size; code++) {
      long slot = Integer.toUnsignedLong(hashes.getInt(code)) & (slotCount - 1);
      while (slots.getInt(slot) != 0) {
        slot = (slot + 1) & (slotCount - 1);
      }
      slots.setInt(slot, code + 1);
    }
  }

  private long start(int code) {
    return code == 0 ? 0 : ends.getLong(code - 1L);
  }

  public String value(int code) {
    if (code < 0 || code >= size) {
      throw new IndexOutOfBoundsException("code " + code + " of " + size);
    }
    long start = start(code);
    int length = (int) (ends.getLong(code) - start);
    return new String(bytes.getBytes(start, length), StandardCharsets.UTF_8);
  }

  public int size() {
    return size;
  }

  /** All strings in the order of their codes; a view that cannot be changed. */
  public List<String> values() {
    return new Values();
  }

  private final class Values extends AbstractList<String> implements RandomAccess {
    @Override
    public String get(int code) {
      return value(code);
    }

    @Override
    public int size() {
      return size;
    }
  }

  /**
   * The first bytes of a string as a number whose unsigned order is the order of strings, as far as
   * it is decided there.
   */
  long prefix(int code) {
    long start = start(code);
    long end = Math.min(ends.getLong(code), start + Long.BYTES);
    long prefix = 0;
    for (long at = start; at < start + Long.BYTES; at++) {
      prefix = prefix << Byte.SIZE | (at < end ? rank(bytes.getByte(at)) : 0);
    }
    return prefix;
  }

  /** Compares two strings as {@link String#compareTo} does, without making them. */
  int compare(int a, int b) {
    long startA = start(a);
    long startB = start(b);
    long lengthA = ends.getLong(a) - startA;
    long lengthB = ends.getLong(b) - startB;
    for (long i = 0; i < Math.min(lengthA, lengthB); i++) {
      int byteA = bytes.getByte(startA + i);
      int byteB = bytes.getByte(startB + i);
      if (byteA != byteB) {
        return Integer.compare(rank(byteA), rank(byteB));
      }
    }
    return Long.compare(lengthA, lengthB);
  }

  /**
   * UTF-8 sorts by code point, strings by UTF-16 unit, where U+E000 to U+FFFF (first bytes EE and
   * EF) come behind everything that takes four bytes (F0 to F4).
   */
  private static int rank(int utf8) {
    int unsigned = utf8 & 0xFF;
    return unsigned == 0xEE || unsigned == 0xEF ? unsigned + 0x10 : unsigned;
  }
}
