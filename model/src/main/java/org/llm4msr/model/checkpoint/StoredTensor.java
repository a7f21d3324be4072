package org.llm4msr.model.checkpoint;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;

/**
 * One tensor of an open file.
 *
 * @param file where it lies, for messages
 * @param type element type as stored: a safetensors name, or in GGUF files that of a {@link DType}
 * @param shape row-major
 * @param data its bytes in the memory-mapped file, not necessarily aligned; valid until the file is
 *     closed
 */
public record StoredTensor(Path file, String name, String type, Shape shape, MemorySegment data) {

  /**
   * The engine's element type.
   *
   * @throws UserError if the engine has no such type
   */
  public DType dtype() {
    StoredType stored = StoredType.named(type);
    if (stored == null) {
      // Quantised, as only GGUF stores them.
      return DType.valueOf(type);
    }
    if (stored.dtype() == null) {
      throw new UserError(
          where() + ": element type " + type + " is not supported, expected F32, F16 or BF16");
    }
    return stored.dtype();
  }

  /**
   * This tensor, if its shape is the one expected.
   *
   * @param reason what demands the shape, for the message
   * @throws UserError if the shape differs
   */
  public StoredTensor withShape(Shape expected, String reason) {
    if (!shape.equals(expected)) {
      throw new UserError(
          where() + ": shape is " + shape + ", expected " + expected + " (" + reason + ")");
    }
    return this;
  }

  /** File and tensor, the beginning of a message about it. */
  public String where() {
    return file + ": tensor " + FileErrors.printable(name);
  }
}
