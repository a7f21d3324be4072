package org.llm4msr.model.knowledge;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.foreign.ValueLayout.OfLong;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * Identifies a prompt by its tokens: the first 128 bits of the SHA-256 of the ids, each as a
 * little-endian 32-bit integer. Hashing tokens rather than text also notices another tokenizer.
 */
public record PromptHash(long first, long second) {
  /** Name of the above for a file's metadata. */
  static final String ALGORITHM = "sha256-128 of token ids as int32le";

  static final int BYTES = 16;

  private static final OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  public static PromptHash of(int[] tokens) {
    ByteBuffer bytes =
        ByteBuffer.allocate(Math.multiplyExact(tokens.length, Integer.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    bytes.asIntBuffer().put(tokens);
    byte[] digest;
    try {
      digest = MessageDigest.getInstance("SHA-256").digest(bytes.array());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
    return read(MemorySegment.ofArray(digest), 0);
  }

  static PromptHash read(MemorySegment from, long byteOffset) {
    return new PromptHash(from.get(LONG, byteOffset), from.get(LONG, byteOffset + Long.BYTES));
  }

  /** 32 hexadecimal digits. */
  public String hex() {
    return String.format("%016x%016x", first, second);
  }

  void write(MemorySegment to, long byteOffset) {
    to.set(LONG, byteOffset, first);
    to.set(LONG, byteOffset + Long.BYTES, second);
  }
}
