package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;
import org.llm4msr.model.checkpoint.AtomicFile;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The file of a snapshot, little-endian: 64 bytes that begin with {@code L4MSCORE} and the format's
 * version; sections, each at a multiple of 64 bytes; a JSON object that says what they are; and 32
 * bytes with that object's length, the file's length and a checksum (CRC-32C) of all before it.
 */
final class SnapshotContainer {
  static final int VERSION = 4;
  static final int ALIGNMENT = 64;

  private static final long MAGIC = 0x45524F43534D344CL; // "L4MSCORE" in little-endian order
  private static final int TRAILER = 32;
  private static final int CHUNK = 1 << 20;
  private static final long MAX_DIRECTORY = 64L << 20;

  /** A snapshot that is not what it should be; {@link #open} says which file. */
  static final class DamagedException extends Exception {
    private static final long serialVersionUID = 1;

    DamagedException(String message) {
      super(message);
    }
  }

  private final MemorySegment file;
  private final ObjectNode directory;

  private SnapshotContainer(MemorySegment file, ObjectNode directory) {
    this.file = file;
    this.directory = directory;
  }

  /**
   * Maps a file and checks that it is whole.
   *
   * @param arena owns the mapping
   * @throws UserError if it is no snapshot, of another version or damaged
   */
  static SnapshotContainer open(Path path, Arena arena) {
    FileErrors.requireFile(path);
    MemorySegment mapped;
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      mapped = channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
    } catch (IOException e) {
      throw FileErrors.reading(path, e);
    }
    try {
      return new SnapshotContainer(mapped, directory(mapped, path));
    } catch (DamagedException e) {
      throw damaged(path, e.getMessage());
    }
  }

  static UserError damaged(Path path, String problem) {
    return new UserError(
        path + ": a damaged snapshot (" + problem + "); export it again from its run");
  }

  private static ObjectNode directory(MemorySegment mapped, Path path) throws DamagedException {
    long bytes = mapped.byteSize();
    if (bytes < Long.BYTES || mapped.get(JAVA_LONG, 0) != MAGIC) {
      throw new UserError(path + ": not a snapshot; 'llm4msr export' makes one");
    }
    if (bytes < ALIGNMENT + TRAILER) {
      throw new DamagedException("it is cut off");
    }
    int version = mapped.get(JAVA_INT, Long.BYTES);
    if (version != VERSION) {
      throw new UserError(
          "%s: a snapshot of format %d, but this version reads format %d; export it again"
              .formatted(path, version, VERSION));
    }
    long trailer = bytes - TRAILER;
    long length = mapped.get(JAVA_LONG.withByteAlignment(1), trailer);
    if (mapped.get(JAVA_LONG.withByteAlignment(1), trailer + 8) != bytes
        || mapped.get(JAVA_LONG.withByteAlignment(1), trailer + 24) != MAGIC) {
      throw new DamagedException("it is cut off");
    }
    if (mapped.get(JAVA_LONG.withByteAlignment(1), trailer + 16)
        != checksum(mapped, trailer + 16)) {
      throw new DamagedException("its checksum is wrong");
    }
    if (length < 2 || length > MAX_DIRECTORY || length > trailer - ALIGNMENT) {
      throw new DamagedException("its directory has " + length + " bytes");
    }
    MemorySegment json = mapped.asSlice(trailer - length, length);
    String text =
        new String(json.toArray(java.lang.foreign.ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    return StrictJson.object(text, path.toString());
  }

  private static long checksum(MemorySegment mapped, long end) {
    CRC32C crc = new CRC32C();
    for (long at = 0; at < end; at += CHUNK) {
      crc.update(mapped.asSlice(at, Math.min(CHUNK, end - at)).asByteBuffer());
    }
    return crc.getValue();
  }

  /** What the writer said about the whole. */
  ObjectNode directory() {
    return directory;
  }

  /**
   * A section of an expected size.
   *
   * @throws DamagedException if there is none, or it has another size
   */
  MemorySegment section(String name, long bytes) throws DamagedException {
    MemorySegment section = section(name);
    if (section.byteSize() != bytes) {
      throw new DamagedException(name + " has " + section.byteSize() + " bytes, expected " + bytes);
    }
    return section;
  }

  /** A section. */
  MemorySegment section(String name) throws DamagedException {
    JsonNode entry = directory.path("sections").path(name);
    if (!entry.isArray()
        || entry.size() != 2
        || !entry.get(0).canConvertToLong()
        || !entry.get(1).canConvertToLong()) {
      throw new DamagedException("it has no " + name);
    }
    long offset = entry.get(0).asLong();
    long bytes = entry.get(1).asLong();
    if (offset < ALIGNMENT
        || offset % ALIGNMENT != 0
        || bytes < 0
        || offset > file.byteSize() - TRAILER
        || bytes > file.byteSize() - TRAILER - offset) {
      throw new DamagedException(name + " leaves the file");
    }
    return file.asSlice(offset, bytes);
  }

  /** Writes a snapshot section after section; the file appears whole or not at all. */
  static final class Writer implements AutoCloseable {
    private final AtomicFile file;
    private final ByteBuffer buffer = ByteBuffer.allocate(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
    private final CRC32C crc = new CRC32C();
    private final ObjectNode directory = JsonMapper.shared().createObjectNode();
    private final ObjectNode sections = directory.putObject("sections");
    private long written;
    private String name;
    private long begin;

    Writer(Path path) {
      file = AtomicFile.create(path);
      writeLong(MAGIC);
      writeInt(VERSION);
      align();
    }

    /** To be filled before {@link #commit}. */
    ObjectNode directory() {
      return directory;
    }

    /** Ends the section before and begins another. */
    void begin(String section) {
      end();
      align();
      name = section;
      begin = written;
    }

    private void end() {
      if (name != null) {
        sections.putArray(name).add(begin).add(written - begin);
        name = null;
      }
    }

    private void align() {
      while (written % ALIGNMENT != 0) {
        room(1).put((byte) 0);
        written++;
      }
    }

    private ByteBuffer room(int bytes) {
      if (buffer.remaining() < bytes) {
        flush();
      }
      return buffer;
    }

    private void flush() {
      buffer.flip();
      crc.update(buffer.duplicate());
      file.write(buffer);
      buffer.clear();
    }

    void writeFloat(float value) {
      room(Float.BYTES).putFloat(value);
      written += Float.BYTES;
    }

    void writeFloats(float[] values) {
      for (float value : values) {
        writeFloat(value);
      }
    }

    /** Numbers rounded to BF16, to the nearest and of two the even one. */
    void writeBf16(float[] values) {
      MemorySegment one = MemorySegment.ofArray(new short[1]);
      for (float value : values) {
        DType.BF16.set(one, 0, value);
        room(Short.BYTES).putShort(one.get(JAVA_SHORT, 0));
      }
      written += (long) values.length * Short.BYTES;
    }

    /** Zeros up to {@code bytes} of the section. */
    void padTo(long bytes) {
      for (; written < begin + bytes; written++) {
        room(1).put((byte) 0);
      }
    }

    void writeDoubles(double[] values) {
      for (double value : values) {
        writeLong(Double.doubleToRawLongBits(value));
      }
    }

    void writeInt(int value) {
      room(Integer.BYTES).putInt(value);
      written += Integer.BYTES;
    }

    void writeLong(long value) {
      room(Long.BYTES).putLong(value);
      written += Long.BYTES;
    }

    void writeBytes(byte[] values) {
      for (byte value : values) {
        room(1).put(value);
      }
      written += values.length;
    }

    /** Writes the directory and puts the file in its place. */
    void commit() {
      end();
      align();
      byte[] json = directory.toString().getBytes(StandardCharsets.UTF_8);
      writeBytes(json);
      writeLong(json.length);
      writeLong(written + TRAILER - Long.BYTES);
      flush();
      writeLong(crc.getValue());
      writeLong(MAGIC);
      buffer.flip();
      file.write(buffer);
      file.commit();
    }

    @Override
    public void close() {
      file.close();
    }
  }
}
