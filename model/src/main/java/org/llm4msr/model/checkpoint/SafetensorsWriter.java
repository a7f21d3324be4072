package org.llm4msr.model.checkpoint;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a safetensors file as a stream: the header first, from the tensors' declared shapes, then
 * their bytes in the declared order in pieces of any size. The file appears only at {@link
 * #commit}; closed before that, it leaves no trace.
 *
 * <p>The data part begins at a multiple of 64 bytes. Declare wider types before narrower ones and
 * every tensor is aligned to its element.
 */
public final class SafetensorsWriter implements AutoCloseable {
  /** A tensor to come; {@code dtype} must be unquantised. */
  public record Declaration(String name, DType dtype, Shape shape) {
    long byteSize() {
      return dtype.byteSize(shape.elements());
    }
  }

  private static final int ALIGNMENT = 64;
  // MemorySegment.asByteBuffer takes at most 2 GiB at once.
  private static final long PIECE_BYTES = 1 << 30;

  private final AtomicFile file;
  private final long dataBytes;
  private long written;

  private SafetensorsWriter(AtomicFile file, long dataBytes) {
    this.file = file;
    this.dataBytes = dataBytes;
  }

  /**
   * Begins a file and writes its header.
   *
   * @param metadata the free-form {@code __metadata__}
   * @throws UserError if the file cannot be written
   * @throws IllegalArgumentException if a name occurs twice or a type cannot be stored
   */
  public static SafetensorsWriter create(
      Path target, List<Declaration> tensors, Map<String, String> metadata) {
    byte[] header = header(tensors, metadata);
    long dataBytes = tensors.stream().mapToLong(Declaration::byteSize).sum();
    AtomicFile file = AtomicFile.create(target);
    try {
      file.write(ByteBuffer.wrap(header));
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
    return new SafetensorsWriter(file, dataBytes);
  }

  private static byte[] header(List<Declaration> tensors, Map<String, String> metadata) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    if (!metadata.isEmpty()) {
      ObjectNode node = root.putObject("__metadata__");
      metadata.forEach(node::put);
    }
    Set<String> names = new HashSet<>(Set.of("__metadata__"));
    long offset = 0;
    for (Declaration tensor : tensors) {
      StoredType type = StoredType.of(tensor.dtype);
      if (type == null || !names.add(tensor.name)) {
        throw new IllegalArgumentException(
            "tensor " + tensor.name + " " + tensor.dtype + ": name taken or type not storable");
      }
      long end = Math.addExact(offset, tensor.byteSize());
      ObjectNode node = root.putObject(tensor.name).put("dtype", type.name());
      ArrayNode shape = node.putArray("shape");
      for (long extent : tensor.shape.toArray()) {
        shape.add(extent);
      }
      node.putArray("data_offsets").add(offset).add(end);
      offset = end;
    }
    byte[] json = JsonMapper.shared().writeValueAsString(root).getBytes(StandardCharsets.UTF_8);
    int total = Math.ceilDiv(Long.BYTES + json.length, ALIGNMENT) * ALIGNMENT;
    int headerBytes = total - Long.BYTES;
    if (headerBytes > Safetensors.MAX_HEADER_BYTES) {
      throw new IllegalArgumentException(
          "the header takes " + headerBytes + " bytes, the format allows 100 MB");
    }
    ByteBuffer bytes = ByteBuffer.allocate(total).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(headerBytes).put(json);
    while (bytes.hasRemaining()) {
      bytes.put((byte) ' ');
    }
    return bytes.array();
  }

  /**
   * Appends bytes of the tensors, little-endian, in the declared order.
   *
   * @throws UserError if the disk is full, for example
   * @throws IllegalStateException if that is more than was declared
   */
  public void write(MemorySegment bytes) {
    if (bytes.byteSize() > dataBytes - written) {
      throw new IllegalStateException(
          "more bytes than the " + dataBytes + " that the header declares");
    }
    for (long from = 0; from < bytes.byteSize(); from += PIECE_BYTES) {
      long length = Math.min(PIECE_BYTES, bytes.byteSize() - from);
      file.write(bytes.asSlice(from, length).asByteBuffer());
    }
    written += bytes.byteSize();
  }

  /**
   * Puts the finished file in its place.
   *
   * @throws UserError if that fails
   * @throws IllegalStateException if bytes are missing
   */
  public void commit() {
    if (written != dataBytes) {
      throw new IllegalStateException(written + " of " + dataBytes + " bytes written");
    }
    file.commit();
  }

  @Override
  public void close() {
    file.close();
  }
}
