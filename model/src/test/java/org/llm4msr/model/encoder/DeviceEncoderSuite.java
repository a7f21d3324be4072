package org.llm4msr.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.memory.AllocationTracker;

/**
 * What another implementation computed, on a device: every family. A subclass says which device.
 */
abstract class DeviceEncoderSuite {
  private static final float TOLERANCE = 1e-4f;

  abstract BackendProvider provider();

  @BeforeEach
  void skipIfUnavailable() {
    BackendProvider.Availability availability = provider().availability();
    assumeTrue(availability.available(), availability::explanation);
  }

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(AllocationTracker.open()).isEmpty();
  }

  static List<String> families() {
    return FrozenEncoderTest.GOLDENS;
  }

  private EncoderOptions options() {
    return EncoderOptions.defaults().withBackend(provider().name());
  }

  @ParameterizedTest
  @MethodSource("families")
  void agreesWithTheGolden(String name) {
    Path directory = GoldenCase.directory(name);
    GoldenCase golden = GoldenCase.read(directory);
    for (Pooling pooling : List.of(Pooling.LAST_PROMPT, Pooling.MEAN_PROMPT)) {
      try (FrozenEncoder encoder = FrozenEncoder.load(directory, options().withPooling(pooling))) {
        float[][] packed = encoder.encodeTokens(golden.prompts());
        for (int i = 0; i < packed.length; i++) {
          check(name, packed[i], golden.expected(pooling)[i]);
        }
      }
    }
  }

  @Test
  void refusesProductsOf8BitIntegersByName() {
    Path directory = GoldenCase.directory("transformers/llama");
    for (Quantisation form : new Quantisation[] {Quantisation.W8A8, Quantisation.Q8_0_A8}) {
      EncoderOptions int8 = options().withQuantise(form);
      assertThatThrownBy(() -> FrozenEncoder.load(directory, int8).close())
          .isInstanceOf(UserError.class)
          .hasMessage(
              "the "
                  + provider().name()
                  + " backend does not multiply 8-bit integers: use --device cpu, or quantise to"
                  + " something else than w8a8 and a8");
    }
  }

  /** Compares a prompt's vector; a device that rounds more by design says where. */
  void check(String name, float[] actual, float[] expected) {
    assertThat(actual).containsExactly(expected, within(TOLERANCE));
  }

  /** Keys and values of earlier tokens are kept on the device. */
  @Test
  void continuesAsTheGoldenDoes() {
    Path directory = GoldenCase.directory("transformers/llama");
    GoldenCase golden = GoldenCase.read(directory);
    try (FrozenEncoder encoder = FrozenEncoder.load(directory, options())) {
      List<int[]> continued =
          encoder.generate(
              golden.prompts(), GenerationOptions.greedy(16).withoutStop(), (_, _) -> {});
      for (int i = 0; i < continued.size(); i++) {
        assertThat(continued.get(i)).isEqualTo(golden.greedy(directory)[i]);
      }
    }
  }
}
