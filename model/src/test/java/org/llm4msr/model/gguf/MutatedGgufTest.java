package org.llm4msr.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.llm4msr.model.ScratchFolder;
import org.llm4msr.model.tokenizer.Tokenizer;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

/**
 * However a GGUF file is broken, reading it ends in a {@link UserError} or in tensors inside the
 * file. jqwik prints the seed of a failure, and changes are drawn from its numbers.
 */
class MutatedGgufTest {
  /** What hostile headers hold. */
  private static final long[] EXTREMES = {
    0, 1, -1, 31, 33, 255, 1L << 31, 1L << 32, 1L << 60, 1L << 62, Long.MAX_VALUE, Long.MIN_VALUE
  };

  private static Path folder;

  @BeforeContainer
  static void createFolder() throws IOException {
    folder = ScratchFolder.create();
  }

  @AfterContainer
  static void deleteFolder() throws IOException {
    ScratchFolder.delete(folder);
  }

  /** A llama of one layer with a vocabulary, small enough that most changes hit its header. */
  private static GgufFiles small() {
    GgufFiles file =
        new GgufFiles()
            .text("general.architecture", "llama")
            .count("general.alignment", 32)
            .count("llama.block_count", 1)
            .count("llama.context_length", 16)
            .count("llama.embedding_length", 4)
            .count("llama.feed_forward_length", 4)
            .count("llama.attention.head_count", 2)
            .real("llama.attention.layer_norm_rms_epsilon", 1e-5)
            .text("tokenizer.ggml.model", "llama")
            .texts("tokenizer.ggml.tokens", "<unk>", "<s>", "</s>", "a", "b", "ab", "\u2581")
            .reals("tokenizer.ggml.scores", 0, 0, 0, -3, -2, -1, -4)
            .wholes("tokenizer.ggml.token_type", 2, 3, 3, 1, 1, 1, 1)
            .count("tokenizer.ggml.bos_token_id", 1)
            .flag("tokenizer.ggml.add_bos_token", true);
    file.tensor("token_embd.weight", new float[28], 7, 4);
    file.tensor("output_norm.weight", new float[4], 4);
    for (String name : List.of("attn_q", "attn_k", "attn_v", "attn_output")) {
      file.tensor("blk.0." + name + ".weight", new float[16], 4, 4);
    }
    for (String name : List.of("ffn_gate", "ffn_up", "ffn_down")) {
      file.tensor("blk.0." + name + ".weight", new float[16], 4, 4);
    }
    file.tensor("blk.0.attn_norm.weight", new float[4], 4);
    return file.tensor("blk.0.ffn_norm.weight", new float[4], 4);
  }

  private static final byte[] SMALL = small().build();

  @Example
  void theFileItselfOpens() throws IOException {
    assertThat(opensOrRefuses(SMALL)).isTrue();
    try (GgufFile file = GgufFile.open(write(SMALL))) {
      assertThat(GgufConfig.read(file).vocabularySize()).isEqualTo(7);
      assertThat(file.tensor("token_embd.weight").shape().toArray()).containsExactly(7, 4);
      try (Tokenizer tokenizer = GgufTokenizer.open(file)) {
        assertThat(tokenizer.encode("ab")).containsExactly(1, 6, 5);
      }
    }
  }

  @Property(tries = 900)
  void changedBytes(@ForAll long seed) throws IOException {
    Random random = new Random(seed);
    byte[] bytes = SMALL.clone();
    for (int i = random.nextInt(4); i >= 0; i--) {
      bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
    }
    opensOrRefuses(bytes);
  }

