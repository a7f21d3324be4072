package org.llm4msr.model.knowledge;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.CRC32C;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;

/**
 * The vectors of a job that has not finished: append-only records of a prompt's hash, its vector
 * and a CRC-32C over both, behind a head that says which model and pooling they belong to. What a
 * crash left torn at the end is dropped. While it is open the file is locked: two jobs cannot write
 * it.
 */
final class PartialFile implements AutoCloseable {
  private static final byte[] MAGIC = "LLM4MSR partial 1\n".getBytes(StandardCharsets.US_ASCII);
  private static final int KEY_BYTES = 32;
  private static final int HEAD_BYTES = MAGIC.length + KEY_BYTES;

  private final Path path;
  private final FileChannel channel;
  private final int vectorBytes;
  private final ByteBuffer record;
  private final Map<PromptHash, Integer> rowOf = new HashMap<>();
  private int rows;

  private PartialFile(Path path, FileChannel channel, int width) {
    this.path = path;
    this.channel = channel;
    this.vectorBytes = Math.toIntExact(DType.F32.byteSize(width));
    this.record =
        ByteBuffer.allocate(PromptHash.BYTES + vectorBytes + Integer.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Where the unfinished vectors of {@code target} are kept. */
  static Path beside(Path target) {
    return target.resolveSibling(target.getFileName() + ".partial");
  }

  /**
   * Opens the file, or begins it.
   *
   * @param model checksum of the model
   * @param discard begin anew whatever is there
   * @throws UserError if it is in use, belongs to another model or pooling, or cannot be written
   */
  static PartialFile open(Path path, String model, String pool, int width, boolean discard) {
    if (Files.exists(path) && !Files.isRegularFile(path)) {
      throw new UserError(path + ": exists and is not a regular file");
    }
    FileChannel channel;
    try {
      channel =
          FileChannel.open(
              path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw FileErrors.writing(path, e);
    }
    PartialFile file = new PartialFile(path, channel, width);
    try {
      file.lock();
      file.begin(key(model, pool, width), discard);
      file.readRecords();
      return file;
    } catch (IOException e) {
      file.close();
      throw FileErrors.writing(path, e);
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  private static byte[] key(String model, String pool, int width) {
    String text = String.join("\n", model, pool, Integer.toString(width), PromptHash.ALGORITHM);
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private void lock() throws IOException {
    boolean locked;
    try {
      locked = channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      locked = false;
    }
    if (!locked) {
      throw new UserError(path + ": another job is writing this file; wait for it or end it");
    }
  }

  private void begin(byte[] key, boolean discard) throws IOException {
    ByteBuffer head = ByteBuffer.allocate(HEAD_BYTES);
    head.put(MAGIC).put(key).flip();
    if (!discard && channel.size() >= HEAD_BYTES) {
      ByteBuffer found = ByteBuffer.allocate(HEAD_BYTES);
      readFully(found, 0);
      if (!found.flip().equals(head)) {
        throw new UserError(
            path
                + ": holds unfinished work of another model or pooling; finish that, delete the"
                + " file, or give --force to begin anew");
      }
      return;
    }
    channel.truncate(0);
    writeFully(head, 0);
  }

  private void readRecords() throws IOException {
    long whole = (channel.size() - HEAD_BYTES) / record.capacity();
    while (rows < Math.min(whole, Integer.MAX_VALUE)) {
      readFully(record.clear(), offset(rows));
      if (record.getInt(record.capacity() - Integer.BYTES) != crc()) {
        break;
      }
      rowOf.putIfAbsent(PromptHash.read(MemorySegment.ofArray(record.array()), 0), rows);
      rows++;
    }
    channel.truncate(offset(rows));
  }

  private long offset(int row) {
    return HEAD_BYTES + (long) row * record.capacity();
  }

  private int crc() {
    CRC32C crc = new CRC32C();
    crc.update(record.array(), 0, record.capacity() - Integer.BYTES);
    return (int) crc.getValue();
  }

  private void readFully(ByteBuffer into, long position) throws IOException {
    while (into.hasRemaining()) {
      if (channel.read(into, position + into.position()) < 0) {
        throw new IOException("it became shorter while it was being read");
      }
    }
  }

  private void writeFully(ByteBuffer from, long position) throws IOException {
    while (from.hasRemaining()) {
      channel.write(from, position + from.position());
    }
  }

  boolean contains(PromptHash hash) {
    return rowOf.containsKey(hash);
  }

  /** Finished vectors. */
  int size() {
    return rowOf.size();
  }

  /**
   * Appends a finished vector; one that is there already stays.
   *
   * @param vector F32 [width]
   * @throws UserError if the disk is full, for example
   */
  void append(PromptHash hash, MemorySegment vector) {
    if (contains(hash)) {
      return;
    }
    MemorySegment segment = MemorySegment.ofArray(record.array());
    hash.write(segment, 0);
    MemorySegment.copy(vector, 0, segment, PromptHash.BYTES, vectorBytes);
    record.putInt(record.capacity() - Integer.BYTES, crc());
    try {
      writeFully(record.clear(), offset(rows));
    } catch (IOException e) {
      throw FileErrors.writing(path, e);
    }
    rowOf.put(hash, rows++);
  }

  /** Makes what was appended survive a power cut. */
  void force() {
    try {
      channel.force(false);
    } catch (IOException e) {
      throw FileErrors.writing(path, e);
    }
  }

  /** Maps all finished vectors; nothing may be appended while the view is in use. */
  View map(Arena arena) {
    try {
      return new View(channel.map(MapMode.READ_ONLY, 0, channel.size(), arena));
    } catch (IOException e) {
      throw FileErrors.reading(path, e);
    }
  }

  /** Read access to the finished vectors. */
  final class View {
    private final MemorySegment bytes;

    private View(MemorySegment bytes) {
      this.bytes = bytes;
    }

    /** F32 [width], unaligned; null if there is none. */
    MemorySegment vector(PromptHash hash) {
      Integer row = rowOf.get(hash);
      return row == null ? null : bytes.asSlice(offset(row) + PromptHash.BYTES, vectorBytes);
    }
  }

  /** Deletes the file when the job is done. */
  void delete() {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw FileErrors.writing(path, e);
    }
  }

  /** Closes and unlocks the file; closing twice is harmless. */
  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw FileErrors.writing(path, e);
    }
  }
}
