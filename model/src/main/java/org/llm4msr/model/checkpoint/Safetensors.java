package org.llm4msr.model.checkpoint;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

/**
 * One open safetensors file: eight bytes of header length, a JSON header, raw little-endian
 * tensors. The file is memory-mapped and never copied; it must not be truncated while it is open.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
public final class Safetensors implements TensorSource, AutoCloseable {
  static final long MAX_HEADER_BYTES = 100_000_000;

  private final Path file;
  private final Arena arena;
  private final MemorySegment data;
  private final SafetensorsHeader header;
  private final AllocationTracker.Entry allocation;

  private Safetensors(Path file, Arena arena, MemorySegment data, SafetensorsHeader header) {
    this.file = file;
    this.arena = arena;
    this.data = data;
    this.header = header;
    // The pages belong to the system's file cache, so no bytes are counted, only the open file.
    this.allocation = AllocationTracker.opened("mapped file " + file, 0);
  }

  /**
   * Maps a file and checks its header.
   *
   * @throws UserError if it is missing, unreadable or breaks the format's rules
   */
  public static Safetensors open(Path file) {
    FileErrors.requireFile(file);
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long fileBytes = channel.size();
      byte[] json = readHeader(file, channel, fileBytes);
      long dataOffset = Long.BYTES + (long) json.length;
      SafetensorsHeader header = SafetensorsHeader.parse(file, json, fileBytes - dataOffset);
      MemorySegment mapped = channel.map(MapMode.READ_ONLY, 0, fileBytes, arena);
      return new Safetensors(file, arena, mapped.asSlice(dataOffset), header);
    } catch (IOException e) {
      arena.close();
      throw FileErrors.reading(file, e);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  private static byte[] readHeader(Path file, FileChannel channel, long fileBytes)
      throws IOException {
    if (fileBytes < Long.BYTES) {
      throw new UserError(
          file + ": truncated: " + fileBytes + " bytes, too short for a safetensors file");
    }
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    readFully(file, channel, length, 0);
    long headerBytes = length.getLong(0);
    if (headerBytes < 0 || headerBytes > MAX_HEADER_BYTES) {
      throw new UserError(
          file
              + ": header length is "
              + Long.toUnsignedString(headerBytes)
              + ", expected at most "
              + MAX_HEADER_BYTES
              + ": not a safetensors file");
    }
    if (headerBytes > fileBytes - Long.BYTES) {
      throw new UserError(
          file
              + ": truncated: the header takes "
              + headerBytes
              + " bytes, the file has "
              + (fileBytes - Long.BYTES)
              + " left");
    }
    ByteBuffer json = ByteBuffer.allocate((int) headerBytes);
    readFully(file, channel, json, Long.BYTES);
    return json.array();
  }

  private static void readFully(Path file, FileChannel channel, ByteBuffer into, long position)
      throws IOException {
    while (into.hasRemaining()) {
      if (channel.read(into, position + into.position()) < 0) {
        throw new UserError(file + ": truncated while it was being read");
      }
    }
  }

  public Path file() {
    return file;
  }

  /** The free-form {@code __metadata__}, empty if there is none. */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(header.metadata());
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(header.tensors().keySet());
  }

  @Override
  public StoredTensor tensor(String name) {
    SafetensorsHeader.Entry entry = header.tensors().get(name);
    if (entry == null) {
      throw new UserError(file + ": tensor " + name + " is missing");
    }
    return new StoredTensor(
        file,
        name,
        entry.type().name(),
        entry.shape(),
        data.asSlice(entry.begin(), entry.end() - entry.begin()));
  }

  /** Unmaps the file; all its tensors become invalid. Closing twice is harmless. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
      AllocationTracker.closed(allocation);
    }
  }
}
