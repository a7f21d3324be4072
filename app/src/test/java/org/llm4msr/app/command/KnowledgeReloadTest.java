package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.run.TinyShop;
import org.llm4msr.app.serve.ScorerPool;
import org.llm4msr.app.serve.ScoringRequest;
import org.llm4msr.model.scorer.Snapshot;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Users' knowledge that comes after the export. */
class KnowledgeReloadTest {
  private static final float[] LIKES_ALL = {1, 1, 1, 1, 0};
  private static final float[] LIKES_NONE = {-1, -1, -1, -1, 0};

  @TempDir private static Path folder;
  private static Path snapshot;
  private final Path knowledge = folder.resolve("today.safetensors");

  @BeforeAll
  static void train() throws IOException {
    TinyShop shop = TinyShop.write(folder, 2_000);
    Path run = folder.resolve("run");
    snapshot = folder.resolve("model.snapshot");
    CommandLineRun.train(shop, run, "--epochs=3", "--lr=0.02", "--hidden=8");
    CommandLineRun exported = CommandLineRun.of("export", "--run=" + run, "--out=" + snapshot);
    assertThat(exported.exitCode()).as(exported.err()).isZero();
  }

  @AfterEach
  void nothingStaysOpen() throws IOException {
    assertThat(AllocationTracker.open()).isEmpty();
    Path maps = Path.of("/proc/self/maps");
    if (Files.exists(maps)) {
      assertThat(Files.readString(maps)).doesNotContain(".snapshot");
    }
  }

  private static String request(String user) {
    return """
    {"user": "%s", "scenario": "web", "items": ["i,0", "i,1", "i,2"]}\
    """
        .formatted(user);
  }

  private static float[] scores(ScorerPool pool, String user) throws InterruptedException {
    try (ScorerPool.Lease lease = pool.borrow(60_000)) {
      ScoringRequest request = ScoringRequest.read(request(user), "test", 10);
      return lease.scorer().score(request, "test").probabilities();
    }
  }

  private float[] printed(String user, String... options) throws IOException {
    Path requests = Files.writeString(folder.resolve("requests.jsonl"), request(user));
    String[] args = java.util.Arrays.copyOf(options, options.length + 3);
    args[options.length] = "score";
    args[options.length + 1] = "--snapshot=" + snapshot;
    args[options.length + 2] = "--input=" + requests;
    java.util.Collections.rotate(java.util.Arrays.asList(args), 3);
    CommandLineRun scored = CommandLineRun.of(args);
    assertThat(scored.exitCode()).as(scored.err()).isZero();
    JsonNode answer = JsonMapper.shared().readTree(scored.out());
    float[] probabilities = new float[3];
    for (int i = 0; i < 3; i++) {
      probabilities[i] = answer.get("probabilities").get(i).floatValue();
    }
    return probabilities;
  }

  /** Replaces the file in one step, as encode does. */
  private void write(Map<String, float[]> vectors) throws IOException {
    Path next = folder.resolve("next.safetensors");
    TinyShop.writeKnowledge(next, vectors);
    Files.move(next, knowledge, StandardCopyOption.REPLACE_EXISTING);
  }

  @Test
  void aReloadTakesUpTheKnowledgeFile() throws Exception {
    float[] stranger = printed("new");
    write(Map.of("user/new", LIKES_ALL));
    float[] likesAll = printed("new", "--knowledge=" + knowledge);
    assertThat(likesAll[0]).isGreaterThan(stranger[0]);
    try (ScorerPool pool = new ScorerPool(Snapshot.open(snapshot), knowledge, 2)) {
      float[] known = scores(pool, "u1");
      assertThat(known).containsExactly(printed("u1"));
      assertThat(scores(pool, "new")).containsExactly(likesAll);
      assertThat(scores(pool, "other")).containsExactly(stranger);
      Map<String, float[]> later = new LinkedHashMap<>();
      later.put("user/other", LIKES_ALL);
      later.put("user/u1", LIKES_NONE);
      write(later);
      pool.reload();
      assertThat(pool.served().generation()).isEqualTo(2);
      assertThat(pool.served().snapshot().updatedUsers()).isEqualTo(2);
      assertThat(scores(pool, "other")).containsExactly(likesAll);
      assertThat(scores(pool, "u1")).isNotEqualTo(known);
      // What is served follows from both files alone.
      assertThat(scores(pool, "new")).containsExactly(stranger);
      Files.writeString(knowledge, "nonsense");
      assertThatThrownBy(pool::reload)
          .isInstanceOf(UserError.class)
          .hasMessageContaining("today.safetensors");
      assertThat(pool.served().generation()).isEqualTo(2);
      assertThat(scores(pool, "other")).containsExactly(likesAll);
      // A snapshot that has been replaced is read too.
      write(Map.of("user/new", LIKES_NONE));
      Path copy = Files.copy(snapshot, folder.resolve("copy"));
      Files.move(copy, snapshot, StandardCopyOption.REPLACE_EXISTING);
      pool.reload();
      assertThat(pool.served().generation()).isEqualTo(3);
      assertThat(scores(pool, "new")[0]).isLessThan(stranger[0]);
      assertThat(scores(pool, "u1")).containsExactly(known);
    }
  }

  @Test
  void aKnowledgeFileThatIsNoGoodStopsTheStart() throws IOException {
    Files.writeString(knowledge, "nonsense");
    CommandLineRun served =
        CommandLineRun.of("serve", "--snapshot=" + snapshot, "--knowledge=" + knowledge);
    assertThat(served.exitCode()).isEqualTo(1);
    assertThat(served.err()).contains("today.safetensors").doesNotContain("internal");
  }
}
