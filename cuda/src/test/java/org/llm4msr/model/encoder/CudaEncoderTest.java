package org.llm4msr.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.cuda.CudaProvider;
import org.llm4msr.cuda.StandIn;
import org.llm4msr.runtime.backend.BackendProvider;

/** On a GPU, or what stands in for one. */
@ExtendWith(StandIn.class)
class CudaEncoderTest extends DeviceEncoderSuite {
  /** Their weights are BF16, and so are the activations that meet them. */
  private static final Set<String> IN_BF16 =
      Set.of("transformers/qwen2", "transformers-more/llama_bias");

  /** A cosine of 0.99995; rounding once makes 1e-6 to 3e-6 of it, each layer several times. */
  private static final double MAX_NMSE = 1e-4;

  /** Weights are rounded a second time; one of the prompts amplifies it tenfold. */
  private static final double MAX_NMSE_QUANTISED = 1e-3;

  @Override
  BackendProvider provider() {
    return new CudaProvider();
  }

  @Override
  void check(String name, float[] actual, float[] expected) {
    if (!IN_BF16.contains(name)) {
      super.check(name, actual, expected);
      return;
    }
    checkRounded(name, actual, expected, MAX_NMSE);
  }

  /** Its keys are read where they lie, by whichever prompts share them. */
  @ParameterizedTest
  @ValueSource(strings = {"transformers/llama", "transformers/qwen2"})
  void aSharedBeginningMakesNoDifference(String name) {
    Path directory = GoldenCase.directory(name);
    int[] known = GoldenCase.read(directory).prompts().getFirst();
    int[] beginning = new int[16];
    Arrays.setAll(beginning, i -> known[i % known.length]);
    // Prompts that branch off it, two of them further on from where others did.
    List<int[]> prompts = new ArrayList<>();
    for (int from : new int[] {8, 8, 16, 16}) {
      int[] prompt = Arrays.copyOf(beginning, from + 3);
      Arrays.fill(prompt, from, from + 3, 5 + prompts.size());
      prompts.add(prompt);
    }
    EncoderOptions options = EncoderOptions.defaults().withBackend(provider().name());
    try (FrozenEncoder sharing = FrozenEncoder.load(directory, options);
        FrozenEncoder apart = FrozenEncoder.load(directory, options.withPrefixReuse(false))) {
      float[][] expected = apart.encodeTokens(prompts);
      long before = StandIn.isThere() ? StandIn.count("check_ids") : 0;
      float[][] shared = sharing.encodeTokens(prompts);
      for (int i = 0; i < expected.length; i++) {
        assertThat(shared[i]).containsExactly(expected[i], within(1e-4f));
      }
      if (StandIn.isThere()) {
        assertThat(StandIn.count("check_ids")).isGreaterThan(before);
      }
    }
  }

  @AfterAll
  static void ranTheKernelsThatDoSeveralThingsAtOnce() {
    if (StandIn.isThere()) {
      assertThat(StandIn.count("rms_norm_residual")).isPositive();
    }
  }

  private static void checkRounded(String name, float[] actual, float[] expected, double bound) {
    double error = 0;
    double energy = 0;
    for (int i = 0; i < expected.length; i++) {
      error += (actual[i] - (double) expected[i]) * (actual[i] - (double) expected[i]);
      energy += expected[i] * (double) expected[i];
    }
    assertThat(error / energy).as(name).isGreaterThan(0).isLessThan(bound);
  }

  /** Its Q8_0 and Q4_0 matrices are read as they are. */
  @ParameterizedTest
  @ValueSource(strings = {"gguf/llama-Q8_0", "gguf/llama-Q4_0"})
  void agreesWithTheGoldenOfAQuantisedModel(String name) {
    Path file = GoldenCase.directory(name + ".gguf");
    GoldenCase golden = GoldenCase.readFile(GoldenCase.directory(name + ".golden.safetensors"));
    EncoderOptions options =
        EncoderOptions.defaults().withBackend(provider().name()).withPooling(Pooling.LAST_PROMPT);
    try (FrozenEncoder encoder = FrozenEncoder.load(file, options)) {
      float[][] vectors = encoder.encodeTokens(golden.prompts());
      for (int i = 0; i < vectors.length; i++) {
        checkRounded(name, vectors[i], golden.expected(Pooling.LAST_PROMPT)[i], MAX_NMSE_QUANTISED);
      }
    }
  }
}
