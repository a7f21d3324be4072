package org.llm4msr.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.model.SharedFolder;
import org.llm4msr.model.TestFiles;
import org.llm4msr.model.gguf.GgufFile;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

/** Models in GGUF files: goldens of another implementation, on every backend. */
class GgufEncoderTest {
  private static final float TOLERANCE = 1e-4f;

  /** Where activations are rounded to 8 bits: one that lies between two may fall to either side. */
  private static final double LEAST_COSINE = 0.99999;

  @TempDir Path folder;

  static Stream<Arguments> goldens() {
    return Stream.of(
            "llama-F32",
            "llama-F16",
            "llama-Q8_0",
            "llama-Q4_0",
            "llama3-ropefreqs-Q8_0",
            "qwen2-F32",
            "qwen2-F16",
            "qwen2-Q8_0",
            "qwen2-Q4_0")
        .flatMap(name ->
            FrozenEncoderTest.backends().stream().map(backend -> Arguments.of(name, backend)));
  }

  private static EncoderOptions options(String backend) {
    return EncoderOptions.defaults().withBackend(backend).withThreads(2);
  }

  private static Path file(String name) {
    boolean copied = GgufEncoderTest.class.getResource("/golden/gguf/" + name) != null;
    return copied
        ? TestFiles.resource("golden/gguf/" + name)
        : SharedFolder.require("golden/gguf/" + name);
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void agreesWithTheGolden(String name, String backend) {
    GoldenCase golden = GoldenCase.readFile(file(name + ".golden.safetensors"));
    int openBefore = AllocationTracker.open().size();
    for (Pooling pooling : new Pooling[] {Pooling.LAST_PROMPT, Pooling.MEAN_PROMPT}) {
      try (FrozenEncoder encoder =
          FrozenEncoder.load(file(name + ".gguf"), options(backend).withPooling(pooling))) {
        float[][] vectors = encoder.encodeTokens(golden.prompts());
        for (int i = 0; i < vectors.length; i++) {
          assertThat(vectors[i]).containsExactly(golden.expected(pooling)[i], within(TOLERANCE));
        }
      }
    }
    assertThat(AllocationTracker.open()).hasSize(openBefore);
  }

  /**
   * Each family's golden of the transformers library, stored as llama.cpp's converter would.
   * mistral goes by llama's name, glm by chatglm's.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "llama", "mistral", "qwen2", "qwen3", "phi3", "gemma2", "gemma3", "glm", "glm4", "gpt2",
        "bert"
      })
  void agreesWithTheGoldenOfEachFamily(String name) throws IOException {
    Path directory = SharedFolder.require("golden/transformers/" + name);
    GoldenCase golden = GoldenCase.read(directory);
    Path file = folder.resolve(name + ".gguf");
    Files.write(file, new GgufConverter(directory).convert());
    for (Pooling pooling : new Pooling[] {Pooling.LAST_PROMPT, Pooling.MEAN_PROMPT}) {
      try (FrozenEncoder encoder = FrozenEncoder.load(file, options("cpu").withPooling(pooling))) {
        float[][] vectors = encoder.encodeTokens(golden.prompts());
        for (int i = 0; i < vectors.length; i++) {
          assertThat(vectors[i]).containsExactly(golden.expected(pooling)[i], within(TOLERANCE));
        }
      }
    }
  }

  /** What is quantised on load gives the vectors of what was quantised before. */
  @ParameterizedTest
  @MethodSource("quantised")
  void quantisesOnLoad(String name, Quantisation type) throws IOException {
    Path directory = SharedFolder.require("golden/transformers/" + name);
    List<int[]> prompts = GoldenCase.read(directory).prompts();
    float[][] exact = vectors(directory, options("cpu"), prompts);
    float[][] quantised = vectors(directory, options("cpu").withQuantise(type), prompts);
    float[][] reference = vectors(directory, options("reference").withQuantise(type), prompts);
    for (int i = 0; i < exact.length; i++) {
      assertThat(quantised[i]).containsExactly(reference[i], within(TOLERANCE));
      assertThat(quantised[i]).isNotEqualTo(exact[i]);
      assertThat(cosine(quantised[i], exact[i])).isGreaterThan(leastCosine(type));
    }
  }

  /**
   * Weights in blocks are quantised anew for each output, or multiplied as they are; prompts are
   * computed alike in any batch.
   */
  @ParameterizedTest
  @CsvSource({"Q8_0, W8A8", "Q8_0, A8", "Q4_0, A8"})
  void computesAGgufFileIn8Bits(String type, Quantisation form) throws IOException {
    Path file = file("llama-" + type + ".gguf");
    List<int[]> prompts = List.of(new int[] {1, 2, 3}, new int[] {4, 5, 6, 7, 8}, new int[] {9});
    float[][] exact = vectors(file, options("cpu"), prompts);
    EncoderOptions int8 = options("cpu").withQuantise(form);
    float[][] quantised = vectors(file, int8, prompts);
    float[][] reference = vectors(file, options("reference").withQuantise(form), prompts);
    for (int i = 0; i < exact.length; i++) {
      assertThat(cosine(quantised[i], reference[i])).isGreaterThan(LEAST_COSINE);
      assertThat(quantised[i]).isNotEqualTo(exact[i]);
      assertThat(cosine(quantised[i], exact[i])).isGreaterThan(leastCosine(form));
      float[] alone = vectors(file, int8, List.of(prompts.get(i)))[0];
      assertThat(cosine(alone, quantised[i])).isGreaterThan(LEAST_COSINE);
    }
  }

  /** Goldens of the floats that the files hold: activations in 8 bits come as near as this. */
  @ParameterizedTest
  @ValueSource(
      strings = {"llama-Q8_0", "llama-Q4_0", "llama3-ropefreqs-Q8_0", "qwen2-Q8_0", "qwen2-Q4_0"})
  void activationsInBlocksStayNearTheGolden(String name) {
    GoldenCase golden = GoldenCase.readFile(file(name + ".golden.safetensors"));
    EncoderOptions options = options("cpu").withQuantise(Quantisation.A8);
    for (Pooling pooling : new Pooling[] {Pooling.LAST_PROMPT, Pooling.MEAN_PROMPT}) {
      try (FrozenEncoder encoder =
          FrozenEncoder.load(file(name + ".gguf"), options.withPooling(pooling))) {
        float[][] vectors = encoder.encodeTokens(golden.prompts());
        for (int i = 0; i < vectors.length; i++) {
          assertThat(cosine(vectors[i], golden.expected(pooling)[i]))
              .as("%s, prompt %d", pooling, i)
              .isGreaterThan(leastCosine(Quantisation.A8));
        }
      }
    }
  }

  static Stream<Arguments> quantised() {
    return Stream.of("llama", "gpt2", "phi3")
        .flatMap(name ->
            Stream.of(Quantisation.values())
                .filter(type -> type != Quantisation.A8)
                .map(type -> Arguments.of(name, type)));
  }

  private static float[][] vectors(Path model, EncoderOptions options, List<int[]> prompts) {
    try (FrozenEncoder encoder = FrozenEncoder.load(model, options)) {
      return encoder.encodeTokens(prompts);
    }
  }

  /** To the vectors in F32, of small models with random weights. */
  private static double leastCosine(Quantisation type) {
    return switch (type) {
      case Q8_0 -> 0.999;
      case A8, Q8_0_A8 -> 0.998;
      case W8A8 -> 0.99;
      case Q4_0, Q4_0_A8 -> 0.8;
    };
  }

  private static double cosine(float[] a, float[] b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
    }
    return ab / Math.sqrt(aa * bb);
  }

