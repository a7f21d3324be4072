package org.llm4msr.model.scorer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.runtime.memory.AllocationTracker;

/** Requests while snapshots are replaced and learn of users; the long form is bench's SwapSoak. */
class LiveKnowledgeTest {
  private static final int THREADS = 4;
  private static final int ROUNDS = 60;
  private static final int[] ITEMS = {0, 5, -1, 17, 40};
  private static final List<String> USERS = List.of("u3", "u4", "new", "nobody at all");

  /** A file, and how many users' knowledge came after it. */
  private record Version(Path file, int updated) {}

  @TempDir Path folder;

  private static MetaConfig meta() {
    return new MetaConfig(
        UserMode.RESIDUAL,
        List.of(5),
        0,
        false,
        ScenarioMode.BOTTOM,
        List.of(4),
        3,
        Generators.CENTRED,
        Normalization.STANDARD,
        Fusion.ALPHA,
        false);
  }

  @Test
  void everyScoreIsThatOfTheVersionThatWasAsked() throws Exception {
    List<Path> files = new ArrayList<>();
    for (int width : new int[] {8, 20}) {
      Path file = folder.resolve("model" + width);
      try (ScoredLog log = new ScoredLog(new SharedBottom(List.of(width), List.of(5)), meta())) {
        log.export(file, true);
      }
      files.add(file);
    }
    Path first = folder.resolve("first");
    Vectors.write(first, Map.of("user/u3", Vectors.random(ScoredLog.WIDTH, 1)));
    Path second = folder.resolve("second");
    Map<String, float[]> vectors = new LinkedHashMap<>();
    vectors.put("user/u3", Vectors.random(ScoredLog.WIDTH, 2));
    vectors.put("user/new", Vectors.random(ScoredLog.WIDTH, 3));
    Vectors.write(second, vectors);
    Map<Version, float[][]> expected = new HashMap<>();
    Isa before = Isa.selected();
    Isa.REF.select();
    try {
      for (Path file : files) {
        try (Snapshot plain = Snapshot.open(file);
            Snapshot once = plain.withKnowledge(first);
            Snapshot twice = once.withKnowledge(second)) {
          for (Snapshot snapshot : List.of(plain, once, twice)) {
            expected.put(version(snapshot), scores(snapshot));
          }
        }
      }
    } finally {
      before.select();
    }
    assertThat(expected).hasSize(6);
    AtomicBoolean done = new AtomicBoolean();
    try (LiveSnapshot live = new LiveSnapshot(Snapshot.open(files.getFirst()));
        ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
      List<Future<Integer>> requests = new ArrayList<>();
      for (int t = 0; t < THREADS; t++) {
        requests.add(threads.submit(requests(live, expected, done)));
      }
      for (int round = 1; round <= ROUNDS; round++) {
        assertThat(live.update(first)).isEqualTo(new KnowledgeUpdate(0, 1, 0));
        assertThat(live.update(second)).isEqualTo(new KnowledgeUpdate(1, 1, 0));
        live.replace(Snapshot.open(files.get(round % files.size())));
      }
      done.set(true);
      for (Future<Integer> request : requests) {
        assertThat(request.get()).isPositive();
      }
    }
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private static Version version(Snapshot snapshot) {
    return new Version(snapshot.path(), snapshot.updatedUsers());
  }

  private static float[][] scores(Snapshot snapshot) {
    float[][] scores = new float[USERS.size()][ITEMS.length];
    try (Scorer scorer = snapshot.scorer()) {
      for (int u = 0; u < USERS.size(); u++) {
        scorer.score(1, snapshot.user(USERS.get(u)), ITEMS, scores[u]);
      }
    }
    return scores;
  }

  private static Callable<Integer> requests(
      LiveSnapshot live, Map<Version, float[][]> expected, AtomicBoolean done) {
    return () -> {
      float[] probabilities = new float[ITEMS.length];
      int count = 0;
      Scorer scorer = null;
      do {
        scorer = live.renew(scorer);
        Snapshot snapshot = scorer.snapshot();
        int asked = count % USERS.size();
        scorer.score(1, snapshot.user(USERS.get(asked)), ITEMS, probabilities);
        float[] correct = expected.get(version(snapshot))[asked];
        for (int i = 0; i < ITEMS.length; i++) {
          assertThat(Math.abs(probabilities[i] - correct[i])).isLessThan(1e-5f);
        }
        count++;
      } while (!done.get());
      scorer.close();
      return count;
    };
  }
}
