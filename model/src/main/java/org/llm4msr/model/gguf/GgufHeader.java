package org.llm4msr.model.gguf;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.gguf.GgufValue.Scalar;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;

/**
 * Metadata and the list of tensors, all checked against the file's size.
 *
 * @param metadata by key, in the file's order
 * @param tensors by name, in the file's order
 */
record GgufHeader(Map<String, GgufValue> metadata, Map<String, Entry> tensors) {
  /** "GGUF". */
  static final int MAGIC = 0x46554747;

  private static final int MAX_RANK = 4;
  private static final int MAX_NAME_BYTES = 65_535;
  private static final int MAX_TEXT_BYTES = 16 << 20;
  private static final long DEFAULT_ALIGNMENT = 32;
  private static final long MAX_ALIGNMENT = 1 << 20;

  /** A tensor; {@code begin} counts from the file's first byte. */
  record Entry(String name, DType type, Shape shape, long begin, long bytes) {}

  /**
   * @throws UserError if the file breaks the format's rules
   */
  static GgufHeader parse(Path file, MemorySegment bytes) {
    return new Reader(new GgufCursor(file, bytes, 0), bytes.byteSize()).read();
  }

  private record Reader(GgufCursor cursor, long fileBytes) {
    GgufHeader read() {
      if (cursor.readInt("the magic number") != MAGIC) {
        throw cursor.malformed("does not begin with GGUF: not a GGUF file");
      }
      int version = cursor.readInt("the version");
      if ((version & 0xffff) == 0) {
        throw cursor.malformed("is big-endian, expected a little-endian GGUF file");
      }
      if (version != 2 && version != 3) {
        throw cursor.malformed(
            "is GGUF version " + Integer.toUnsignedString(version) + ", supported are 2 and 3");
      }
      // A tensor takes a name's length, its rank, a type and an offset; a key a length and a type.
      long tensorCount = cursor.readCount("tensors", 8 + 4 + 4 + 8);
      long keyCount = cursor.readCount("metadata keys", 8 + 4 + 1);
      Map<String, GgufValue> metadata = new LinkedHashMap<>();
      for (long i = 0; i < keyCount; i++) {
        String key = cursor.readString("a metadata key", MAX_NAME_BYTES);
        GgufValue value = readValue(key, cursor.readInt("the type of " + key));
        if (metadata.put(key, value) != null) {
          throw cursor.malformed("the metadata key " + key + " is there twice");
        }
      }
      return new GgufHeader(metadata, readTensors(tensorCount, alignment(metadata)));
    }

    private GgufValue readValue(String key, int typeNumber) {
      Scalar type = scalar(key, typeNumber);
      return switch (type) {
        case UINT8 -> new GgufValue.Whole(cursor.readByte(key) & 0xff);
        case INT8 -> new GgufValue.Whole(cursor.readByte(key));
        case UINT16 -> new GgufValue.Whole(cursor.readShort(key) & 0xffff);
        case INT16 -> new GgufValue.Whole(cursor.readShort(key));
        case UINT32 -> new GgufValue.Whole(Integer.toUnsignedLong(cursor.readInt(key)));
        case INT32 -> new GgufValue.Whole(cursor.readInt(key));
        case UINT64 -> {
          long value = cursor.readLong(key);
          if (value < 0) {
            throw cursor.malformed(
                "metadata " + key + " is " + Long.toUnsignedString(value) + ": too large");
          }
          yield new GgufValue.Whole(value);
        }
        case INT64 -> new GgufValue.Whole(cursor.readLong(key));
        case FLOAT32 -> new GgufValue.Real(Float.intBitsToFloat(cursor.readInt(key)));
        case FLOAT64 -> new GgufValue.Real(Double.longBitsToDouble(cursor.readLong(key)));
        case BOOL -> new GgufValue.Flag(readFlag(key));
        case STRING -> new GgufValue.Text(cursor.readString("metadata " + key, MAX_TEXT_BYTES));
        case ARRAY -> readArray(key);
      };
    }

    private Scalar scalar(String key, int number) {
      Scalar type = Scalar.of(number);
      if (type == null) {
        throw cursor.malformed(
            "metadata " + key + " has the unknown type " + Integer.toUnsignedString(number));
      }
      return type;
    }

    private boolean readFlag(String key) {
      int value = cursor.readByte(key);
      if (value != 0 && value != 1) {
        throw cursor.malformed("metadata " + key + " is " + value + ", expected 0 or 1");
      }
      return value == 1;
    }

