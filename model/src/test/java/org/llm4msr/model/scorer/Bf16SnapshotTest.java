package org.llm4msr.model.scorer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.training.Predictions;

/** Snapshots whose matrices and tables are BF16. */
class Bf16SnapshotTest {
  private static final MetaConfig META =
      new MetaConfig(
          UserMode.RESIDUAL,
          List.of(5),
          0,
          false,
          ScenarioMode.BOTTOM,
          List.of(4),
          3,
          Generators.AFFINE,
          Normalization.STANDARD,
          Fusion.ALPHA,
          false);

  @TempDir Path folder;

  private Path exported(ScoredLog log, String name, boolean precompute, boolean bf16) {
    Path file = folder.resolve(name);
    log.export(file, new SnapshotWriter.Options(precompute, bf16));
    return file;
  }

  /**
   * A rounded number is off by 2^-9 of itself at most; logits of a few layers by a few of that. An
   * activation in the middle between two BF16 numbers may fall to either side, by the order in
   * which a set adds.
   */
  @Test
  void scoresLieBesideEvaluationsAndInstructionSetsAgree() {
    Isa before = Isa.selected();
    for (BackboneKind kind : List.of(BackboneKind.STAR, BackboneKind.PLE, BackboneKind.APG)) {
      Backbone backbone = kind.build(Map.of());
      for (boolean precompute : new boolean[] {true, false}) {
        try (ScoredLog log = new ScoredLog(backbone, META);
            Snapshot snapshot = Snapshot.open(exported(log, "half", precompute, true))) {
          assertThat(snapshot.isBf16()).isTrue();
          Predictions evaluated = log.predict();
          Isa.REF.select();
          double[] expected = scores(snapshot, log.dataset(), evaluated);
          assertThat(distance(expected, evaluated.probabilities())).as("%s", kind).isLessThan(0.01);
          for (Isa isa : Isa.values()) {
            if (isa.isSupported()) {
              isa.select();
              double[] scores = scores(snapshot, log.dataset(), evaluated);
              assertThat(scores).as("%s, %s", kind, isa).containsExactly(expected, within(5e-3));
              assertThat(distance(scores, expected)).as("%s, %s", kind, isa).isLessThan(2e-4);
            }
          }
        } finally {
          before.select();
        }
      }
    }
  }

  /** Mean absolute difference. */
  private static double distance(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += Math.abs(a[i] - b[i]);
    }
    return sum / a.length;
  }

  private static double[] scores(Snapshot snapshot, Dataset dataset, Predictions rows) {
    double[] scores = new double[rows.rows().length];
    try (Scorer scorer = snapshot.scorer()) {
      float[] one = new float[1];
      for (int i = 0; i < scores.length; i++) {
        int row = rows.rows()[i];
        ScoredLog.setContext(scorer, dataset, row);
        scorer.score(dataset.scenario(row), dataset.user(row), new int[] {dataset.item(row)}, one);
        scores[i] = one[0];
      }
    }
    return scores;
  }

  @Test
  void filesAreSmallerAndTheSameEachTime() throws IOException {
    SharedBottom backbone = new SharedBottom(List.of(200), List.of(100));
    try (ScoredLog log = new ScoredLog(backbone, META)) {
      Path full = exported(log, "full", true, false);
      Path first = exported(log, "first", true, true);
      Path second = exported(log, "second", true, true);
      assertThat(Files.mismatch(first, second)).isEqualTo(-1);
      assertThat(Files.size(first)).isLessThan(Files.size(full) * 6 / 10);
    }
  }
}
