package org.llm4msr.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.llm4msr.model.ScratchFolder;
import org.llm4msr.model.TestFiles;
import org.llm4msr.model.family.HfConfig;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

/**
 * However a file is broken, reading it ends in a {@link UserError} or in tensors inside the file.
 */
class MutatedFilesTest {
  private static final byte[] HEADER_ONLY_FILE =
      SafetensorsFiles.bytes(
          """
          {"__metadata__":{"format":"pt"},
           "a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
           "b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},
           "c":{"dtype":"I64","shape":[],"data_offsets":[32,40]}}\
          """,
          new byte[40]);
  private static final String[] FRAGMENTS = {
    "0",
    "9",
    "-",
    ".",
    "e",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "NaN",
    "\\u0000",
    "99999999999",
    "9223372036854775807",
    "\"dtype\"",
    "\"shape\":[1]",
    "F64",
    "\u00e9",
    " "
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

  @Property(tries = 600)
  void changedBytes(
      @ForAll @Size(min = 1, max = 6) int[] positions, @ForAll @Size(6) byte[] values) {
    byte[] bytes = HEADER_ONLY_FILE.clone();
    for (int i = 0; i < positions.length; i++) {
      bytes[Math.floorMod(positions[i], bytes.length)] = values[i];
    }
    opensOrRefuses(bytes);
  }

  @Property(tries = 400)
  void splicedHeaders(
      @ForAll @IntRange(max = 10_000) int position,
      @ForAll @IntRange(max = 8) int removed,
      @ForAll @IntRange(max = 22) int fragment) {
    String header =
        new String(HEADER_ONLY_FILE, 8, HEADER_ONLY_FILE.length - 48, StandardCharsets.UTF_8);
    int from = position % header.length();
    int to = Math.min(header.length(), from + removed);
    String changed = header.substring(0, from) + FRAGMENTS[fragment] + header.substring(to);
    opensOrRefuses(SafetensorsFiles.bytes(changed, new byte[40]));
  }

  @Property(tries = 300)
  void truncatedAndExtendedFiles(@ForAll @IntRange(max = 400) int length) {
    byte[] bytes = Arrays.copyOf(HEADER_ONLY_FILE, length);
    boolean opened = opensOrRefuses(bytes);
    assertThat(opened).isEqualTo(length == HEADER_ONLY_FILE.length);
  }

  /** Whether the file opened; every tensor's last byte is then read. */
  private static boolean opensOrRefuses(byte[] bytes) {
    Path file = SafetensorsFiles.write(folder.resolve("m.safetensors"), bytes);
    int openBefore = AllocationTracker.open().size();
    try (Safetensors tensors = Safetensors.open(file)) {
      long total = 0;
      for (String name : tensors.names()) {
        MemorySegment data = tensors.tensor(name).data();
        total += data.byteSize();
        data.toArray(ValueLayout.JAVA_BYTE);
      }
      assertThat(total).isLessThan(bytes.length);
      return true;
    } catch (UserError e) {
      assertThat(e).hasMessageStartingWith(file.toString());
      assertThat(e.getMessage()).doesNotContain("\n");
      return false;
    } finally {
      assertThat(AllocationTracker.open()).hasSize(openBefore);
    }
  }

  @Property(tries = 600)
  void splicedConfigs(
      @ForAll @IntRange(max = 10_000) int position,
      @ForAll @IntRange(max = 12) int removed,
      @ForAll @IntRange(max = 22) int fragment) {
    String[] families = {"llama3", "qwen2", "gemma2", "gpt_neox"};
    String family = families[Math.floorMod(position + removed, families.length)];
    String config = read(TestFiles.resource("golden/transformers/" + family + "/config.json"));
    int from = position % config.length();
    int to = Math.min(config.length(), from + removed);
    Path file = folder.resolve("config.json");
    SafetensorsFiles.write(
        file,
        (config.substring(0, from) + FRAGMENTS[fragment] + config.substring(to))
            .getBytes(StandardCharsets.UTF_8));
    try {
      ModelConfig read = HfConfig.read(folder);
      assertThat(read.attention().heads() % read.attention().kvHeads()).isZero();
      assertThat(read.attention().headDim()).isPositive();
      assertThat(Arrays.stream(read.attention().layers().get(0).rope().inverseFrequencies(1)))
          .allMatch(frequency -> frequency >= 0 && Double.isFinite(frequency));
    } catch (UserError e) {
      assertThat(e).hasMessageStartingWith(file.toString());
      assertThat(e.getMessage()).doesNotContain("\n");
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
