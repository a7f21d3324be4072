package org.llm4msr.model.checkpoint;

import org.llm4msr.runtime.DType;

/** Element types that a safetensors header may name. */
enum StoredType {
  BOOL(8, null),
  F4(4, null),
  F6_E2M3(6, null),
  F6_E3M2(6, null),
  U8(8, DType.U8),
  I8(8, null),
  F8_E5M2(8, null),
  F8_E4M3(8, null),
  F8_E8M0(8, null),
  I16(16, null),
  U16(16, null),
  F16(16, DType.F16),
  BF16(16, DType.BF16),
  I32(32, DType.I32),
  U32(32, null),
  F32(32, DType.F32),
  C64(64, null),
  F64(64, DType.F64),
  I64(64, DType.I64),
  U64(64, null);

  private final int bits;
  private final DType dtype;

  StoredType(int bits, DType dtype) {
    this.bits = bits;
    this.dtype = dtype;
  }

  /** Bits of one element; only whole bytes of a tensor are ever stored. */
  int bits() {
    return bits;
  }

  /** The engine's type, or null if it has none. */
  DType dtype() {
    return dtype;
  }

  /** The type of this name, or null. */
  static StoredType named(String name) {
    for (StoredType type : values()) {
      if (type.name().equals(name)) {
        return type;
      }
    }
    return null;
  }

  /** The stored form of an engine type, or null if safetensors has none. */
  static StoredType of(DType dtype) {
    for (StoredType type : values()) {
      if (type.dtype == dtype) {
        return type;
      }
    }
    return null;
  }
}
