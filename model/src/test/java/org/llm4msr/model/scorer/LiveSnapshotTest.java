package org.llm4msr.model.scorer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.runtime.memory.AllocationTracker;

class LiveSnapshotTest {
  private static final int THREADS = 4;
  private static final int SWAPS = 200;
  private static final int[] ITEMS = {0, 5, -1, 17, 40};

  @TempDir Path folder;

  /** Every score is that of the snapshot it was asked of, however often that is replaced. */
  @Test
  void requestsRunWhileTheSnapshotIsReplaced() throws Exception {
    List<Path> files = new ArrayList<>();
    Map<Path, float[]> expected = new HashMap<>();
    for (int width : new int[] {8, 20, 33}) {
      Path file = folder.resolve("model" + width);
      SharedBottom backbone = new SharedBottom(List.of(width), List.of(5));
      try (ScoredLog log = new ScoredLog(backbone, MetaConfig.off())) {
        log.export(file, true);
      }
      try (Snapshot snapshot = Snapshot.open(file);
          Scorer scorer = snapshot.scorer()) {
        float[] probabilities = new float[ITEMS.length];
        scorer.score(1, 3, ITEMS, probabilities);
        expected.put(file, probabilities);
      }
      files.add(file);
    }
    AtomicBoolean done = new AtomicBoolean();
    try (LiveSnapshot live = new LiveSnapshot(Snapshot.open(files.getFirst()));
        ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
      List<Future<Integer>> requests = new ArrayList<>();
      for (int t = 0; t < THREADS; t++) {
        requests.add(threads.submit(requests(live, expected, done)));
      }
      for (int swap = 1; swap <= SWAPS; swap++) {
        live.replace(Snapshot.open(files.get(swap % files.size())));
      }
      done.set(true);
      for (Future<Integer> request : requests) {
        assertThat(request.get()).isPositive();
      }
    }
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private static Callable<Integer> requests(
      LiveSnapshot live, Map<Path, float[]> expected, AtomicBoolean done) {
    return () -> {
      float[] probabilities = new float[ITEMS.length];
      int count = 0;
      Scorer scorer = null;
      do {
        scorer = live.renew(scorer);
        scorer.score(1, 3, ITEMS, probabilities);
        assertThat(probabilities).containsExactly(expected.get(scorer.snapshot().path()));
        count++;
      } while (!done.get());
      scorer.close();
      return count;
    };
  }

  @Test
  void aClosedOneRefusesRequests() {
    Path file = folder.resolve("model");
    try (ScoredLog log =
        new ScoredLog(new SharedBottom(List.of(4), List.of(3)), MetaConfig.off())) {
      log.export(file, true);
    }
    LiveSnapshot live = new LiveSnapshot(Snapshot.open(file));
    live.close();
    live.close();
    assertThatThrownBy(() -> live.renew(null)).hasMessageContaining("closed");
    assertThatThrownBy(() -> live.replace(Snapshot.open(file))).hasMessageContaining("closed");
  }
}
