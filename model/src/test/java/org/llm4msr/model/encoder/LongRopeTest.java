package org.llm4msr.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rope that turns long sequences otherwise; {@link VariantsTest} says how. */
class LongRopeTest {
  private static final int ORIGINAL = 20;

  @TempDir Path folder;

  @BeforeEach
  void write() throws IOException {
    VariantsTest.write(folder, "phi3", VariantsTest.longRope("longrope", ORIGINAL));
  }

  private static EncoderOptions options() {
    return EncoderOptions.defaults().withThreads(2);
  }

  /** Beginnings of one text, most of them shared, on both sides of the length. */
  private static List<int[]> prompts() {
    int[] text = new Random(8).ints(48, 0, 384).toArray();
    List<int[]> prompts = new ArrayList<>();
    for (int length = 1; length <= text.length; length += 3) {
      prompts.add(Arrays.copyOf(text, length));
    }
    prompts.add(Arrays.copyOf(text, ORIGINAL));
    prompts.add(Arrays.copyOf(text, ORIGINAL + 1));
    return prompts;
  }

  @Test
  void promptsOfAllLengthsTogetherAreAsEachAlone() {
    for (boolean reuse : new boolean[] {true, false}) {
      try (FrozenEncoder encoder = FrozenEncoder.load(folder, options().withPrefixReuse(reuse))) {
        float[][] together = encoder.encodeTokens(prompts());
        for (int i = 0; i < together.length; i++) {
          float[] alone = encoder.encodeTokens(List.of(prompts().get(i)))[0];
          assertThat(together[i]).containsExactly(alone, within(1e-5f));
        }
      }
    }
  }

  @Test
  void aTextThatGrowsLongIsReadAnew() {
    try (FrozenEncoder encoder = FrozenEncoder.load(folder, options())) {
      int switched = 0;
      List<int[]> prompts = prompts();
      List<int[]> texts =
          encoder.generate(prompts, GenerationOptions.greedy(8).withoutStop(), (_, _) -> {});
      for (int i = 0; i < texts.size(); i++) {
        int[] prompt = prompts.get(i);
        int[] all = Arrays.copyOf(prompt, prompt.length + 8);
        for (int at = prompt.length; at < all.length; at++) {
          float[] logits = encoder.logits(Arrays.copyOf(all, at));
          all[at] = best(logits);
          assertThat(texts.get(i)[at - prompt.length]).isEqualTo(all[at]);
        }
        switched += prompt.length <= ORIGINAL && all.length > ORIGINAL ? 1 : 0;
      }
      assertThat(switched).isGreaterThan(1);
    }
  }

  private static int best(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  @Test
  void aGgufFileSaysTheSame() throws IOException {
    Path file = folder.resolve("phi3.gguf");
    Files.write(file, new GgufConverter(folder).convert());
    float[][] expected;
    try (FrozenEncoder encoder = FrozenEncoder.load(folder, options())) {
      expected = encoder.encodeTokens(prompts());
    }
    try (FrozenEncoder encoder = FrozenEncoder.load(file, options())) {
      float[][] vectors = encoder.encodeTokens(prompts());
      for (int i = 0; i < vectors.length; i++) {
        assertThat(vectors[i]).containsExactly(expected[i], within(1e-5f));
      }
    }
  }
}
