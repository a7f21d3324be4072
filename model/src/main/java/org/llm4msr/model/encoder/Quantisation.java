package org.llm4msr.model.encoder;

import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;

/** What weights become while a model is loaded. */
public enum Quantisation {
  /** Blocks of 8 bits, multiplied with activations in F32; for safetensors. */
  Q8_0(DType.Q8_0),
  /** Blocks of 4 bits, multiplied with activations in F32; for safetensors. */
  Q4_0(DType.Q4_0),
  /**
   * 8 bits with one scale for each output, multiplied with activations of 8 bits with one scale for
   * each token: the fastest form, for models of any kind and type. Lookup tables and output heads
   * stay as they are stored.
   */
  W8A8(null);

  private final DType stored;

  Quantisation(DType stored) {
    this.stored = stored;
  }

  /** The type that matrices are turned to, or null where they stay as they are until packed. */
  DType stored() {
    return stored;
  }

  /**
   * @throws UserError if the backend cannot compute {@link #W8A8}
   */
  static void requireInt8(Backend backend) {
    if (!backend.hasInt8Products()) {
      throw new UserError(
          "the "
              + backend.name()
              + " backend does not multiply 8-bit integers: use --device cpu, or quantise to"
              + " something else than w8a8");
    }
  }
}
