package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.FieldOptions;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.backend.cpu.CpuProvider;

/** A table so large that its rows take Adam's steps when they are read. */
class LargeTableTest {
  private static final int ROWS = 1_200;

  @TempDir private Path folder;

  @BeforeEach
  void needsKernels() {
    assumeTrue(new CpuProvider().availability().available(), "no kernels for this machine");
  }

  /** Users are hashed into 70,000 rows of 16 numbers; half of them like everything. */
  private static Dataset log() {
    Random random = new Random(3);
    DatasetBuilder builder =
        new DatasetBuilder("log", "", List.of(new Scenario("web"), new Scenario("store")));
    for (int row = 0; row < ROWS; row++) {
      int user = random.nextInt(60);
      int label = random.nextDouble() < (user % 2 == 0 ? 0.8 : 0.2) ? 1 : 0;
      builder.row(
          builder.user("u" + user),
          builder.item("i" + random.nextInt(9)),
          random.nextInt(2),
          label,
          null,
          row);
    }
    builder.split(new SplitRule.Random(new SplitRule.Ratios(8, 1, 1), 1));
    builder.userIdField(new FieldOptions(1, 70_000, 16, ""));
    builder.itemIdField(1);
    return builder.build();
  }

  private static Trainer trainer(Backend backend, Dataset log) {
    RecommenderConfig model =
        new RecommenderConfig(4, 0.05, new SharedBottom(List.of(8), List.of(4)), MetaConfig.off());
    OptimizerConfig adam = new OptimizerConfig(1e-2, .9, .999, 1e-8, 1e-4, 1e-5, 0, false, 0.5);
    TrainingConfig training = new TrainingConfig(7, 64, 4, 0, StopMetric.AUC, 5, 7, adam);
    return new Trainer(backend, log, null, model, training);
  }

  private static Map<String, byte[]> weights(Trainer trainer) {
    Map<String, byte[]> weights = new HashMap<>();
    for (String name : trainer.parameters().names()) {
      weights.put(name, trainer.parameters().get(name).segment().toArray(JAVA_BYTE));
    }
    return weights;
  }

  @Test
  void learnsWhatTheReferenceLearns() {
    Dataset log = log();
    try (Backend cpu = Backends.open("cpu", new BackendOptions(2));
        Backend reference = Backends.open("reference", new BackendOptions(1));
        Trainer ours = trainer(cpu, log);
        Trainer theirs = trainer(reference, log)) {
      ours.fit(new TrainingListener() {}, () -> false);
      theirs.fit(new TrainingListener() {}, () -> false);
      for (int i = 0; i < theirs.history().size(); i++) {
        HistoryEntry entry = ours.history().get(i);
        HistoryEntry expected = theirs.history().get(i);
        assertThat(entry.validLogLoss()).isCloseTo(expected.validLogLoss(), within(1e-4));
        assertThat(entry.trainLoss()).isCloseTo(expected.trainLoss(), within(1e-4));
      }
      assertThat(ours.history()).hasSameSizeAs(theirs.history());
    }
  }

  @Test
  void interruptedAndResumedItLearnsTheSameBits() {
    Dataset log = log();
    Path file = folder.resolve("checkpoint");
    try (Backend backend = Backends.open("cpu", new BackendOptions(2))) {
      Map<String, byte[]> undisturbed;
      try (Trainer trainer = trainer(backend, log)) {
        trainer.fit(new TrainingListener() {}, () -> false);
        undisturbed = weights(trainer);
      }
      Trainer.Outcome outcome = Trainer.Outcome.INTERRUPTED;
      int parts = 0;
      while (outcome == Trainer.Outcome.INTERRUPTED) {
        try (Trainer trainer = trainer(backend, log)) {
          trainer.checkpointTo(file, "large");
          if (Files.exists(file)) {
            trainer.resume();
          }
          long until = trainer.step() + 9;
          outcome = trainer.fit(new TrainingListener() {}, () -> trainer.step() >= until);
          parts++;
          if (outcome == Trainer.Outcome.FINISHED) {
            assertThat(weights(trainer)).containsExactlyInAnyOrderEntriesOf(undisturbed);
          }
        }
      }
      assertThat(parts).isGreaterThan(4);
    }
  }
}
