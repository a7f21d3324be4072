package org.llm4msr.app.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.llm4msr.model.SharedFolder;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Split;

/** The numbers were counted with Python's csv module. */
class RealDataTest {
  private static Dataset load(String name) {
    Path data = SharedFolder.require("data/" + name).getParent();
    return DatasetLoader.load(
        DataDescription.read(Path.of("../docs/datasets", name + ".yaml"), data));
  }

  private static long positives(Dataset dataset) {
    long positives = 0;
    for (int row = 0; row < dataset.rows(); row++) {
      positives += dataset.label(row);
    }
    return positives;
  }

  private static int[] rowsPerScenario(Dataset dataset) {
    int[] rows = new int[dataset.scenarios().size()];
    for (int row = 0; row < dataset.rows(); row++) {
      rows[dataset.scenario(row)]++;
    }
    return rows;
  }

  @Test
  void anime() {
    try (Dataset dataset = load("anime")) {
      assertThat(dataset.rows()).isEqualTo(419_943);
      assertThat(dataset.users()).isEqualTo(4_714);
      assertThat(dataset.items()).isEqualTo(7_390);
      assertThat(dataset.count(Split.TRAIN)).isEqualTo(336_053);
      assertThat(dataset.count(Split.VALID)).isEqualTo(41_983);
      assertThat(rowsPerScenario(dataset)).containsExactly(288_869, 56_173, 74_901);
      assertThat(positives(dataset)).isEqualTo(254_581);
      assertThat(dataset.fields())
          .extracting("name")
          .containsExactly("user", "item", "genre", "episodes");
      assertThat(dataset.fields().getFirst().vocabulary().size()).isEqualTo(4_672 + 1);
      assertThat(dataset.fields().get(1).vocabulary().size()).isEqualTo(6_902 + 1);
    }
  }

  @Test
  void ml100k() {
    try (Dataset dataset = load("ml-100k")) {
      assertThat(dataset.rows()).isEqualTo(100_000);
      assertThat(dataset.users()).isEqualTo(943);
      assertThat(dataset.count(Split.TRAIN)).isEqualTo(80_000);
      assertThat(rowsPerScenario(dataset)).containsExactly(26_551, 35_444, 38_005);
      assertThat(positives(dataset)).isEqualTo(55_375);
      assertThat(dataset.fields().getFirst().vocabulary().size()).isEqualTo(751 + 1);
      assertThat(dataset.time(0)).isEqualTo(874_724_710L);
    }
  }
}
