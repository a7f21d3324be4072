package org.llm4msr.bindings.cpu;

/** Element types of weights and tables; kernels widen them to F32. Ordinals as in l4m.h. */
public enum StoredType {
  F32(4),
  BF16(2),
  F16(2);

  private final int bytes;

  StoredType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }
}
