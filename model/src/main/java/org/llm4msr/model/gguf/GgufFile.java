package org.llm4msr.model.gguf;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.Set;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.checkpoint.StoredTensor;
import org.llm4msr.model.checkpoint.TensorSource;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

/**
 * One open GGUF file of version 2 or 3. It is memory-mapped and never copied; it must not be
 * truncated while it is open.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">the format</a>
 */
public final class GgufFile implements TensorSource, AutoCloseable {
  private final Path file;
  private final Arena arena;
  private final MemorySegment bytes;
  private final GgufHeader header;
  private final GgufMetadata metadata;
  private final AllocationTracker.Entry allocation;

  private GgufFile(Path file, Arena arena, MemorySegment bytes, GgufHeader header) {
    this.file = file;
    this.arena = arena;
    this.bytes = bytes;
    this.header = header;
    this.metadata = new GgufMetadata(file, bytes, header.metadata());
    // The pages belong to the system's file cache, so no bytes are counted, only the open file.
    this.allocation = AllocationTracker.opened("mapped file " + file, 0);
  }

  /** Whether a path names a GGUF file, by its name or its first bytes. */
  public static boolean isGguf(Path path) {
    if (!Files.isRegularFile(path)) {
      return false;
    }
    if (path.toString().endsWith(".gguf")) {
      return true;
    }
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      ByteBuffer magic = ByteBuffer.allocate(Integer.BYTES);
      return channel.read(magic, 0) == Integer.BYTES
          && magic.order(ByteOrder.LITTLE_ENDIAN).getInt(0) == GgufHeader.MAGIC;
    } catch (IOException e) {
      throw FileErrors.reading(path, e);
    }
  }

  /**
   * Maps a file and checks its header.
   *
   * @throws UserError if it is missing, unreadable or breaks the format's rules
   */
  public static GgufFile open(Path file) {
    FileErrors.requireFile(file);
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      MemorySegment bytes = channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
      return new GgufFile(file, arena, bytes, GgufHeader.parse(file, bytes));
    } catch (IOException e) {
      arena.close();
      throw FileErrors.reading(file, e);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  public Path file() {
    return file;
  }

  /** Everything but the tensors. */
  public GgufMetadata metadata() {
    return metadata;
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(header.tensors().keySet());
  }

  @Override
  public StoredTensor tensor(String name) {
    GgufHeader.Entry entry = header.tensors().get(name);
    if (entry == null) {
      throw new UserError(file + ": tensor " + name + " is missing");
    }
    return new StoredTensor(
        file,
        name,
        entry.type().name(),
        entry.shape(),
        bytes.asSlice(entry.begin(), entry.bytes()));
  }

  /** A small tensor of real numbers, such as a norm, widened. */
  double[] numbers(String name) {
    StoredTensor tensor = tensor(name);
    double[] numbers = new double[Math.toIntExact(tensor.shape().elements())];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = tensor.dtype().get(tensor.data(), i);
    }
    return numbers;
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
