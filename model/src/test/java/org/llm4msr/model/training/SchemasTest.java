package org.llm4msr.model.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.SplitRule;

class SchemasTest {
  /** Against batches that are drawn; folds of a user are not quite equal. */
  @ParameterizedTest
  @CsvSource({"0,1", "0,20", "0,300", "2,20", "2,300", "5,300"})
  void expectsRowsForEachVector(int folds, int batch) {
    SplitRule split = new SplitRule.ByTime(new SplitRule.Ratios(8, 1, 1));
    try (Dataset dataset = PlantedLog.of(9000, 60, split, 3).dataset()) {
      Folds profiles = new Folds(folds);
      int[] vectors =
          IntStream.range(0, dataset.rows())
              .filter(row -> dataset.split(row) == Split.TRAIN)
              .map(row -> profiles.profile(dataset, row))
              .toArray();
      Random random = new Random(4);
      long distinct = 0;
      int batches = 2000;
      for (int i = 0; i < batches; i++) {
        distinct +=
            random.ints(batch, 0, vectors.length).map(row -> vectors[row]).distinct().count();
      }
      assertThat(Schemas.rowsPerVector(dataset, folds, batch))
          .isCloseTo((double) batch * batches / distinct, withinPercentage(5));
    }
  }
}
