package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
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

/** Snapshots whose matrices and tables are BF16 or of 8 bits. */
class RoundedSnapshotTest {
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

  private static final List<Precision> ROUNDED = List.of(Precision.BF16, Precision.INT8);

  @TempDir Path folder;

  private Path exported(ScoredLog log, String name, boolean precompute, Precision precision) {
    Path file = folder.resolve(name);
    log.export(file, new SnapshotWriter.Options(precompute, precision));
    return file;
  }

  /**
   * Mean distance to evaluation: a number in BF16 is off by 2^-9 of itself, of 8 bits by 2^-8 of
   * the largest.
   */
  private static double bound(Precision precision) {
    return precision == Precision.BF16 ? 0.01 : 0.02;
  }

  @ParameterizedTest
  @MethodSource("org.llm4msr.model.scorer.SnapshotTest#models")
  void scoresLieBesideEvaluations(Backbone backbone, MetaConfig meta) {
    try (ScoredLog log = new ScoredLog(backbone, meta)) {
      Predictions evaluated = log.predict();
      for (Precision precision : ROUNDED) {
        for (boolean precompute : new boolean[] {true, false}) {
          try (Snapshot snapshot = Snapshot.open(exported(log, "file", precompute, precision))) {
            assertThat(snapshot.precision()).isEqualTo(precision);
            double[] scores = scores(snapshot, log.dataset(), evaluated);
            assertThat(distance(scores, evaluated.probabilities()))
                .as("%s", precision)
                .isLessThan(bound(precision));
          }
        }
      }
    }
  }

  /**
   * A rounded number is off by 2^-9 of itself at most; logits of a few layers by a few of that. An
   * activation in the middle between two rounded numbers may fall to either side, by the order in
   * which a set adds.
   */
  @ParameterizedTest
  @EnumSource(names = {"BF16", "INT8"})
  void instructionSetsAgree(Precision precision) {
    Isa before = Isa.selected();
    for (BackboneKind kind : List.of(BackboneKind.STAR, BackboneKind.PLE, BackboneKind.APG)) {
      Backbone backbone = kind.build(Map.of());
      for (boolean precompute : new boolean[] {true, false}) {
        try (ScoredLog log = new ScoredLog(backbone, META);
            Snapshot snapshot = Snapshot.open(exported(log, "file", precompute, precision))) {
          Predictions evaluated = log.predict();
          Isa.REF.select();
          double[] expected = scores(snapshot, log.dataset(), evaluated);
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
    try (Scorer scorer = snapshot.scorer();
        Arena arena = Arena.ofConfined()) {
      MemorySegment item = arena.allocate(JAVA_INT);
      MemorySegment logit = arena.allocate(JAVA_FLOAT);
      MemorySegment one = arena.allocate(JAVA_FLOAT);
      for (int i = 0; i < scores.length; i++) {
        int row = rows.rows()[i];
        ScoredLog.setContext(scorer, dataset, row);
        item.set(JAVA_INT, 0, dataset.item(row));
        logit.set(JAVA_FLOAT, 0, dataset.external(row)[0]);
        scorer.score(dataset.scenario(row), dataset.user(row), item, 1, logit, one);
        scores[i] = one.get(JAVA_FLOAT, 0);
      }
    }
    return scores;
  }

  @Test
  void filesAreSmallerAndTheSameEachTime() throws IOException {
    SharedBottom backbone = new SharedBottom(List.of(200), List.of(100));
    try (ScoredLog log = new ScoredLog(backbone, META)) {
      Path full = exported(log, "full", true, Precision.F32);
      for (Precision precision : ROUNDED) {
        Path first = exported(log, "first", true, precision);
        Path second = exported(log, "second", true, precision);
        assertThat(Files.mismatch(first, second)).isEqualTo(-1);
        int percent = precision == Precision.BF16 ? 60 : 40;
        assertThat(Files.size(first)).isLessThan(Files.size(full) * percent / 100);
      }
    }
  }
}
