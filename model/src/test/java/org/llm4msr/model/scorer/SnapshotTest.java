package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.recommender.backbone.BackboneOption;
import org.llm4msr.model.recommender.backbone.External;
import org.llm4msr.model.recommender.backbone.ScenarioId;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.training.Predictions;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

/** A snapshot scores as evaluation does, whatever the backbone and the wiring. */
class SnapshotTest {
  private static final Map<String, String> SMALL =
      Map.of(
          "hidden", "21,9",
          "tower", "10",
          "auxiliary", "5",
          "scenario_dim", "3",
          "gate", "5",
          "hyper", "6",
          "rank", "3",
          "adapter", "4",
          "star", "11");

  @TempDir Path folder;

  @AfterEach
  void nothingStaysOpen() {
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private static Backbone small(BackboneKind kind, Map<String, String> given) {
    Map<String, String> options = new HashMap<>(given);
    for (BackboneOption option : kind.options()) {
      if (SMALL.containsKey(option.name())) {
        options.putIfAbsent(option.name(), SMALL.get(option.name()));
      }
    }
    return kind.build(options);
  }

  private static MetaConfig meta(UserMode user, ScenarioMode scenario, Fusion fusion, int rank) {
    return meta(user, scenario, fusion, rank, Generators.CENTRED);
  }

  private static MetaConfig meta(
      UserMode user, ScenarioMode scenario, Fusion fusion, int rank, Generators generators) {
    return new MetaConfig(
        user,
        List.of(5),
        0,
        false,
        scenario,
        List.of(4),
        rank,
        generators,
        Normalization.STANDARD,
        fusion,
        false);
  }

  private static MetaConfig both() {
    return meta(UserMode.RESIDUAL, ScenarioMode.BOTTOM, Fusion.ALPHA, 3);
  }

  static Stream<Arguments> models() {
    Stream<Arguments> networks =
        BackboneKind.networks().stream()
            .flatMap(kind ->
                Stream.of(
                    Arguments.of(small(kind, Map.of()), MetaConfig.off()),
                    Arguments.of(small(kind, Map.of()), both())));
    Stream<Arguments> variants =
        Stream.of(
            Arguments.of(small(BackboneKind.PLE, Map.of("levels", "3")), both()),
            Arguments.of(small(BackboneKind.APG, Map.of("condition", "row")), both()),
            Arguments.of(new External(List.of(4)), both()),
            Arguments.of(new External(List.of(4)), MetaConfig.off()),
            Arguments.of(new ScenarioId(small(BackboneKind.STAR, Map.of()), 3), MetaConfig.off()));
    Backbone bottom = new SharedBottom(List.of(18), List.of(7));
    Stream<Arguments> wirings =
        Stream.of(UserMode.values())
            .filter(user -> user != UserMode.LOGIT)
            .flatMap(user ->
                Stream.of(ScenarioMode.OFF, ScenarioMode.BOTTOM, ScenarioMode.FEATURES)
                    .flatMap(scenario ->
                        Stream.of(Fusion.values())
                            .map(fusion -> Arguments.of(bottom, meta(user, scenario, fusion, 3)))));
    Stream<Arguments> beside =
        Stream.of(Fusion.values())
            .flatMap(fusion ->
                Stream.of(
                    Arguments.of(bottom, meta(UserMode.LOGIT, ScenarioMode.CONTENT, fusion, 3)),
                    Arguments.of(bottom, meta(UserMode.LOGIT, ScenarioMode.OFF, fusion, 3)),
                    Arguments.of(bottom, meta(UserMode.OFF, ScenarioMode.CONTENT, fusion, 3)),
                    Arguments.of(
                        new External(List.of(4)),
                        meta(UserMode.LOGIT, ScenarioMode.CONTENT, fusion, 3))));
    Stream<Arguments> ranks =
        Stream.of(0, 1, 40)
            .map(rank ->
                Arguments.of(
                    bottom, meta(UserMode.RESIDUAL, ScenarioMode.FEATURES, Fusion.GATE, rank)));
    Stream<Arguments> affine =
        Stream.of(UserMode.REPLACE, UserMode.RESIDUAL)
            .map(user ->
                Arguments.of(
                    bottom, meta(user, ScenarioMode.BOTTOM, Fusion.ALPHA, 3, Generators.AFFINE)));
    return Stream.of(networks, variants, wirings, beside, ranks, affine).flatMap(s -> s);
  }

  @ParameterizedTest
  @MethodSource("models")
  void scoresAreThoseOfEvaluation(Backbone backbone, MetaConfig meta) {
    Path file = folder.resolve("model.snapshot");
    try (ScoredLog log = new ScoredLog(backbone, meta)) {
      Predictions expected = log.predict();
      for (boolean precompute : new boolean[] {true, false}) {
        log.export(file, precompute);
        try (Snapshot snapshot = Snapshot.open(file)) {
          assertScores(snapshot, log.dataset(), expected);
        }
      }
    }
  }

  @Test
  void everyInstructionSetAgrees() {
    Path file = folder.resolve("model.snapshot");
    Isa before = Isa.selected();
    for (BackboneKind kind : BackboneKind.networks()) {
      try (ScoredLog log = new ScoredLog(small(kind, Map.of()), both())) {
        Predictions expected = log.predict();
        log.export(file, true);
        for (Isa isa : Isa.values()) {
          if (isa.isSupported()) {
            isa.select();
            try (Snapshot snapshot = Snapshot.open(file)) {
              assertScores(snapshot, log.dataset(), expected);
            }
          }
        }
      } finally {
        before.select();
      }
    }
  }

  /** One request a row, as a row has a context and a logit of its own. */
  private static void assertScores(Snapshot snapshot, Dataset dataset, Predictions expected) {
    try (Scorer scorer = snapshot.scorer();
        Arena arena = Arena.ofConfined()) {
      MemorySegment item = arena.allocate(JAVA_INT);
      MemorySegment logit = arena.allocate(JAVA_FLOAT);
      MemorySegment probability = arena.allocate(JAVA_FLOAT);
      for (int i = 0; i < expected.rows().length; i++) {
        int row = expected.rows()[i];
        item.set(JAVA_INT, 0, snapshot.item(dataset.itemKey(dataset.item(row))));
        logit.set(JAVA_FLOAT, 0, dataset.external(row)[0]);
        int user = snapshot.user(dataset.userKey(dataset.user(row)));
        ScoredLog.setContext(scorer, dataset, row);
        if (snapshot.needsLogits()) {
          scorer.score(dataset.scenario(row), user, item, 1, logit, probability);
        } else {
          scorer.score(dataset.scenario(row), user, item, 1, probability);
        }
        assertThat((double) probability.get(JAVA_FLOAT, 0))
            .as("row %d", row)
            .isCloseTo(expected.probabilities()[i], within(1e-5));
      }
    }
  }

  @Test
  void manyItemsScoreAsEachAlone() {
    Path file = folder.resolve("model.snapshot");
    try (ScoredLog log = new ScoredLog(small(BackboneKind.STAR, Map.of()), both(), new Folds(3))) {
      log.export(file, true);
    }
    Random random = new Random(3);
    try (Snapshot snapshot = Snapshot.open(file);
        Scorer many = snapshot.scorer(4);
        Scorer alone = snapshot.scorer()) {
      for (int n : new int[] {0, 1, 2, 15, 16, 17, 47, 48, 49, 95, 97, 300}) {
        int[] items = random.ints(n, -1, snapshot.items()).toArray();
        int user = random.nextInt(-1, snapshot.users());
        float[] together = new float[n];
        many.score(1, user, items, together);
        float[] one = new float[1];
        for (int i = 0; i < n; i++) {
          alone.score(1, user, new int[] {items[i]}, one);
          assertThat(together[i]).isCloseTo(one[0], within(1e-6f));
        }
        many.score(1, user, items, together);
        int[] best = new int[5];
        int found = many.topK(1, user, items, best);
        assertThat(found).isEqualTo(Math.min(5, n));
        Integer[] sorted = java.util.stream.IntStream.range(0, n).boxed().toArray(Integer[]::new);
        java.util.Arrays.sort(sorted, (a, b) -> Float.compare(together[b], together[a]));
        for (int i = 0; i < found; i++) {
          assertThat(best[i]).isEqualTo(sorted[i]);
        }
      }
    }
  }

  @Test
  void aRequestAllocatesNothing() {
    Path file = folder.resolve("model.snapshot");
    try (ScoredLog log = new ScoredLog(small(BackboneKind.STAR, Map.of()), both())) {
      log.export(file, true);
    }
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (Snapshot snapshot = Snapshot.open(file);
        Scorer scorer = snapshot.scorer();
        Arena arena = Arena.ofConfined()) {
      MemorySegment items = arena.allocate(JAVA_INT, 60);
      MemorySegment probabilities = arena.allocate(JAVA_FLOAT, 60);
      // What the interpreter and the compiler allocate ends once the code is compiled.
      long allocated = Long.MAX_VALUE;
      for (int round = 0; round < 200 && allocated > 0; round++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int request = 0; request < 500; request++) {
          scorer.score(request % 3, request % 29, items, 60, probabilities);
        }
        allocated = threads.getCurrentThreadAllocatedBytes() - before;
      }
      assertThat(allocated).isZero();
    }
  }