  @Test
  void refusesWhatItDoesNotRead() throws IOException {
    Path llama = file("llama-Q8_0.gguf");
    assertRefused(
        llama,
        options("cpu").withQuantise(Quantisation.Q4_0),
        "a GGUF file keeps the types it has");
    Path other = folder.resolve("model.bin");
    Files.writeString(other, "PK no model");
    assertRefused(other, options("cpu"), "neither a GGUF file nor a folder");
    Files.write(folder.resolve("pytorch_model.bin"), new byte[] {'P', 'K', 3, 4});
    Files.writeString(
        folder.resolve("config.json"),
        Files.readString(TestFiles.resource("golden/transformers/llama/config.json")));
    assertRefused(folder, options("cpu"), "PyTorch weights are not read");
    byte[] bytes = Files.readAllBytes(llama);
    try (GgufFile file = GgufFile.open(llama)) {
      assertThat(file.metadata().text("general.architecture", "")).isEqualTo("llama");
    }
    Path unknown = folder.resolve("unknown.gguf");
    Files.write(unknown, replaced(bytes, "llama.rope.freq_base", "llama.rope.frob_base"));
    assertRefused(unknown, options("cpu"), "llama.rope.frob_base is an option");
    Path dummy = folder.resolve("copy.gguf");
    Files.write(dummy, bytes);
    try (FrozenEncoder encoder = FrozenEncoder.load(dummy, options("cpu"))) {
      assertThatThrownBy(() -> encoder.encode(List.of("text"))).isInstanceOf(UserError.class);
    }
  }

  private static byte[] replaced(byte[] bytes, String from, String to) {
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    assertThat(text).contains(from);
    return text.replace(from, to).getBytes(StandardCharsets.ISO_8859_1);
  }

  private static void assertRefused(Path model, EncoderOptions options, String message) {
    assertThatThrownBy(() -> FrozenEncoder.load(model, options).close())
        .isInstanceOf(UserError.class)
        .hasMessageContaining(message)
        .hasMessageNotContaining("\n");
  }
}
