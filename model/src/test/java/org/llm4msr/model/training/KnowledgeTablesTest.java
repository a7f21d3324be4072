package org.llm4msr.model.training;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.recommender.MetaConfig.Normalization;

class KnowledgeTablesTest {
  /** With two folds each user has three vectors; who lacks all of them counts once. */
  @Test
  void usersAreCountedAndNotTheirVectors() {
    PlantedLog log =
        PlantedLog.of(300, 6, new SplitRule.Random(new SplitRule.Ratios(0.8, 0.1, 0.1), 3), 4);
    Set<String> missing =
        Set.of("user/u1", "user/u1#fold1", "user/u1#fold2", "user/u4#fold2", "user/u5#fold1");
    KnowledgeVectors vectors =
        new KnowledgeVectors() {
          @Override
          public int width() {
            return 2;
          }

          @Override
          public boolean read(String id, float[] vector) {
            vector[0] = id.length();
            return !missing.contains(id);
          }
        };
    KnowledgeTables tables = new KnowledgeTables(vectors, new Folds(2), Normalization.NONE);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment table = arena.allocate(6L * 3 * 2 * Float.BYTES, Float.BYTES);
      assertThat(tables.fillUsers(log.dataset(), table))
          .isEqualTo(new KnowledgeTables.Coverage(6, 1, 2));
    }
  }
}
