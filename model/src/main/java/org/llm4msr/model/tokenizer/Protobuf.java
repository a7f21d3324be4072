package org.llm4msr.model.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.llm4msr.runtime.UserError;

/** The little of Protocol Buffers that the format needs. */
final class Protobuf {
  private final String where;
  private final byte[] bytes;
  private final int end;
  private int position;
  private int field;
  private int wireType;
  private long number;
  private int begin;

  Protobuf(String where, byte[] bytes) {
    this(where, bytes, 0, bytes.length);
  }

  private Protobuf(String where, byte[] bytes, int begin, int end) {
    this.where = where;
    this.bytes = bytes;
    this.position = begin;
    this.end = end;
  }

  /** Reads the next field; false at the end. */
  boolean next() {
    if (position == end) {
      return false;
    }
    long tag = varint();
    field = (int) (tag >>> 3);
    wireType = (int) tag & 7;
    if (tag >>> 3 == 0 || tag >>> 3 > (1 << 29) - 1) {
      throw malformed();
    }
    switch (wireType) {
      case 0 -> number = varint();
      case 1 -> skip(8);
      case 2 -> skip(varint());
      case 5 -> skip(4);
      default -> throw malformed();
    }
    return true;
  }

  private void skip(long count) {
    if (count < 0 || count > end - position) {
      throw malformed();
    }
    begin = position;
    position += (int) count;
  }

  private long varint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (position == end) {
        throw malformed();
      }
      byte next = bytes[position++];
      value |= (long) (next & 0x7f) << shift;
      if (next >= 0) {
        return value;
      }
    }
    throw malformed();
  }

  private UserError malformed() {
    return new UserError(where + ": broken at byte " + position + ": not a SentencePiece model");
  }

  private void require(int expected) {
    if (wireType != expected) {
      throw malformed();
    }
  }

  int field() {
    return field;
  }

  long number() {
    require(0);
    return number;
  }

  int length() {
    require(2);
    return position - begin;
  }

  Protobuf message() {
    require(2);
    return new Protobuf(where, bytes, begin, position);
  }

  float real() {
    require(5);
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getFloat(begin);
  }

  String text() {
    require(2);
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(bytes, begin, position - begin))
          .toString();
    } catch (CharacterCodingException e) {
      throw malformed();
    }
  }

  /** Writes fields one after another. */
  static final class Writer {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private void raw(long value) {
      long rest = value;
      while ((rest & ~0x7fL) != 0) {
        out.write((int) (rest & 0x7f | 0x80));
        rest >>>= 7;
      }
      out.write((int) rest);
    }

    void varint(int field, long value) {
      raw((long) field << 3);
      raw(value);
    }

    void bytes(int field, byte[] value) {
      raw((long) field << 3 | 2);
      raw(value.length);
      out.writeBytes(value);
    }

    void fixed32(int field, float value) {
      raw((long) field << 3 | 5);
      int bits = Float.floatToRawIntBits(value);
      for (int i = 0; i < 4; i++) {
        out.write(bits >>> 8 * i);
      }
    }

    byte[] toByteArray() {
      return out.toByteArray();
    }
  }
}
