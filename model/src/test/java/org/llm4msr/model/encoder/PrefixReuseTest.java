package org.llm4msr.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Beginnings that prompts share are computed once, and nobody can tell from the vectors. */
class PrefixReuseTest {

  /**
   * Prompts with beginnings at several depths, duplicates, and some that are others' beginnings.
   */
  private static List<int[]> family(long seed, int count) {
    Random random = new Random(seed);
    List<int[]> prompts = new ArrayList<>();
    prompts.add(random.ints(30, 0, 384).toArray());
    while (prompts.size() < count) {
      int[] other = prompts.get(random.nextInt(prompts.size()));
      int kept = random.nextInt(4) == 0 ? 0 : random.nextInt(other.length + 1);
      int fresh = random.nextInt(20);
      if (kept + fresh > 0 && kept + fresh <= 120) {
        int[] prompt = Arrays.copyOf(other, kept + fresh);
        for (int i = kept; i < prompt.length; i++) {
          prompt[i] = random.nextInt(384);
        }
        prompts.add(prompt);
      }
    }
    return prompts;
  }

  @Test
  void segmentsPutTogetherAreThePrompts() {
    for (int seed = 0; seed < 200; seed++) {
      List<int[]> prompts = family(seed, 1 + seed % 40);
      int[] all = IntStream.range(0, prompts.size()).toArray();
      PackedBatch batch = PackedBatch.of(prompts, all, true);
      int[] ids = batch.tokenIds();
      int[] positions = batch.positions();
      PackedBatch.KeyRows keys = batch.keyRows();
      assertThat((long) keys.rows().length).isEqualTo(batch.keyCount());
      for (int i = 0; i < prompts.size(); i++) {
        int segment = batch.lastSegment(i);
        int[] rows = Arrays.copyOfRange(keys.rows(), keys.begins()[segment], keys.ends()[segment]);
        assertThat(Arrays.stream(rows).map(row -> ids[row]).toArray()).isEqualTo(prompts.get(i));
        assertThat(Arrays.stream(rows).map(row -> positions[row]).toArray())
            .isEqualTo(IntStream.range(0, rows.length).toArray());
        assertThat(batch.lastRow(i)).isEqualTo(rows[rows.length - 1]);
        assertThat(batch.length(i)).isEqualTo(rows.length);
      }
      // No two rows are the same token after the same beginning, but where too few are shared.
      Set<List<Integer>> beginnings = new HashSet<>();
      prompts.forEach(prompt -> {
        List<Integer> tokens = Arrays.stream(prompt).boxed().toList();
        for (int length = 1; length <= tokens.size(); length++) {
          beginnings.add(tokens.subList(0, length));
        }
      });
      assertThat(batch.rows())
          .isBetween(
              beginnings.size(),
              beginnings.size() + (PackedBatch.LEAST_SHARED - 1) * prompts.size());
    }
  }

  @Test
  void batchesKeepToTheBudget() {
    for (int seed = 0; seed < 50; seed++) {
      List<int[]> prompts = family(seed, 60);
      List<int[]> batches = Packing.byBeginning(prompts, 150);
      List<Integer> seen = new ArrayList<>();
      for (int[] batch : batches) {
        assertThat(PackedBatch.of(prompts, batch, true).rows()).isLessThanOrEqualTo(150);
        Arrays.stream(batch).forEach(seen::add);
      }
      Collections.sort(seen);
      assertThat(seen).isEqualTo(IntStream.range(0, 60).boxed().toList());
    }
  }

  static Stream<Arguments> models() {
    return Stream.of(
            "transformers/llama",
            "transformers/gemma2",
            "transformers/gpt_neox",
            "transformers/mistral",
            "transformers/gpt2",
            "transformers/glm4")
        .flatMap(name ->
            Stream.of(Pooling.LAST_PROMPT, Pooling.MEAN_PROMPT)
                .map(pooling -> Arguments.of(name, pooling)));
  }

  @ParameterizedTest
  @MethodSource("models")
  void vectorsAreTheSameWithAndWithout(String name, Pooling pooling) {
    Path directory = GoldenCase.directory(name);
    List<int[]> prompts = family(7, 40);
    for (String backend : FrozenEncoderTest.backends()) {
      EncoderOptions options =
          EncoderOptions.defaults()
              .withBackend(backend)
              .withThreads(2)
              .withPooling(pooling)
              .withMaxTokensPerBatch(300);
      float[][] without;
      try (FrozenEncoder encoder = FrozenEncoder.load(directory, options.withPrefixReuse(false))) {
        without = encoder.encodeTokens(prompts);
      }
      try (FrozenEncoder encoder = FrozenEncoder.load(directory, options)) {
        float[][] with = encoder.encodeTokens(prompts);
        for (int i = 0; i < with.length; i++) {
          assertThat(with[i]).containsExactly(without[i], within(1e-5f));
        }
        long computed = 0;
        for (int[] batch : encoder.pack(prompts)) {
          computed += encoder.encodeBatch(prompts, batch, (prompt, vector) -> {});
        }
        long all = prompts.stream().mapToLong(prompt -> prompt.length).sum();
        assertThat(computed).isLessThan(all * 2 / 3);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.llm4msr.model.encoder.FrozenEncoderTest#backends")
  void theOrderOfThePromptsAndTheThreadsDoNotCount(String backend) {
    List<int[]> prompts = family(11, 50);
    Path directory = GoldenCase.directory("transformers/llama");
    for (boolean reuse : new boolean[] {true, false}) {
      EncoderOptions options =
          EncoderOptions.defaults()
              .withBackend(backend)
              .withThreads(1)
              .withMaxTokensPerBatch(200)
              .withPrefixReuse(reuse);
      float[][] vectors;
      try (FrozenEncoder encoder = FrozenEncoder.load(directory, options)) {
        vectors = encoder.encodeTokens(prompts);
      }
      List<Integer> order = new ArrayList<>(IntStream.range(0, 50).boxed().toList());
      Collections.shuffle(order, new Random(5));
      try (FrozenEncoder encoder = FrozenEncoder.load(directory, options.withThreads(3))) {
        float[][] shuffled = encoder.encodeTokens(order.stream().map(prompts::get).toList());
        for (int i = 0; i < 50; i++) {
          assertThat(shuffled[i]).isEqualTo(vectors[order.get(i)]);
        }
      }
    }
  }
}