    private GgufValue readArray(String key) {
      String what = "elements of " + key;
      Scalar type = scalar(key, cursor.readInt("the type of " + what));
      if (type == Scalar.ARRAY) {
        throw cursor.malformed("metadata " + key + " is an array of arrays: not supported");
      }
      long count = cursor.readCount(what, type == Scalar.STRING ? 8 : type.bytes());
      GgufValue.Array array = new GgufValue.Array(type, count, cursor.position());
      if (type == Scalar.STRING) {
        for (long i = 0; i < count; i++) {
          cursor.skipString(what);
        }
      } else {
        cursor.skip(count * type.bytes(), what);
      }
      return array;
    }

    private long alignment(Map<String, GgufValue> metadata) {
      GgufValue value = metadata.get("general.alignment");
      if (value == null) {
        return DEFAULT_ALIGNMENT;
      }
      if (value instanceof GgufValue.Whole(long alignment)
          && alignment >= 1
          && alignment <= MAX_ALIGNMENT
          && Long.bitCount(alignment) == 1) {
        return alignment;
      }
      throw cursor.malformed(
          "general.alignment is "
              + (value instanceof GgufValue.Whole(long alignment) ? alignment : "not a number")
              + ", expected a power of two up to "
              + MAX_ALIGNMENT);
    }

    private Map<String, Entry> readTensors(long count, long alignment) {
      List<Entry> relative = new ArrayList<>();
      for (long i = 0; i < count; i++) {
        relative.add(readTensor(alignment));
      }
      long data = Math.ceilDiv(cursor.position(), alignment) * alignment;
      Map<String, Entry> tensors = new LinkedHashMap<>();
      for (Entry entry : relative) {
        if (entry.bytes > fileBytes - data || entry.begin > fileBytes - data - entry.bytes) {
          throw cursor.malformed(
              "truncated: tensor "
                  + entry.name
                  + " takes "
                  + entry.bytes
                  + " bytes from "
                  + entry.begin
                  + " on, the file holds "
                  + Math.max(0, fileBytes - data)
                  + " bytes of data");
        }
        Entry absolute =
            new Entry(entry.name, entry.type, entry.shape, data + entry.begin, entry.bytes);
        if (tensors.put(entry.name, absolute) != null) {
          throw cursor.malformed("the tensor " + entry.name + " is there twice");
        }
      }
      requireDisjoint(tensors);
      return tensors;
    }

    private Entry readTensor(long alignment) {
      String name = cursor.readString("a tensor's name", MAX_NAME_BYTES);
      String what = "tensor " + name;
      int rank = cursor.readInt(what);
      if (rank < 1 || rank > MAX_RANK) {
        throw cursor.malformed(
            what + " has " + Integer.toUnsignedString(rank) + " dimensions, expected 1 to 4");
      }
      // The format lists the fastest dimension first.
      long[] extents = new long[rank];
      for (int axis = rank - 1; axis >= 0; axis--) {
        extents[axis] = cursor.readLong(what);
      }
      int typeNumber = cursor.readInt(what);
      long offset = cursor.readLong(what);
      DType type = GgufType.of(typeNumber);
      if (type == null) {
        throw cursor.malformed(
            what
                + " is of type "
                + GgufType.name(typeNumber)
                + ", supported are "
                + GgufType.supported());
      }
      Shape shape;
      long bytes;
      try {
        shape = Shape.of(extents);
        bytes = type.byteSize(shape.elements());
      } catch (ArithmeticException | IllegalArgumentException e) {
        throw cursor.malformed(what + " has the impossible shape " + Arrays.toString(extents));
      }
      if (shape.elements() == 0 || extents[rank - 1] % type.blockSize() != 0) {
        throw cursor.malformed(
            what
                + " has the shape "
                + shape
                + ", expected rows of whole blocks of "
                + type.blockSize()
                + " for "
                + type);
      }
      if (offset < 0 || offset % alignment != 0) {
        throw cursor.malformed(
            what
                + " begins at "
                + Long.toUnsignedString(offset)
                + ", expected a multiple of the alignment, "
                + alignment);
      }
      return new Entry(name, type, shape, offset, bytes);
    }

    private void requireDisjoint(Map<String, Entry> tensors) {
      List<Entry> byOffset =
          tensors.values().stream().sorted(Comparator.comparingLong(Entry::begin)).toList();
      for (int i = 1; i < byOffset.size(); i++) {
        Entry before = byOffset.get(i - 1);
        if (byOffset.get(i).begin < before.begin + before.bytes) {
          throw cursor.malformed(
              "tensor " + byOffset.get(i).name + " overlaps tensor " + before.name);
        }
      }
    }
  }
}
