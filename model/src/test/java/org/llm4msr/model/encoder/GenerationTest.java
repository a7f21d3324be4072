package org.llm4msr.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.SharedFolder;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

class GenerationTest {
  private int openBefore;

  @BeforeEach
  void countOpenAllocations() {
    openBefore = AllocationTracker.open().size();
  }

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(AllocationTracker.open()).hasSize(openBefore);
  }

  static Stream<Arguments> causalModels() {
    return Stream.of(
            "chatglm",
            "gemma2",
            "gemma3",
            "glm",
            "glm4",
            "gpt2",
            "gpt_neox",
            "llama",
            "llama3",
            "mistral",
            "phi3",
            "qwen2",
            "qwen3")
        .flatMap(name ->
            FrozenEncoderTest.backends().stream().map(backend -> Arguments.of(name, backend)));
  }

  private static EncoderOptions options(String backend) {
    return EncoderOptions.defaults().withBackend(backend).withThreads(2);
  }

  @ParameterizedTest
  @MethodSource("causalModels")
  void continuesAsTheGoldenDoes(String name, String backend) {
    Path directory = GoldenCase.directory("transformers/" + name);
    GoldenCase golden = GoldenCase.read(directory);
    GenerationOptions greedy = GenerationOptions.greedy(16).withoutStop();
    try (FrozenEncoder encoder = FrozenEncoder.load(directory, options(backend))) {
      List<List<Integer>> heard = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
      List<int[]> together =
          encoder.generate(
              golden.prompts(), greedy, (prompt, token) -> heard.get(prompt).add(token));
      for (int i = 0; i < 3; i++) {
        assertThat(together.get(i)).isEqualTo(golden.greedy(directory)[i]);
        assertThat(heard.get(i)).containsExactly(boxed(together.get(i)));
        List<int[]> alone =
            encoder.generate(List.of(golden.prompts().get(i)), greedy, (_, _) -> {});
        assertThat(alone.get(0)).isEqualTo(together.get(i));
      }
      float[][] expected = golden.lastLogits(directory);
      for (int i = 0; i < 3; i++) {
        assertThat(encoder.logits(golden.prompts().get(i)))
            .containsExactly(expected[i], within(1e-4f));
      }
    }
  }

  private static Integer[] boxed(int[] values) {
    return Arrays.stream(values).boxed().toArray(Integer[]::new);
  }

  /** What is read while generating is what reading the whole text gives. */
  @ParameterizedTest
  @MethodSource("causalModels")
  void poolsTheStatesOfWhatItGenerates(String name, String backend) {
    Path directory = GoldenCase.directory("transformers/" + name);
    GoldenCase golden = GoldenCase.read(directory);
    EncoderOptions generating = options(backend).withMaxNewTokens(5);
    float[][] last;
    float[][] mean;
    try (FrozenEncoder encoder =
        FrozenEncoder.load(directory, generating.withPooling(Pooling.LAST_GENERATED))) {
      last = encoder.encodeTokens(golden.prompts());
    }
    try (FrozenEncoder encoder =
        FrozenEncoder.load(directory, generating.withPooling(Pooling.MEAN_GENERATED))) {
      mean = encoder.encodeTokens(golden.prompts());
    }
    try (FrozenEncoder encoder = FrozenEncoder.load(directory, options(backend))) {
      for (int i = 0; i < 3; i++) {
        int[] prompt = golden.prompts().get(i);
        int[] text = Arrays.copyOf(prompt, prompt.length + 5);
        System.arraycopy(golden.greedy(directory)[i], 0, text, prompt.length, 5);
        double[] sum = new double[encoder.width()];
        float[] state = null;
        for (int length = prompt.length + 1; length <= text.length; length++) {
          state = encoder.encodeTokens(List.of(Arrays.copyOf(text, length)))[0];
          for (int j = 0; j < sum.length; j++) {
            sum[j] += state[j];
          }
        }
        assertThat(last[i]).containsExactly(state, within(1e-4f));
        for (int j = 0; j < sum.length; j++) {
          assertThat((double) mean[i][j]).isCloseTo(sum[j] / 5, within(1e-4));
        }
      }
    }
  }

  @Test
  void drawsTheSameWithTheSameSeed() {
    Path directory = GoldenCase.directory("transformers/llama");
    GoldenCase golden = GoldenCase.read(directory);
    GenerationOptions drawn = GenerationOptions.greedy(20).withSampling(1.5, 0.9, 7);
    try (FrozenEncoder encoder = FrozenEncoder.load(directory, options("reference"))) {
      List<int[]> first = encoder.generate(golden.prompts(), drawn, (_, _) -> {});
      int[] alone = encoder.generate(List.of(golden.prompts().get(1)), drawn, (_, _) -> {}).get(0);
      assertThat(alone).isEqualTo(first.get(1));
      assertThat(first.get(0)).isNotEqualTo(golden.greedy(directory)[0]);
      GenerationOptions otherSeed = drawn.withSampling(1.5, 0.9, 8);
      assertThat(encoder.generate(golden.prompts(), otherSeed, (_, _) -> {}).get(0))
          .isNotEqualTo(first.get(0));
      // So cold that only the most likely token is left.
      GenerationOptions cold = GenerationOptions.greedy(16).withSampling(1e-4, 1, 3);
      assertThat(encoder.generate(golden.prompts(), cold, (_, _) -> {}).get(2))
          .isEqualTo(golden.greedy(directory)[2]);
    }
  }

  @Test
  void drawsAsOftenAsTheProbabilitiesSay() {
    float[] logits = {(float) Math.log(0.5), (float) Math.log(0.3), (float) Math.log(0.2)};
    for (double topP : new double[] {1, 0.7}) {
      Sampler sampler =
          new Sampler(GenerationOptions.greedy(1).withSampling(1, topP, 5), new int[] {1, 2, 3});
      int[] counts = new int[3];
      for (int i = 0; i < 20_000; i++) {
        counts[sampler.choose(logits)]++;
      }
      double kept = topP == 1 ? 1 : 0.8;
      assertThat(counts[0] / 20_000.0).isCloseTo(0.5 / kept, within(0.015));
      assertThat(counts[1] / 20_000.0).isCloseTo(0.3 / kept, within(0.015));
      assertThat(counts[2] / 20_000.0).isCloseTo(topP == 1 ? 0.2 : 0, within(0.015));
    }
  }

  @Test
  void saysWhatCannotBeContinued() {
    Path llama = GoldenCase.directory("transformers/llama");
    try (FrozenEncoder encoder = FrozenEncoder.load(llama, options("reference"))) {
      assertThatThrownBy(() ->
              encoder.generate(List.of(new int[250]), GenerationOptions.greedy(7), (_, _) -> {}))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("250 tokens, with 7 new ones that is more than the model's 256");
    }
    Path bert = GoldenCase.directory("transformers/bert");
    assertThatThrownBy(() ->
            FrozenEncoder.load(bert, options("reference").withPooling(Pooling.LAST_GENERATED)))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("a bert predicts no next token");
  }

  @Test
  void tellsAStory() {
    Path directory = SharedFolder.require("weights/tinystories-656k");
    StringBuilder streamed = new StringBuilder();
    try (FrozenEncoder encoder = FrozenEncoder.load(directory, EncoderOptions.defaults())) {
      String story =
          encoder.generate("Once upon a time", GenerationOptions.greedy(80), streamed::append);
      System.out.println("Once upon a time" + story);
      assertThat(streamed).hasToString(story);
      // A trained model writes words; one with wrong weights repeats itself or stammers.
      assertThat(story.split("\\W+")).hasSizeGreaterThan(20);
      assertThat(story).containsIgnoringCase("little").contains(" the ", " and ");
    }
  }
}
