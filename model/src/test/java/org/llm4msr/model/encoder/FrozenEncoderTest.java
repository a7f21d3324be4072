package org.llm4msr.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.SharedFolder;
import org.llm4msr.model.TestFiles;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.memory.AllocationTracker;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

class FrozenEncoderTest {
  private static final Path LLAMA = TestFiles.resource("golden/transformers/llama");
  private static final float TOLERANCE = 1e-4f;

  /** Every family; the folders that are not among the resources come from {@link SharedFolder}. */
  static final List<String> GOLDENS =
      List.of(
          "transformers/bert",
          "transformers/chatglm",
          "transformers/gemma2",
          "transformers/gemma3",
          "transformers/glm",
          "transformers/glm4",
          "transformers/gpt2",
          "transformers/gpt_neox",
          "transformers/llama",
          "transformers/llama3",
          "transformers/mistral",
          "transformers/modernbert",
          "transformers/phi3",
          "transformers/qwen2",
          "transformers/qwen3",
          "transformers-more/llama_bias",
          "transformers-more/llama_linear",
          "transformers-more/qwen2_untied");

  private static final List<Pooling> PROMPT_POOLINGS =
      List.of(Pooling.LAST_PROMPT, Pooling.MEAN_PROMPT);

  @TempDir Path folder;

  private int openBefore;

