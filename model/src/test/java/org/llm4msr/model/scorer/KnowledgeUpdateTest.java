package org.llm4msr.model.scorer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.training.KnowledgeVectors;
import org.llm4msr.model.training.Predictions;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

/** A snapshot that learns later what a language model says of users. */
class KnowledgeUpdateTest {
  private static final int[] ITEMS = {0, 5, -1, 17, 40};

  @TempDir Path folder;

  @AfterEach
  void nothingStaysOpen() {
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private static MetaConfig meta(
      UserMode user, int rank, Generators generators, Normalization normalization) {
    return new MetaConfig(
        user,
        List.of(5),
        user == UserMode.PROJECTION ? 3 : 0,
        false,
        user == UserMode.LOGIT ? ScenarioMode.CONTENT : ScenarioMode.BOTTOM,
        List.of(4),
        rank,
        generators,
        normalization,
        Fusion.ALPHA,
        false);
  }

  private static MetaConfig usual() {
    return meta(UserMode.RESIDUAL, 3, Generators.CENTRED, Normalization.STANDARD);
  }

  private static ScoredLog log(MetaConfig meta, Folds folds) {
    return new ScoredLog(new SharedBottom(List.of(18), List.of(7)), meta, folds);
  }

  private Path exported(MetaConfig meta) {
    Path file = folder.resolve("model.snapshot");
    try (ScoredLog log = log(meta, Folds.NONE)) {
      log.export(file, true);
    }
    return file;
  }

  static Stream<Arguments> models() {
    Stream<Arguments> scalings =
        Stream.of(Normalization.values())
            .map(scaling ->
                Arguments.of(
                    meta(UserMode.RESIDUAL, 3, Generators.CENTRED, scaling), new Folds(2)));
    Stream<Arguments> wirings =
        Stream.of(UserMode.REPLACE, UserMode.CONCAT, UserMode.PROJECTION, UserMode.LOGIT)
            .map(user ->
                Arguments.of(meta(user, 3, Generators.AFFINE, Normalization.STANDARD), Folds.NONE));
    // Without a trunk, and with one that is wider than the vector, records hold the vector.
    Stream<Arguments> ranks =
        Stream.of(0, 40)
            .map(rank ->
                Arguments.of(
                    meta(UserMode.RESIDUAL, rank, Generators.AFFINE, Normalization.RMS),
                    Folds.NONE));
    return Stream.of(scalings, wirings, ranks).flatMap(s -> s);
  }

  @ParameterizedTest
  @MethodSource("models")
  void scoresAreThoseOfEvaluationWithTheNewVectors(MetaConfig meta, Folds folds) {
    Path file = folder.resolve("model.snapshot");
    Path update = folder.resolve("later.safetensors");
    try (ScoredLog log = log(meta, folds)) {
      log.export(file, true);
      Dataset dataset = log.dataset();
      Map<String, float[]> later = new LinkedHashMap<>();
      // Those who keep what they had are in the file too, as after encoding anew.
      for (int user = 0; user < ScoredLog.USERS; user++) {
        float[] vector = new float[ScoredLog.WIDTH];
        if (user % 3 == 0) {
          vector = Vectors.random(ScoredLog.WIDTH, user);
        } else {
          ScoredLog.vectors().read("user/u" + user, vector);
        }
        later.put("user/u" + user, vector);
      }
      later.put("user/u1#fold1", Vectors.random(ScoredLog.WIDTH, 100));
      later.put("scenario/web", Vectors.random(ScoredLog.WIDTH, 101));
      Vectors.write(update, later);
      for (int user = 0; user < ScoredLog.USERS; user += 3) {
        float[] scaled = scaled(meta.normalization(), later.get("user/u" + user), dataset, folds);
        log.setVector(user, scaled);
      }
      Predictions expected = log.predict();
      try (Snapshot snapshot = Snapshot.open(file);
          Snapshot updated = snapshot.withKnowledge(update);
          Scorer scorer = updated.scorer(4)) {
        // A trunk's ReLU may say nothing of both vectors.
        assertThat(updated.updatedUsers()).isBetween(1, ScoredLog.USERS / 3);
        assertThat(updated.users()).isEqualTo(snapshot.users());
        float[] probability = new float[1];
        for (int i = 0; i < expected.rows().length; i++) {
          int row = expected.rows()[i];
          ScoredLog.setContext(scorer, dataset, row);
          scorer.score(
              dataset.scenario(row), dataset.user(row), new int[] {dataset.item(row)}, probability);
          assertThat((double) probability[0])
              .as("row %d", row)
              .isCloseTo(expected.probabilities()[i], within(1e-5));
        }
      }
    }
  }

  /** As the vectors of training were: their means and deviations, not those of the later ones. */
  private static float[] scaled(
      Normalization normalization, float[] vector, Dataset dataset, Folds folds) {
    int width = vector.length;
    double[][] seen =
        java.util.stream.IntStream.range(0, ScoredLog.USERS)
            .boxed()
            .flatMap(user ->
                java.util.stream.IntStream.rangeClosed(0, folds.count())
                    .mapToObj(fold -> "user/u" + user + (fold == 0 ? "" : "#fold" + fold)))
            .map(id -> read(ScoredLog.vectors(), id))
            .toArray(double[][]::new);
    double length =
        Math.sqrt(
            java.util.stream.IntStream.range(0, width)
                .mapToDouble(i -> (double) vector[i] * vector[i])
                .sum());
    float[] scaled = new float[width];
    for (int i = 0; i < width; i++) {
      int dimension = i;
      double mean = Stream.of(seen).mapToDouble(v -> v[dimension]).average().orElseThrow();
      double deviation =
          Math.sqrt(
              Stream.of(seen)
                  .mapToDouble(v -> Math.pow(v[dimension] - mean, 2))
                  .average()
                  .orElseThrow());
      scaled[i] =
          (float)
              switch (normalization) {
                case NONE -> vector[i];
                case L2 -> vector[i] / length;
                case RMS -> vector[i] / length * Math.sqrt(width);
                case STANDARD -> (vector[i] - mean) / deviation / Math.sqrt(width);
              };
    }
    return scaled;
  }

  private static double[] read(KnowledgeVectors vectors, String id) {
    float[] vector = new float[vectors.width()];
    assertThat(vectors.read(id, vector)).isTrue();
    double[] wide = new double[vector.length];
    Arrays.setAll(wide, i -> vector[i]);
    return wide;
  }

  /** "nobody" has no feature, no row and no vector: what a stranger is. */
  @Test
  void aStrangerIsOneWithoutFeaturesWhoHasKnowledge() {
    Path first = folder.resolve("first");
    Path second = folder.resolve("second");
    Path third = folder.resolve("third");
    Vectors.write(first, Map.of("user/Zoë", Vectors.random(ScoredLog.WIDTH, 1)));
    Map<String, float[]> more = new LinkedHashMap<>();
    more.put("user/b", Vectors.random(ScoredLog.WIDTH, 2));
    more.put("user/nobody", Vectors.random(ScoredLog.WIDTH, 1));
    Vectors.write(second, more);
    Vectors.write(third, Map.of("user/Zoë", Vectors.random(ScoredLog.WIDTH, 2)));
    try (Snapshot snapshot = Snapshot.open(exported(usual()));
        Snapshot one = snapshot.withKnowledge(first);
        Snapshot two = one.withKnowledge(second);
        Snapshot three = two.withKnowledge(third)) {
      int stranger = one.user("Zoë");
      assertThat(stranger).isEqualTo(snapshot.users());
      assertThat(one.users()).isEqualTo(snapshot.users() + 1);
      assertThat(two.user("Zoë")).isEqualTo(stranger);
      assertThat(three.user("Zoë")).isEqualTo(stranger);
      assertThat(two.user("b")).isEqualTo(stranger + 1);
      assertThat(three.updatedUsers()).isEqualTo(3);
      assertThat(snapshot.user("Zoë")).isEqualTo(Snapshot.UNKNOWN);
      assertThat(three.user("somebody else")).isEqualTo(Snapshot.UNKNOWN);
      float[] ofNobody = scores(two, two.user("nobody"));
      assertThat(scores(one, stranger)).containsExactly(ofNobody);
      assertThat(scores(two, stranger)).containsExactly(ofNobody);
      assertThat(scores(two, Snapshot.UNKNOWN)).isNotEqualTo(ofNobody);
      assertThat(scores(three, stranger)).containsExactly(scores(two, two.user("b")));
      for (int user : new int[] {Snapshot.UNKNOWN, 0, 7}) {
        assertThat(scores(three, user)).containsExactly(scores(snapshot, user));
      }
      assertThat(scores(snapshot, snapshot.user("nobody")))
          .containsExactly(scores(snapshot, Snapshot.UNKNOWN));
    }
  }

  private static float[] scores(Snapshot snapshot, int user) {
    try (Scorer scorer = snapshot.scorer()) {
      float[] probabilities = new float[ITEMS.length];
      scorer.score(1, user, ITEMS, probabilities);
      return probabilities;
    }
  }

  /** Many at a time, so that what holds the records has to grow. */
  @Test
  void manyStrangers() {
    Path update = folder.resolve("later");
    Map<String, float[]> later = new LinkedHashMap<>();
    for (int i = 0; i < 500; i++) {
      later.put("user/new" + i, Vectors.random(ScoredLog.WIDTH, i % 7));
    }
    Vectors.write(update, later);
    Path file = exported(usual());
    try (LiveSnapshot live = new LiveSnapshot(Snapshot.open(file))) {
      assertThat(live.update(update)).isEqualTo(new KnowledgeUpdate(500, 0, 0));
      assertThat(live.update(update)).isEqualTo(new KnowledgeUpdate(0, 0, 500));
      Snapshot snapshot = live.snapshot();
      for (int i = 0; i < 500; i += 31) {
        assertThat(scores(snapshot, snapshot.user("new" + i)))
            .containsExactly(scores(snapshot, snapshot.user("new" + i % 7)));
      }
    }
  }

  /** The file and the vectors of a view stay until the last scorer on it is closed. */
  @Test
  void aViewOutlivesWhatItWasMadeFrom() {
    Path update = folder.resolve("later");
    Vectors.write(update, Map.of("user/u3", Vectors.random(ScoredLog.WIDTH, 1)));
    Snapshot snapshot = Snapshot.open(exported(usual()));
    Snapshot view = snapshot.withKnowledge(update);
    snapshot.close();
    assertThatThrownBy(snapshot::scorer).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> snapshot.withKnowledge(update))
        .isInstanceOf(IllegalStateException.class);
    Scorer scorer = view.scorer();
    view.close();
    scorer.score(0, 3, ITEMS, new float[ITEMS.length]);
    scorer.close();
    assertThatThrownBy(view::scorer).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void whatDoesNotBelongIsRefusedAndTheStateStays() throws IOException {
    Path update = folder.resolve("later.safetensors");
    float[] vector = Vectors.random(ScoredLog.WIDTH, 1);
    try (LiveSnapshot live = new LiveSnapshot(Snapshot.open(exported(usual())))) {
      Snapshot before = live.snapshot();
      float[] scores = scores(before, 3);
      Vectors.write(update, Map.of("user/u3", Vectors.random(ScoredLog.WIDTH + 1, 1)));
      assertRefused(live, update, "vectors of width 13, expected 12");
      Vectors.write(update, Map.of("user/u3", vector), "another model", ScoredLog.POOL);
      assertRefused(live, update, "model is another model, expected checksum of a model");
      Vectors.write(update, Map.of("user/u3", vector), null, ScoredLog.POOL);
      assertRefused(live, update, "model is not said, expected checksum of a model");
      Vectors.write(update, Map.of("user/u3", vector), ScoredLog.LANGUAGE_MODEL, "last_prompt");
      assertRefused(live, update, "pool is last_prompt, expected mean");
      Vectors.write(update, Map.of("scenario/web", vector));
      assertRefused(live, update, "no user's vector");
      Map<String, float[]> bad = new LinkedHashMap<>();
      bad.put("user/u3", vector);
      bad.put("user/u4", vector.clone());
      bad.get("user/u4")[7] = Float.NaN;
      Vectors.write(update, bad);
      assertRefused(live, update, "the vector 'user/u4' is not finite");
      Vectors.write(update, Map.of("user/u3", vector));
      byte[] whole = Files.readAllBytes(update);
      Files.write(update, Arrays.copyOf(whole, whole.length - 5));
      assertRefused(live, update, "");
      Files.delete(update);
      assertRefused(live, update, "");
      assertThat(live.snapshot()).isSameAs(before);
      assertThat(scores(live.snapshot(), 3)).containsExactly(scores);
    }
  }

  private static void assertRefused(LiveSnapshot live, Path update, String problem) {
    assertThatThrownBy(() -> live.update(update))
        .isInstanceOf(UserError.class)
        .hasMessageContaining(update.toString())
        .hasMessageContaining(problem)
        .hasMessageNotContaining("\n");
  }

  @Test
  void aModelWithoutKnowledgeOfUsersTakesNone() {
    Path update = folder.resolve("later");
    Vectors.write(update, Map.of("user/u3", Vectors.random(ScoredLog.WIDTH, 1)));
    for (MetaConfig meta :
        List.of(
            MetaConfig.off(), meta(UserMode.OFF, 3, Generators.CENTRED, Normalization.STANDARD))) {
      try (Snapshot snapshot = Snapshot.open(exported(meta))) {
        assertThatThrownBy(() -> snapshot.withKnowledge(update))
            .isInstanceOf(UserError.class)
            .hasMessageContaining("takes no knowledge of users");
      }
    }
  }
}
