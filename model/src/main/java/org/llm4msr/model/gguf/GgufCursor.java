package org.llm4msr.model.gguf;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.runtime.UserError;

/** Walks through a file's bytes; every step is checked against its end. */
final class GgufCursor {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final MemorySegment bytes;
  private long position;

  GgufCursor(Path file, MemorySegment bytes, long position) {
    this.file = file;
    this.bytes = bytes;
    this.position = position;
  }

  long position() {
    return position;
  }

  long remaining() {
    return bytes.byteSize() - position;
  }

  UserError malformed(String problem) {
    return new UserError(file + ": " + FileErrors.printable(problem));
  }

  /** Steps over {@code count} bytes and returns where they begin. */
  long skip(long count, String what) {
    if (count < 0 || count > remaining()) {
      throw malformed(
          "truncated: "
              + what
              + " takes "
              + Long.toUnsignedString(count)
              + " bytes, the file has "
              + remaining()
              + " left");
    }
    long begin = position;
    position += count;
    return begin;
  }

  int readByte(String what) {
    return bytes.get(ValueLayout.JAVA_BYTE, skip(1, what));
  }

  short readShort(String what) {
    return bytes.get(SHORT, skip(2, what));
  }

  int readInt(String what) {
    return bytes.get(INT, skip(4, what));
  }

  long readLong(String what) {
    return bytes.get(LONG, skip(8, what));
  }

  /**
   * A count of things that take at least {@code leastBytes} each: more than the rest of the file
   * could hold is refused before anything is allocated for them.
   */
  long readCount(String what, long leastBytes) {
    long count = readLong("the number of " + what);
    if (count < 0 || count > remaining() / leastBytes) {
      throw malformed(
          "promises "
              + Long.toUnsignedString(count)
              + " "
              + what
              + ", more than its "
              + remaining()
              + " remaining bytes can hold");
    }
    return count;
  }

  /** A length and as many bytes of UTF-8. */
  String readString(String what, long mostBytes) {
    long length = readLong("the length of " + what);
    if (length < 0 || length > mostBytes) {
      throw malformed(
          what
              + " is "
              + Long.toUnsignedString(length)
              + " bytes long, expected at most "
              + mostBytes);
    }
    byte[] utf8 = new byte[(int) checkedLength(length, what)];
    MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, skip(length, what), utf8, 0, utf8.length);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
    } catch (CharacterCodingException e) {
      throw malformed(what + " is not valid UTF-8");
    }
  }

  /** Nothing is allocated for a string that the file cannot hold. */
  private long checkedLength(long length, String what) {
    if (length > remaining()) {
      skip(length, what);
    }
    return length;
  }

  /** Steps over a string. */
  void skipString(String what) {
    skip(readLong("the length of " + what), what);
  }
}