  @BeforeEach
  void countOpenAllocations() {
    openBefore = AllocationTracker.open().size();
  }

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(AllocationTracker.open()).hasSize(openBefore);
  }

  /** The backends that can run here. */
  static List<String> backends() {
    return Backends.providers().stream()
        .filter(provider -> provider.availability().available())
        .map(BackendProvider::name)
        .toList();
  }

  static Stream<Arguments> goldens() {
    return GOLDENS.stream()
        .flatMap(name ->
            backends().stream()
                .flatMap(backend ->
                    PROMPT_POOLINGS.stream().map(pooling -> Arguments.of(name, backend, pooling))));
  }

  private static EncoderOptions options(String backend) {
    return EncoderOptions.defaults().withBackend(backend).withThreads(2);
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void agreesWithTheGolden(String name, String backend, Pooling pooling) {
    Path directory = GoldenCase.directory(name);
    GoldenCase golden = GoldenCase.read(directory);
    try (FrozenEncoder encoder =
        FrozenEncoder.load(directory, options(backend).withPooling(pooling))) {
      float[][] packed = encoder.encodeTokens(golden.prompts());
      for (int i = 0; i < packed.length; i++) {
        float[] expected = golden.expected(pooling)[i];
        assertThat(packed[i]).containsExactly(expected, within(TOLERANCE));
        float[][] alone = encoder.encodeTokens(List.of(golden.prompts().get(i)));
        assertThat(alone[0]).containsExactly(expected, within(TOLERANCE));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void agreesWithARealSmallModel(String backend) {
    Path directory = SharedFolder.require("weights/tinystories-656k");
    JsonNode examples =
        JsonMapper.shared().readTree(directory.resolve("golden_hidden.json").toFile());
    List<int[]> prompts = new ArrayList<>();
    examples.forEach(example ->
        prompts.add(example.get("ids").valueStream().mapToInt(JsonNode::intValue).toArray()));
    for (Pooling pooling : PROMPT_POOLINGS) {
      String field = pooling == Pooling.LAST_PROMPT ? "last_hidden_last_token" : "last_hidden_mean";
      try (FrozenEncoder encoder =
          FrozenEncoder.load(directory, options(backend).withPooling(pooling))) {
        float[][] vectors = encoder.encodeTokens(prompts);
        for (int i = 0; i < vectors.length; i++) {
          assertThat(vectors[i])
              .containsExactly(floats(examples.get(i).get(field)), within(TOLERANCE));
        }
        // The first example's text, through the model's own tokenizer.
        float[][] fromText = encoder.encode(List.of(examples.get(0).get("text").stringValue()));
        assertThat(fromText[0])
            .containsExactly(floats(examples.get(0).get(field)), within(TOLERANCE));
      }
    }
  }

  private static float[] floats(JsonNode array) {
    float[] values = new float[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).floatValue();
    }
    return values;
  }

  /**
   * The output of layer n is what a model of n layers gives, before or after the last norm; the
   * norm's factor is all that lies between the two.
   */
  @ParameterizedTest
  @MethodSource("backends")
  void readsAnyLayerBeforeOrAfterTheNorm(String backend) throws IOException {
    List<int[]> prompts = randomPrompts(5);
    for (Pooling pooling : PROMPT_POOLINGS) {
      EncoderOptions options = options(backend).withPooling(pooling);
      float[][] last = vectors(LLAMA, options, prompts);
      assertThat(vectors(LLAMA, options.withLayer(2), prompts)).isEqualTo(last);
      assertThat(vectors(LLAMA, options.withFinalNorm(false), prompts)[0]).isNotEqualTo(last[0]);
      // The embeddings themselves, read straight from the file.
      float[][] embedded =
          vectors(LLAMA, options.withLayer(0).withFinalNorm(false), List.of(new int[] {7}));
      try (Safetensors file = Safetensors.open(LLAMA.resolve("model.safetensors"))) {
        float[] table =
            file.tensor("model.embed_tokens.weight")
                .data()
                .toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        assertThat(embedded[0]).isEqualTo(Arrays.copyOfRange(table, 7 * 64, 8 * 64));
        float[] factors =
            file.tensor("model.norm.weight").data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
        float[] state = vectors(LLAMA, options.withFinalNorm(false), List.of(new int[] {3}))[0];
        float[] normed = vectors(LLAMA, options, List.of(new int[] {3}))[0];
        double square = 0;
        for (float element : state) {
          square += (double) element * element / 64;
        }
        for (int i = 0; i < 64; i++) {
          double expected = state[i] / Math.sqrt(square + 1e-5) * factors[i];
          assertThat((double) normed[i]).isCloseTo(expected, within(1e-5));
        }
      }
      float[][] scaled = vectors(LLAMA, options.withL2(true), prompts);
      for (int i = 0; i < prompts.size(); i++) {
        double length = 0;
        for (float element : last[i]) {
          length += (double) element * element;
        }
        for (int j = 0; j < 64; j++) {
          assertThat((double) scaled[i][j]).isCloseTo(last[i][j] / Math.sqrt(length), within(1e-6));
        }
      }
    }
    assertUserError(
        () -> FrozenEncoder.load(LLAMA, options(backend).withLayer(3)).close(),
        "layer 3 is asked for, but the model has 2");
  }

  /** Removing the last layer from a model shows what its first layers give. */
  @ParameterizedTest
  @MethodSource("backends")
  void anEarlierLayerIsThatOfAShorterModel(String backend) throws IOException {
    copyModel(LLAMA);
    Path weights = folder.resolve("model.safetensors");
    String text = Files.readString(weights, StandardCharsets.ISO_8859_1);
    // Tensors outside the layers are not looked at.
    Files.writeString(
        weights, text.replace("model.layers.1.", "other.layers.1."), StandardCharsets.ISO_8859_1);
    changeConfig("num_hidden_layers", "1");
    List<int[]> prompts = randomPrompts(5);
    assertThat(vectors(LLAMA, options(backend).withLayer(1), prompts))
        .isEqualTo(vectors(folder, options(backend), prompts));
  }

  private static float[][] vectors(Path model, EncoderOptions options, List<int[]> prompts) {
    try (FrozenEncoder encoder = FrozenEncoder.load(model, options)) {
      return encoder.encodeTokens(prompts);
    }
  }

  /** Prompts of 1 to 40 tokens. */
  private static List<int[]> randomPrompts(int count) {
    Random random = new Random(3);
    List<int[]> prompts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      prompts.add(random.ints(1 + random.nextInt(40), 0, 384).toArray());
    }
    return prompts;
  }

  @ParameterizedTest
  @MethodSource("backends")
  void theBatchSizeChangesNothingButRounding(String backend) {
    List<int[]> prompts = randomPrompts(30);
    float[][] whole;
    try (FrozenEncoder encoder = FrozenEncoder.load(LLAMA, options(backend))) {
      whole = encoder.encodeTokens(prompts);
    }
    for (int budget : new int[] {1, 50, 128}) {
      try (FrozenEncoder encoder =
          FrozenEncoder.load(LLAMA, options(backend).withMaxTokensPerBatch(budget))) {
        float[][] vectors = encoder.encodeTokens(prompts);
        for (int i = 0; i < vectors.length; i++) {
          assertThat(vectors[i]).containsExactly(whole[i], within(1e-5f));
        }
      }
    }
  }

  @Test
  void packsByLengthWithinTheBudget() {
    List<int[]> prompts = randomPrompts(100);
    prompts.set(17, new int[90]);
    try (FrozenEncoder encoder =
        FrozenEncoder.load(
            LLAMA, options("reference").withMaxTokensPerBatch(64).withPrefixReuse(false))) {
      List<int[]> batches = encoder.pack(prompts);
      assertThat(batches.get(0)).containsExactly(17);
      List<Integer> seen = new ArrayList<>();
      int previous = Integer.MAX_VALUE;
      for (int[] batch : batches) {
        int total = 0;
        for (int prompt : batch) {
          int length = prompts.get(prompt).length;
          assertThat(length).isLessThanOrEqualTo(previous);
          previous = length;
          total += length;
          seen.add(prompt);
        }
        assertThat(batch.length == 1 || total <= 64).isTrue();
      }
      Collections.sort(seen);
      assertThat(seen).hasSize(100).doesNotHaveDuplicates();
      assertThat(encoder.pack(List.of())).isEmpty();
    }
  }

  @Test
  void aLongPromptKeepsItsBeginningAndItsEnd() {
    int[] tokens = new int[600];
    Arrays.setAll(tokens, i -> i % 384);
    try (FrozenEncoder encoder = FrozenEncoder.load(LLAMA, options("reference"))) {
      assertThat(encoder.maxTokensPerPrompt()).isEqualTo(256);
      int[] fitted = encoder.fitted(tokens);
      assertThat(fitted).hasSize(256);
      assertThat(Arrays.copyOf(fitted, 128)).isEqualTo(Arrays.copyOf(tokens, 128));
      assertThat(Arrays.copyOfRange(fitted, 128, 256))
          .isEqualTo(Arrays.copyOfRange(tokens, 472, 600));
      int[] fits = Arrays.copyOf(tokens, 256);
      assertThat(encoder.fitted(fits)).isSameAs(fits);
    }
  }

  @Test
  void refusesPromptsThatTheModelCannotRead() {
    try (FrozenEncoder encoder = FrozenEncoder.load(LLAMA, options("reference"))) {
      assertUserError(() -> encoder.encodeTokens(List.of(new int[0])), "has no tokens");
      assertUserError(
          () -> encoder.encodeTokens(List.of(new int[] {1, 384})),
          "token 1 has the id 384, but the model's ids end at 383");
      assertUserError(() -> encoder.encodeTokens(List.of(new int[] {-1})), "has the id -1");
      assertUserError(
          () -> encoder.encode(List.of("text")),
          "neither tokenizer.json nor tokenizer.model is there");
    }
  }

  @Test
  void refusesATokenizerOfAnotherModel() throws IOException {
    Path tokenizer = SharedFolder.require("weights/tinystories-656k/tokenizer.json");
    copyModel(LLAMA);
    Files.copy(tokenizer, folder.resolve("tokenizer.json"));
    try (FrozenEncoder encoder = FrozenEncoder.load(folder, options("reference"))) {
      assertUserError(
          () -> encoder.encode(List.of("text")),
          "the tokenizer's vocabulary has 2048 tokens, but the model's 384");
    }
  }

  @Test
  void theChecksumFollowsTheContentNotThePlace() throws IOException {
    copyModel(LLAMA);
    String original = checksum(LLAMA);
    assertThat(original).matches("sha256:[0-9a-f]{64}");
    assertThat(checksum(folder)).isEqualTo(original);
    byte[] weights = Files.readAllBytes(folder.resolve("model.safetensors"));
    weights[weights.length - 1] ^= 1;
    Files.write(folder.resolve("model.safetensors"), weights);
    assertThat(checksum(folder)).isNotEqualTo(original);
  }

  private static String checksum(Path directory) {
    try (FrozenEncoder encoder = FrozenEncoder.load(directory, options("reference"))) {
      return encoder.checksum();
    }
  }

  @Test
  void readsTensorsThatAreNotAligned() throws IOException {
    GoldenCase golden = GoldenCase.read(LLAMA);
    copyModel(LLAMA);
    byte[] bytes = Files.readAllBytes(folder.resolve("model.safetensors"));
    long headerBytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
    // One more space at the header's end moves all data to odd addresses.
    ByteBuffer moved = ByteBuffer.allocate(bytes.length + 1).order(ByteOrder.LITTLE_ENDIAN);
    int dataFrom = (int) (8 + headerBytes);
    moved.putLong(headerBytes + 1).put(bytes, 8, dataFrom - 8).put((byte) ' ');
    moved.put(bytes, dataFrom, bytes.length - dataFrom);
    Files.write(folder.resolve("model.safetensors"), moved.array());
    for (String backend : backends()) {
      try (FrozenEncoder encoder = FrozenEncoder.load(folder, options(backend))) {
        float[][] vectors = encoder.encodeTokens(golden.prompts());
        assertThat(vectors[0]).containsExactly(golden.lastToken()[0], within(TOLERANCE));
      }
    }
  }

  @Test
  void refusesWeightsThatContradictTheConfig() throws IOException {
    copyModel(LLAMA);
    String file = folder.resolve("model.safetensors").toString();
    changeConfig("intermediate_size", "161");
    assertRefused(
        file
            + ": tensor model.layers.0.mlp.gate_proj.weight: shape is [160, 64], expected"
            + " [161, 64]");
    changeConfig("vocab_size", "385");
    assertRefused("tensor model.embed_tokens.weight: shape is [384, 64], expected [385, 64]");
    changeConfig("num_key_value_heads", "4");
    assertRefused("model.layers.0.self_attn.k_proj.weight: shape is [32, 64], expected [64, 64]");
    changeConfig("num_hidden_layers", "3");
    assertRefused("tensor model.layers.2.input_layernorm.weight is missing");
    changeConfig("num_hidden_layers", "1");
    assertRefused("not part of a llama as config.json describes it");
    changeConfig("attention_bias", "true");
    assertRefused("tensor model.layers.0.self_attn.q_proj.bias is missing");
    changeConfig("model_type", "\"t5\"");
    assertRefused("config.json: model_type is \"t5\"");
    changeConfig("hidden_size", "32");
    assertRefused("expected [384, 32]");
  }

  @Test
  void refusesTypesThatItDoesNotComputeWith() throws IOException {
    copyModel(LLAMA);
    Path weights = folder.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    int at = text.indexOf("F32");
    bytes[at] = 'I';
    Files.write(weights, bytes);
    assertRefused("element type is I32, expected F32, F16 or BF16");
    bytes[at] = 'U';
    Files.write(weights, bytes);
    assertRefused("element type U32 is not supported");
  }

  @Test
  void saysThatTheWeightsAreDamaged() throws IOException {
    copyModel(LLAMA);
    Path weights = folder.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    Arrays.fill(bytes, bytes.length - 64, bytes.length, (byte) 0xff);
    Files.write(weights, bytes);
    try (FrozenEncoder encoder = FrozenEncoder.load(folder, options("reference"))) {
      assertUserError(() -> encoder.encodeTokens(List.of(new int[] {1, 2})), "not finite");
    }
  }

  @Test
  void refusesWhatDoesNotFitIntoMemoryBeforeItStarts() {
    MemoryNeed need;
    try (FrozenEncoder encoder = FrozenEncoder.load(LLAMA, options("reference"))) {
      need = encoder.memory();
      assertThat(need.weightBytes()).isBetween(300_000L, 500_000L);
      assertThat(need.workspaceBytes()).isBetween(1_000_000L, 50_000_000L);
      assertThat(need.freeBytes()).isGreaterThan(need.weightBytes() + need.workspaceBytes());
    }
    long[] limits = {1_000, need.weightBytes() + need.workspaceBytes() - 1};
    for (long limit : limits) {
      System.setProperty(MemoryNeed.FREE_PROPERTY, Long.toString(limit));
      try {
        assertUserError(
            () -> FrozenEncoder.load(LLAMA, options("reference")).close(), LLAMA + ": needs ");
      } finally {
        System.clearProperty(MemoryNeed.FREE_PROPERTY);
      }
    }
  }

  @Test
  void refusesBackendsThatAreNotThere() {
    assertUserError(() -> FrozenEncoder.load(LLAMA, options("abacus")), "abacus");
  }

  private void copyModel(Path directory) throws IOException {
    for (String name : new String[] {"config.json", "model.safetensors"}) {
      Files.copy(directory.resolve(name), folder.resolve(name));
    }
  }

  /** The original config with one field changed. */
  private void changeConfig(String field, String value) throws IOException {
    ObjectNode config =
        (ObjectNode) JsonMapper.shared().readTree(Files.readString(LLAMA.resolve("config.json")));
    config.set(field, JsonMapper.shared().readTree(value));
    Files.writeString(folder.resolve("config.json"), config.toString());
  }

  private void assertRefused(String message) {
    assertUserError(() -> FrozenEncoder.load(folder, options("reference")).close(), message);
  }

  private static void assertUserError(ThrowingCallable call, String message) {
    assertThatThrownBy(call)
        .isInstanceOf(UserError.class)
        .hasMessageContaining(message)
        .hasMessageNotContaining("\n");
  }
}
