package org.llm4msr.model.gguf;

/** What a metadata key holds. */
sealed interface GgufValue {
  /** Scalar types of the format, by number. */
  enum Scalar {
    UINT8(1),
    INT8(1),
    UINT16(2),
    INT16(2),
    UINT32(4),
    INT32(4),
    FLOAT32(4),
    BOOL(1),
    STRING(-1),
    /** An array; those in arrays are refused. */
    ARRAY(-1),
    UINT64(8),
    INT64(8),
    FLOAT64(8);

    private static final Scalar[] ALL = values();
    private final int bytes;

    Scalar(int bytes) {
      this.bytes = bytes;
    }

    /** Bytes of one value, or -1 where that varies. */
    int bytes() {
      return bytes;
    }

    /** The type of this number, or null. */
    static Scalar of(int number) {
      return number < 0 || number >= ALL.length ? null : ALL[number];
    }
  }

  /** Any integer; UINT64 above 2^63 is refused when it is read. */
  record Whole(long value) implements GgufValue {}

  /** FLOAT32 or FLOAT64. */
  record Real(double value) implements GgufValue {}

  /** BOOL. */
  record Flag(boolean value) implements GgufValue {}

  /** STRING. */
  record Text(String value) implements GgufValue {}

  /**
   * An array, which stays in the file until it is asked for: vocabularies are long.
   *
   * @param begin where its first element lies in the file
   */
  record Array(Scalar elementType, long count, long begin) implements GgufValue {}
}
