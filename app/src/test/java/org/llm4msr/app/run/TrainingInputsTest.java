package org.llm4msr.app.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.run.ModelSettings.VectorSource;
import org.llm4msr.app.run.RunConfig.DataSource;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.training.KnowledgeVectors;
import org.llm4msr.model.training.StopMetric;
import org.llm4msr.model.training.TrainingConfig;

class TrainingInputsTest {
  @TempDir private Path folder;

  private static RunConfig config(TrainingInputs inputs, VectorSource source, long seed) {
    RunConfig example = new RunConfigTest().example();
    ModelSettings model = example.model().withVectors(source);
    return new RunConfig(
        new DataSource("/a", "/data", Map.of(), "", "d1"),
        inputs.knowledgeSource(model),
        model,
        new TrainingConfig(seed, 64, 3, 2, StopMetric.AUC, 0, 0, OptimizerConfig.adam(0.1, false)),
        example.environment());
  }

  private static float[] vector(TrainingInputs inputs, VectorSource source, long seed) {
    KnowledgeVectors vectors = inputs.knowledgeFor(config(inputs, source, seed)).vectors();
    float[] vector = new float[vectors.width()];
    assertThat(vectors.read("user/u3", vector)).isTrue();
    return vector;
  }

  /** Or the control would show what one draw does by chance, with the same sign in every run. */
  @Test
  void everySeedDrawsRandomVectorsOfItsOwn() throws IOException {
    TinyShop shop = TinyShop.write(folder, 60);
    try (TrainingInputs inputs =
        TrainingInputs.load(
            Path.of(shop.data()), Path.of(shop.knowledge()), Map.of(), warning -> {})) {
      float[] first = vector(inputs, VectorSource.RANDOM, 1);
      assertThat(vector(inputs, VectorSource.RANDOM, 2)).isNotEqualTo(first);
      assertThat(vector(inputs, VectorSource.RANDOM, 1)).isEqualTo(first);
      assertThat(vector(inputs, VectorSource.LLM, 2))
          .isEqualTo(vector(inputs, VectorSource.LLM, 1))
          .isNotEqualTo(first);
    }
  }
}