  /** Nobody knows them: they score as one about whom nothing is known. */
  @Test
  void unknownUsersAndItemsScoreAsThoseWithoutAnyFeature() {
    Path file = folder.resolve("model.snapshot");
    try (ScoredLog log = new ScoredLog(small(BackboneKind.MMOE, Map.of()), both())) {
      log.export(file, true);
    }
    try (Snapshot snapshot = Snapshot.open(file);
        Scorer scorer = snapshot.scorer()) {
      assertThat(snapshot.user("stranger")).isEqualTo(Snapshot.UNKNOWN);
      int[] items = {snapshot.item("nothing"), snapshot.item("new"), 3};
      float[] unknown = new float[3];
      float[] empty = new float[3];
      scorer.score(0, Snapshot.UNKNOWN, items, unknown);
      scorer.score(0, snapshot.user("nobody"), items, empty);
      assertThat(unknown).containsExactly(empty);
      assertThat(unknown[0]).isEqualTo(unknown[1]);
      for (int[] wrong : new int[][] {{snapshot.items()}, {-2}}) {
        assertThatThrownBy(() -> scorer.score(0, 0, wrong, new float[1]))
            .isInstanceOf(IllegalArgumentException.class);
      }
      assertThatThrownBy(() -> scorer.score(3, 0, items, unknown))
          .hasMessageContaining("scenario 3");
      assertThatThrownBy(() -> scorer.score(0, snapshot.users(), items, unknown))
          .hasMessageContaining("user");
    }
  }

