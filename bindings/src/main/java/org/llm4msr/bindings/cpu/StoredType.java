package org.llm4msr.bindings.cpu;

/**
 * Element types of weights and tables; kernels widen them to F32. Quantised types are laid out as
 * in GGUF. Ordinals as in l4m.h.
 */
public enum StoredType {
  F32(1, 4),
  BF16(1, 2),
  F16(1, 2),
  Q8_0(32, 34),
  Q4_0(32, 18),
  Q4_1(32, 20),
  Q5_0(32, 22),
  Q5_1(32, 24),
  Q2_K(256, 84),
  Q3_K(256, 110),
  Q4_K(256, 144),
  Q5_K(256, 176),
  Q6_K(256, 210),
  IQ4_NL(32, 18),
  IQ4_XS(256, 136);

  private final int blockSize;
  private final int blockBytes;

  StoredType(int blockSize, int blockBytes) {
    this.blockSize = blockSize;
    this.blockBytes = blockBytes;
  }

  /** Elements of a block, 1 unless quantised. */
  public int blockSize() {
    return blockSize;
  }

  /** Bytes of a block. */
  public int blockBytes() {
    return blockBytes;
  }
}
