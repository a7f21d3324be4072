package org.llm4msr.model.encoder;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.llm4msr.runtime.UserError;

/** What happens to a pooled vector, F32 {@code [width]}, before it is handed out. */
final class Vectors {
  private Vectors() {}

  /** Divides by the Euclidean length; a zero vector stays. */
  static void scaleToOne(MemorySegment vector) {
    long width = vector.byteSize() / Float.BYTES;
    double sum = 0;
    for (long i = 0; i < width; i++) {
      double element = vector.getAtIndex(JAVA_FLOAT, i);
      sum += element * element;
    }
    double scale = sum == 0 ? 0 : 1 / Math.sqrt(sum);
    for (long i = 0; i < width; i++) {
      float element = vector.getAtIndex(JAVA_FLOAT, i);
      vector.setAtIndex(JAVA_FLOAT, i, (float) (element * scale));
    }
  }

  /**
   * @param model named in the message
   * @throws UserError if an element is infinite or not a number
   */
  static void requireFinite(MemorySegment vector, Path model) {
    for (long i = 0; i < vector.byteSize() / Float.BYTES; i++) {
      if (!Float.isFinite(vector.getAtIndex(JAVA_FLOAT, i))) {
        throw new UserError(
            model
                + ": the model gives numbers that are not finite: its weights are damaged or"
                + " overflow single precision");
      }
    }
  }
}