  @Test
  void theFileIsTheSameEachTimeAndStaysMappedForItsScorers() throws IOException {
    Path first = folder.resolve("a");
    Path second = folder.resolve("b");
    for (Path file : List.of(first, second)) {
      try (ScoredLog log = new ScoredLog(small(BackboneKind.PLE, Map.of()), both())) {
        log.export(file, true);
      }
    }
    assertThat(Files.mismatch(first, second)).isEqualTo(-1);
    Snapshot snapshot = Snapshot.open(first);
    Scorer scorer = snapshot.scorer();
    snapshot.close();
    snapshot.close();
    scorer.score(0, 0, new int[] {1, 2}, new float[2]);
    scorer.close();
    assertThatThrownBy(() -> scorer.score(0, 0, new int[] {1}, new float[1]))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(snapshot::scorer).hasMessageContaining("closed");
  }

  @Test
  void damagedSnapshotsAreRefused() throws IOException {
    Path file = folder.resolve("model.snapshot");
    try (ScoredLog log = new ScoredLog(small(BackboneKind.STAR, Map.of()), both())) {
      log.export(file, true);
    }
    byte[] whole = Files.readAllBytes(file);
    Path broken = folder.resolve("broken");
    Random random = new Random(11);
    for (int i = 0; i < 1_000; i++) {
      byte[] changed = whole.clone();
      // The first 64 bytes hold zeros that nobody reads; the checksum covers them too.
      changed[random.nextInt(changed.length)] ^= (byte) (1 << random.nextInt(8));
      Files.write(
          broken,
          i % 4 == 3 ? java.util.Arrays.copyOf(whole, random.nextInt(whole.length)) : changed);
      assertThatThrownBy(() -> Snapshot.open(broken))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("broken")
          .hasMessageContaining("snapshot");
    }
    byte[] future = whole.clone();
    future[8] = 5;
    Files.write(broken, future);
    assertThatThrownBy(() -> Snapshot.open(broken)).hasMessageContaining("format 5");
  }

