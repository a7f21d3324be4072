package org.llm4msr.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.llm4msr.model.SharedFolder;

/** The examples of the README, as somebody who embeds the engine writes them. */
class EmbeddingExampleTest {
  @Test
  void vectorsForTexts() {
    Path model = SharedFolder.require("weights/tinystories-656k");

    EncoderOptions options = EncoderOptions.defaults().withPooling(Pooling.LAST_PROMPT);
    try (FrozenEncoder encoder = FrozenEncoder.load(model, options)) {
      float[][] vectors = encoder.encode(List.of("Likes trail running shoes", "Likes espresso"));

      assertThat(vectors.length).isEqualTo(2);
      assertThat(vectors[0]).hasSize(encoder.width());
    }
  }

  @Test
  void textForText() {
    Path model = SharedFolder.require("weights/tinystories-656k");
    StringBuilder screen = new StringBuilder();

    try (FrozenEncoder encoder = FrozenEncoder.load(model, EncoderOptions.defaults())) {
      GenerationOptions generation = GenerationOptions.greedy(20).withSampling(0.8, 0.95, 1);
      String text = encoder.generate("Somebody who likes tents", generation, screen::append);

      assertThat(text).isEqualTo(screen.toString()).isNotEmpty();
    }
  }
}
