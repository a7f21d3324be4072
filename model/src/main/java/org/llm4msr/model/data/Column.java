package org.llm4msr.model.data;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/**
 * A growing row of numbers of one width; which width is up to its only user. What was never set is
 * 0. Any thread may read once writing is over.
 */
final class Column implements AutoCloseable {
  private static final long HEAP_BYTES = 64;
  private static final long FILE_BYTES = 64 << 10;

  private final ColumnStore store;
  private final FileChannel file;
  private Arena arena;
  private MemorySegment memory = MemorySegment.NULL;

  /**
   * @param file null for a column on the heap
   */
  Column(ColumnStore store, FileChannel file) {
    this.store = store;
    this.file = file;
  }

  /** Makes room for {@code count} numbers of {@code width} bytes. */
  void reserve(long count, int width) {
    long bytes = Math.multiplyExact(count, width);
    if (bytes > memory.byteSize()) {
      long least = file == null ? HEAP_BYTES : FILE_BYTES;
      grow(Math.max(bytes, Math.max(least, memory.byteSize() + (memory.byteSize() >> 1))));
    }
  }

  private void grow(long wanted) {
    long bytes = Math.ceilDiv(wanted, Long.BYTES) * Long.BYTES;
    if (file == null) {
      // Of longs, so that numbers of every width are aligned.
      MemorySegment larger = MemorySegment.ofArray(new long[Math.toIntExact(bytes / Long.BYTES)]);
      larger.copyFrom(memory);
      memory = larger;
      return;
    }
    Arena larger = Arena.ofShared();
    try {
      fill(memory.byteSize(), bytes);
      memory = file.map(FileChannel.MapMode.READ_WRITE, 0, bytes, larger);
    } catch (IOException e) {
      larger.close();
      throw store.failure(e);
    } catch (RuntimeException | Error e) {
      larger.close();
      throw e;
    }
    if (arena != null) {
      arena.close();
    }
    arena = larger;
  }

  /**
   * Writes zeros. A mapping of a file that had merely been made longer would fault in the middle of
   * a store once the disk is full; a write says so.
   */
  private void fill(long from, long to) throws IOException {
    ByteBuffer zeros = ByteBuffer.allocate((int) Math.min(to - from, FILE_BYTES));
    for (long at = from; at < to; at += file.write(zeros, at)) {
      zeros.clear().limit((int) Math.min(to - at, zeros.capacity()));
    }
  }

  byte getByte(long index) {
    return memory.get(JAVA_BYTE, index);
  }

  void setByte(long index, byte value) {
    memory.set(JAVA_BYTE, index, value);
  }

  short getShort(long index) {
    return memory.getAtIndex(JAVA_SHORT, index);
  }

  void setShort(long index, short value) {
    memory.setAtIndex(JAVA_SHORT, index, value);
  }

  int getInt(long index) {
    return memory.getAtIndex(JAVA_INT, index);
  }

  void setInt(long index, int value) {
    memory.setAtIndex(JAVA_INT, index, value);
  }

  long getLong(long index) {
    return memory.getAtIndex(JAVA_LONG, index);
  }

  void setLong(long index, long value) {
    memory.setAtIndex(JAVA_LONG, index, value);
  }

  float getFloat(long index) {
    return memory.getAtIndex(JAVA_FLOAT, index);
  }

  void setFloat(long index, float value) {
    memory.setAtIndex(JAVA_FLOAT, index, value);
  }

  double getDouble(long index) {
    return memory.getAtIndex(JAVA_DOUBLE, index);
  }

  void setDouble(long index, double value) {
    memory.setAtIndex(JAVA_DOUBLE, index, value);
  }

  /** Writes {@code bytes} from byte {@code offset} on. */
  void setBytes(long offset, byte[] bytes) {
    MemorySegment.copy(bytes, 0, memory, JAVA_BYTE, offset, bytes.length);
  }

  /** Reads {@code count} bytes from byte {@code offset} on. */
  byte[] getBytes(long offset, int count) {
    byte[] bytes = new byte[count];
    MemorySegment.copy(memory, JAVA_BYTE, offset, bytes, 0, count);
    return bytes;
  }

  /** Gives the memory back; closing twice does nothing. */
  @Override
  public void close() {
    memory = MemorySegment.NULL;
    store.forget(this);
    if (arena != null) {
      arena.close();
      arena = null;
    }
    if (file != null) {
      try {
        file.close();
      } catch (IOException e) {
        throw store.failure(e);
      }
    }
  }
}