  /** Damage with a checksum that fits: no program leaves its memory, whatever it is. */
  @ParameterizedTest
  @EnumSource(Precision.class)
  void forgedSnapshotsDoNoHarm(Precision precision) throws IOException {
    Path file = folder.resolve("model.snapshot");
    try (ScoredLog log = new ScoredLog(small(BackboneKind.STAR, Map.of()), both())) {
      log.export(file, new SnapshotWriter.Options(true, precision));
    }
    byte[] whole = Files.readAllBytes(file);
    Random random = new Random(13);
    Path forged = folder.resolve("forged");
    int opened = 0;
    for (int i = 0; i < 1_500; i++) {
      byte[] changed = whole.clone();
      // The programs come first, the directory last.
      int reach = Math.min(5_000, changed.length - 96);
      int at =
          switch (i % 3) {
            case 0 -> 64 + random.nextInt(reach);
            case 1 -> changed.length - 32 - random.nextInt(reach);
            default -> 64 + random.nextInt(changed.length - 96);
          };
      changed[at] = (byte) random.nextInt(256);
      ByteBuffer buffer = ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN);
      CRC32C crc = new CRC32C();
      crc.update(changed, 0, changed.length - 16);
      buffer.putLong(changed.length - 16, crc.getValue());
      Files.write(forged, changed);
      try (Snapshot snapshot = Snapshot.open(forged);
          Scorer scorer = snapshot.scorer()) {
        opened++;
        for (int scenario = 0; scenario < snapshot.scenarios().size(); scenario++) {
          scorer.score(scenario, Snapshot.UNKNOWN, new int[] {-1, 0, 2}, new float[3]);
        }
        snapshot.user("u1");
      } catch (UserError e) {
        assertThat(e).hasMessageContaining("forged");
      }
    }
    assertThat(opened).isBetween(100, 1_400);
  }

  /** As in docs/embedding.md. */
  @Test
  void theExampleOfTheDocumentation() {
    Path path = folder.resolve("star.snapshot");
    try (ScoredLog log = new ScoredLog(small(BackboneKind.STAR, Map.of()), both())) {
      log.export(path, true);
    }
    try (Snapshot snapshot = Snapshot.open(path);
        Scorer scorer = snapshot.scorer()) {
      int scenario = snapshot.scenario("web");
      int user = snapshot.user("u7");
      int[] items = {snapshot.item("i2"), snapshot.item("i9")};
      float[] probabilities = new float[items.length];
      scorer.score(scenario, user, items, probabilities);
      int[] best = new int[1];
      scorer.topK(scenario, user, items, best);
      assertThat(best[0]).isEqualTo(probabilities[0] < probabilities[1] ? 1 : 0);
    }
  }
}