  /** Extreme numbers anywhere, aligned or not: counts, lengths, types, extents, offsets. */
  @Property(tries = 900)
  void changedNumbers(@ForAll long seed) throws IOException {
    Random random = new Random(seed);
    ByteBuffer bytes = ByteBuffer.wrap(SMALL.clone()).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = random.nextInt(2); i >= 0; i--) {
      int at = random.nextInt(bytes.capacity() - 8);
      long value = EXTREMES[random.nextInt(EXTREMES.length)];
      if (random.nextBoolean()) {
        bytes.putLong(at, value);
      } else {
        bytes.putInt(at, (int) value);
      }
    }
    opensOrRefuses(bytes.array());
  }

  @Property(tries = 300)
  void truncatedFiles(@ForAll @IntRange(max = 100_000) int length) throws IOException {
    int bytes = length % SMALL.length;
    // Only the padding behind the last tensor, of four floats, may be missing.
    boolean complete = bytes >= SMALL.length - 16;
    assertThat(opensOrRefuses(Arrays.copyOf(SMALL, bytes))).isEqualTo(complete);
  }

  /** Pieces of the file cut out, repeated or moved. */
  @Property(tries = 400)
  void splicedFiles(@ForAll long seed) throws IOException {
    Random random = new Random(seed);
    int from = random.nextInt(SMALL.length);
    int count = random.nextInt(1 + Math.min(64, SMALL.length - from));
    int at = random.nextInt(SMALL.length);
    ByteBuffer bytes = ByteBuffer.allocate(SMALL.length + count);
    bytes.put(SMALL, 0, at).put(SMALL, from, count).put(SMALL, at, SMALL.length - at);
    opensOrRefuses(Arrays.copyOf(bytes.array(), SMALL.length + (random.nextBoolean() ? count : 0)));
  }

  private static Path write(byte[] bytes) throws IOException {
    return Files.write(folder.resolve("m.gguf"), bytes);
  }

  /** Whether the file opened, its tensors, config and vocabulary included. */
  private static boolean opensOrRefuses(byte[] bytes) throws IOException {
    Path path = write(bytes);
    int openBefore = AllocationTracker.open().size();
    try (GgufFile file = GgufFile.open(path)) {
      for (String name : file.names()) {
        MemorySegment data = file.tensor(name).data();
        assertThat(data.byteSize()).isLessThan(bytes.length);
        data.toArray(ValueLayout.JAVA_BYTE);
      }
      GgufConfig.read(file);
      try (Tokenizer tokenizer = GgufTokenizer.open(file)) {
        tokenizer.decode(tokenizer.encode("ab ba c\u00e9"));
      }
      return true;
    } catch (UserError e) {
      assertThat(e).hasMessageStartingWith(path.toString());
      assertThat(e.getMessage()).doesNotContain("\n").hasSizeLessThan(2_000);
      return false;
    } finally {
      assertThat(AllocationTracker.open()).hasSize(openBefore);
    }
  }

  private static ByteBuffer header(long tensors, long keys) {
    ByteBuffer bytes = ByteBuffer.allocate(400).order(ByteOrder.LITTLE_ENDIAN);
    return bytes.putInt(GgufHeader.MAGIC).putInt(3).putLong(tensors).putLong(keys);
  }

  private static void text(ByteBuffer bytes, String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    bytes.putLong(utf8.length).put(utf8);
  }

  private static void refused(ByteBuffer bytes, String message) throws IOException {
    Path path = write(bytes.array());
    assertThatThrownBy(() -> GgufFile.open(path).close())
        .isInstanceOf(UserError.class)
        .hasMessageContaining(message)
        .hasMessageNotContaining("\n");
  }

  private static ByteBuffer tensor(
      ByteBuffer bytes, String name, int type, long offset, long... d) {
    text(bytes, name);
    bytes.putInt(d.length);
    for (long extent : d) {
      bytes.putLong(extent);
    }
    return bytes.putInt(type).putLong(offset);
  }

  @Example
  void refusesPromisesThatTheFileCannotKeep() throws IOException {
    refused(header(1L << 60, 0), "promises 1152921504606846976 tensors");
    refused(header(0, -1), "promises 18446744073709551615 metadata keys");
    ByteBuffer array = header(0, 1);
    text(array, "a");
    array.putInt(9).putInt(4).putLong(1L << 60);
    refused(array, "elements of a");
    ByteBuffer nested = header(0, 1);
    text(nested, "a");
    nested.putInt(9).putInt(9).putLong(1);
    refused(nested, "an array of arrays");
    ByteBuffer huge = header(0, 1);
    text(huge, "a");
    huge.putInt(8).putLong(1L << 40);
    refused(huge, "metadata a is 1099511627776 bytes long");
    ByteBuffer twice = header(0, 2);
    for (int i = 0; i < 2; i++) {
      text(twice, "a");
      twice.putInt(7).put((byte) 1);
    }
    refused(twice, "the metadata key a is there twice");
    ByteBuffer alignment = header(0, 1);
    text(alignment, "general.alignment");
    alignment.putInt(4).putInt(24);
    refused(alignment, "general.alignment is 24");
  }

  @Example
  void refusesTensorsThatCannotBe() throws IOException {
    refused(tensor(header(1, 0), "t", 0, 0, 1L << 60), "impossible shape");
    refused(tensor(header(1, 0), "t", 0, 0, 1L << 31, 1L << 31, 1L << 31), "impossible shape");
    refused(tensor(header(1, 0), "t", 0, 0, -4), "impossible shape");
    refused(tensor(header(1, 0), "t", 0, 0, 1 << 20), "truncated: tensor t takes 4194304 bytes");
    refused(tensor(header(1, 0), "t", 8, 0, 20), "impossible shape");
    refused(tensor(header(1, 0), "t", 16, 0, 256), "type IQ2_XXS");
    refused(tensor(header(1, 0), "t", 99, 0, 256), "type number 99");
    refused(tensor(header(1, 0), "t", 0, 7, 4), "begins at 7");
    refused(tensor(header(1, 0), "t", 0, Long.MAX_VALUE - 31, 4), "truncated: tensor t");
    refused(tensor(header(1, 0), "t", 0, 0, 1, 1, 1, 1, 1), "5 dimensions");
    refused(
        tensor(tensor(header(2, 0), "a", 0, 0, 16), "b", 0, 32, 4), "tensor b overlaps tensor a");
    refused(
        tensor(tensor(header(2, 0), "a", 0, 0, 4), "a", 0, 32, 4), "the tensor a is there twice");
    ByteBuffer old = header(0, 0);
    old.putInt(4, 1);
    refused(old, "GGUF version 1");
    old.putInt(4, 0x03000000);
    refused(old, "big-endian");
    old.putInt(0, 0);
    refused(old, "not a GGUF file");
  }
}
