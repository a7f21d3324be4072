package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.llm4msr.model.data.Batch;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.ExternalScores;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.StableHash;
import org.llm4msr.model.metrics.Auc;
import org.llm4msr.model.recommender.Evidence;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.model.training.ModelReading.Importance;
import org.llm4msr.model.training.ModelReading.Input;
import org.llm4msr.model.training.ModelReading.Loss;
import org.llm4msr.model.training.ModelReading.Part;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/**
 * Finds out what a trained model leans on: permutation importance (Breiman 2001; Fisher, Rudin and
 * Dominici 2019) of every field and of the knowledge, the weight of knowledge, and how much the
 * generated layers differ. The parameters are left as they are.
 */
public final class ModelReader implements AutoCloseable {
  /** Training rows of the known item in an evidence curve. */
  public static final int KNOWN_ITEM_ROWS = 100;

  /**
   * Rows that {@link #read(ParameterStore, RecommenderModel, Dataset, Folds, EvidenceCounts,
   * Split)} measures on, at most.
   */
  public static final int MOST_ROWS = 20_000;

  private static final int REPEATS = 5;
  private static final int MOST_PREDICTIONS = 2_000_000;
  private static final int[] CURVE = {0, 1, 2, 5, 10, 20, 50, 100, 200, 500};
  private static final int[] USER_ROWS = {0, 1, 5, 20, 100};
  private static final int MOST_USERS = 200;

  private final ParameterStore store;
  private final RecommenderModel model;
  private final Dataset dataset;
  private final Folds folds;
  private final EvidenceCounts evidence;
  private final Value weight;
  private final Evaluator evaluator;
  private final int[] rows;
  private final byte[] labels;
  private final List<String> partNames = new ArrayList<>();
  private final List<int[]> partPositions = new ArrayList<>();

  /**
   * @param model built for evaluation, its parameters in the store
   * @param evidence null where the model does not ask for it
   * @param candidates rows to measure on, such as the test rows
   * @param most how many of them; a sample is drawn from more
   */
  public ModelReader(
      ParameterStore store,
      RecommenderModel model,
      Dataset dataset,
      Folds folds,
      EvidenceCounts evidence,
      int[] candidates,
      int most) {
    this.store = store;
    this.model = model;
    this.dataset = dataset;
    this.folds = folds;
    this.evidence = evidence;
    rows = sample(candidates, most, "rows");
    labels = new byte[rows.length];
    for (int i = 0; i < rows.length; i++) {
      labels[i] = (byte) dataset.label(rows[i]);
    }
    divide();
    weight = model.knowledgeWeight();
    List<Value> others = weight == null ? List.of() : List.of(weight);
    evaluator = new Evaluator(store, model, dataset, folds, evidence, others);
  }

  /**
   * What a model leans on, measured with five permutations on at most {@link #MOST_ROWS} rows of a
   * part; on fewer where there are more than about twenty inputs, so that it stays a matter of
   * seconds.
   *
   * @param model built for evaluation, its parameters in the store
   * @param evidence null where the model does not ask for it
   */
  public static ModelReading read(
      ParameterStore store,
      RecommenderModel model,
      Dataset dataset,
      Folds folds,
      EvidenceCounts evidence,
      Split part) {
    int most = Math.min(MOST_ROWS, MOST_PREDICTIONS / REPEATS / (dataset.fields().size() + 1));
    try (ModelReader reader =
        new ModelReader(
            store, model, dataset, folds, evidence, dataset.rowsOf(part), Math.max(1, most))) {
      return reader.read(REPEATS, 1);
    }
  }

  private static int[] sample(int[] all, int most, String name) {
    int[] drawn = all.clone();
    if (all.length > most) {
      StableHash.shuffle(drawn, StableHash.of(name));
      drawn = Arrays.copyOf(drawn, most);
    }
    Arrays.sort(drawn);
    return drawn;
  }

  private void divide() {
    part("all", row -> true);
    List<Scenario> scenarios = dataset.scenarios();
    for (int s = 0; s < scenarios.size(); s++) {
      int scenario = s;
      part(scenarios.get(s).name(), row -> dataset.scenario(row) == scenario);
    }
    int[] known = dataset.trainRowsPerUser();
    for (int b = 0; b < USER_ROWS.length; b++) {
      int from = USER_ROWS[b];
      int to = b + 1 == USER_ROWS.length ? Integer.MAX_VALUE : USER_ROWS[b + 1];
      String range = to == Integer.MAX_VALUE ? from + " or more" : from + " to " + (to - 1);
      String name = from + 1 == to ? "users with " + from : "users with " + range;
      part(
          name + " training rows",
          row -> known[dataset.user(row)] >= from && known[dataset.user(row)] < to);
    }
  }

  private void part(String name, IntPredicate wanted) {
    partNames.add(name);
    partPositions.add(IntStream.range(0, rows.length).filter(i -> wanted.test(rows[i])).toArray());
  }

  /**
   * Measures everything.
   *
   * @param repeats permutations of each input, at least 1
   * @param seed of the permutations
   */
  public ModelReading read(int repeats, long seed) {
    double[] weights = new double[rows.length];
    double[] base = aucs(predict(batch -> {}, weights));
    List<Part> parts = new ArrayList<>();
    for (int p = 0; p < base.length; p++) {
      parts.add(new Part(partNames.get(p), partPositions.get(p).length, base[p]));
    }
    List<Importance> importances = new ArrayList<>();
    for (Change change : changes()) {
      RandomGenerator random = ParameterInitializer.generator(seed, "permutations." + change.name);
      double[][] losses = new double[base.length][repeats];
      for (int r = 0; r < repeats; r++) {
        double[] permuted = aucs(change.prediction.of(random));
        for (int p = 0; p < base.length; p++) {
          losses[p][r] = base[p] - permuted[p];
        }
      }
      List<Loss> byPart = Arrays.stream(losses).map(ModelReader::loss).toList();
      importances.add(new Importance(change.input, change.name, byPart));
    }
    return new ModelReading(
        repeats, parts, importances, fusion(weights), scenarioDistances(), userSpread());
  }

  private static Loss loss(double[] values) {
    double mean = Arrays.stream(values).average().orElseThrow();
    double squares = Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum();
    return new Loss(
        mean, values.length < 2 ? Double.NaN : Math.sqrt(squares / (values.length - 1)));
  }

  /** Probabilities of the sample with an input permuted at random. */
  private interface Prediction {
    double[] of(RandomGenerator random);
  }

  private record Change(Input input, String name, Prediction prediction) {}

  private List<Change> changes() {
    List<Change> changes = new ArrayList<>();
    int column = 0;
    int factor = 0;
    for (Field field : dataset.fields()) {
      int firstId = column;
      int firstFactor = factor;
      changes.add(
          new Change(
              Input.FIELD,
              field.name(),
              random ->
                  permuteRows(
                      random,
                      (b, batch, source) ->
                          writeField(field, firstId, firstFactor, batch, b, source))));
      column += field.length();
      factor += field.isWeighted() ? field.length() : 0;
    }
    if (evaluator.uses(model.inputs().vectorRows()) || evaluator.uses(model.inputs().userRows())) {
      changes.add(new Change(Input.USER_KNOWLEDGE, "knowledge of the user", this::permuteUsers));
    }
    if (!model.scenarioLayers().isEmpty() && dataset.scenarios().size() > 1) {
      changes.add(
          new Change(
              Input.SCENARIO_KNOWLEDGE, "knowledge of the scenario", this::permuteScenarios));
    }
    if (uses(model.inputs().externalLogit())) {
      changes.add(
          new Change(Input.EXTERNAL, "existing recommender's logit", this::permuteExternal));
    }
    if (uses(model.inputs().representation())) {
      changes.add(
          new Change(
              Input.EXTERNAL, "existing recommender's representation", this::permuteExternal));
    }
    return changes;
  }

  /** Takes something of a row in a batch from another row of the data set. */
  private interface Take {
    void take(int position, Batch batch, int source);
  }

  private boolean uses(Value input) {
    return input != null && evaluator.uses(input);
  }

  private double[] permuteExternal(RandomGenerator random) {
    int[] source = shuffledRows(random);
    ExternalScores scores = dataset.externalScores();
    return predict(
        batch -> {
          int[] from =
              IntStream.range(0, batch.size()).map(b -> source[position(batch, b)]).toArray();
          scores.write(from, from.length, batch.external());
        },
        null);
  }

  private int[] shuffledRows(RandomGenerator random) {
    int[] source = rows.clone();
    StableHash.shuffle(source, random.nextLong());
    return source;
  }

  private double[] permuteRows(RandomGenerator random, Take take) {
    int[] source = shuffledRows(random);
    return predict(
        batch -> {
          for (int b = 0; b < batch.size(); b++) {
            take.take(b, batch, source[position(batch, b)]);
          }
        },
        null);
  }

  private int position(Batch batch, int b) {
    return Arrays.binarySearch(rows, batch.rows().getAtIndex(JAVA_INT, b));
  }

  private void writeField(
      Field field, int firstId, int firstFactor, Batch batch, int b, int source) {
    int entry = dataset.entry(field, source);
    for (int k = 0; k < field.length(); k++) {
      batch
          .ids()
          .setAtIndex(JAVA_INT, (long) b * batch.columns() + firstId + k, field.id(entry, k));
      if (field.isWeighted()) {
        long at = (long) b * batch.factorColumns() + firstFactor + k;
        batch.factors().setAtIndex(JAVA_FLOAT, at, field.factor(entry, k));
      }
    }
  }

  private double[] permuteUsers(RandomGenerator random) {
    int[] users = sampledUsers();
    int[] other = users.clone();
    StableHash.shuffle(other, random.nextLong());
    return predict(
        batch -> {
          for (int p = 0; p < batch.profileCount(); p++) {
            int profile = batch.profiles().getAtIndex(JAVA_INT, p);
            int at = Arrays.binarySearch(users, folds.user(profile));
            int exchanged = folds.profile(other[at], folds.fold(profile));
            batch.profiles().setAtIndex(JAVA_INT, p, exchanged);
          }
        },
        null);
  }

  private int[] sampledUsers() {
    return Arrays.stream(rows).map(dataset::user).distinct().sorted().toArray();
  }

  /** Sattolo's shuffle: one cycle through all scenarios, so that none keeps its vector. */
  private double[] permuteScenarios(RandomGenerator random) {
    int[] source = IntStream.range(0, dataset.scenarios().size()).toArray();
    for (int i = source.length - 1; i > 0; i--) {
      int j = random.nextInt(i);
      int swapped = source[i];
      source[i] = source[j];
      source[j] = swapped;
    }
    Tensor table = store.get(model.scenarioVectors().name());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment kept = arena.allocate(table.byteSize());
      HostAccess.read(store.backend(), table, kept::copyFrom);
      long width = table.byteSize() / source.length;
      HostAccess.write(
          store.backend(),
          table,
          host -> {
            for (int s = 0; s < source.length; s++) {
              MemorySegment.copy(kept, source[s] * width, host, s * width, width);
            }
          });
      try {
        return predict(batch -> {}, null);
      } finally {
        HostAccess.write(store.backend(), table, host -> host.copyFrom(kept));
      }
    }
  }

  /**
   * Probabilities of the sample.
   *
   * @param change made to each batch before the model sees it
   * @param weights gets the weight of knowledge of each row where there is one; null if not wanted
   */
  private double[] predict(Consumer<Batch> change, double[] weights) {
    if (weight == null || weights == null) {
      return evaluator.predict(rows, change, batch -> {});
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(JAVA_FLOAT, model.inputs().schema().maxBatch());
      return evaluator.predict(
          rows,
          change,
          batch -> {
            evaluator.read(weight, host);
            for (int b = 0; b < batch.size(); b++) {
              weights[position(batch, b)] = host.getAtIndex(JAVA_FLOAT, isPerRow() ? b : 0);
            }
          });
    }
  }

  private boolean isPerRow() {
    return weight.type().rank() == 2;
  }

  private double[] aucs(double[] probabilities) {
    double[] aucs = new double[partPositions.size()];
    for (int p = 0; p < aucs.length; p++) {
      int[] positions = partPositions.get(p);
      double[] scores = Arrays.stream(positions).mapToDouble(i -> probabilities[i]).toArray();
      byte[] own = new byte[positions.length];
      for (int i = 0; i < own.length; i++) {
        own[i] = labels[positions[i]];
      }
      aucs[p] = Auc.of(scores, own);
    }
    return aucs;
  }

  private ModelReading.Fusion fusion(double[] weights) {
    if (weight == null) {
      return null;
    }
    List<Double> means = new ArrayList<>();
    List<ModelReading.Spread> spreads = new ArrayList<>();
    for (int[] positions : partPositions) {
      double[] own = Arrays.stream(positions).mapToDouble(i -> weights[i]).toArray();
      means.add(Arrays.stream(own).average().orElse(Double.NaN));
      if (isPerRow()) {
        spreads.add(ModelReading.Spread.of(own));
      }
    }
    List<ModelReading.CurvePoint> curve = evidence == null ? List.of() : curve();
    return new ModelReading.Fusion(isPerRow(), means, spreads, curve);
  }

  private List<ModelReading.CurvePoint> curve() {
    float[] factors = floats("evidence.weight");
    float bias = floats("evidence.bias")[0];
    List<ModelReading.CurvePoint> points = new ArrayList<>();
    for (int n : CURVE) {
      double known = bias + factors[0] * Evidence.feature(n);
      double item = factors[1] * Evidence.feature(KNOWN_ITEM_ROWS);
      points.add(new ModelReading.CurvePoint(n, sigmoid(known), sigmoid(known + item)));
    }
    return points;
  }

  private static double sigmoid(double x) {
    return 1 / (1 + StrictMath.exp(-x));
  }

  private float[] floats(String parameter) {
    float[][] copy = new float[1][];
    HostAccess.read(
        store.backend(), store.get(parameter), host -> copy[0] = host.toArray(JAVA_FLOAT));
    return copy[0];
  }

  private double[][] scenarioDistances() {
    if (model.scenarioLayers().isEmpty()) {
      return new double[0][0];
    }
    try (Plan layers = new Plan(store.backend(), model.graph(), store, model.scenarioLayers())) {
      layers.run();
      return LayerDistances.of(numbers(layers, model.scenarioLayers(), dataset.scenarios().size()));
    }
  }

  private ModelReading.UserSpread userSpread() {
    int[] users =
        sample(sampledUsers(), Math.min(MOST_USERS, model.inputs().schema().maxBatch()), "users");
    if (model.userLayers().isEmpty() || users.length < 2) {
      return null;
    }
    try (Plan layers = new Plan(store.backend(), model.graph(), store, model.userLayers())) {
      layers.setExtent(model.inputs().users(), users.length);
      MemorySegment input = layers.input(model.inputs().userRows());
      for (int u = 0; u < users.length; u++) {
        input.setAtIndex(JAVA_INT, u, folds.profile(users[u], Folds.ALL_ROWS));
      }
      layers.run();
      return LayerDistances.spread(numbers(layers, model.userLayers(), users.length));
    }
  }

  /** All generated numbers of each owner, side by side. */
  private static double[][] numbers(Plan plan, List<Value> layers, int owners) {
    double[][] numbers = new double[owners][0];
    for (Value layer : layers) {
      int width = 1;
      for (int d = 1; d < layer.type().rank(); d++) {
        width = Math.multiplyExact(width, Math.toIntExact(layer.type().dim(d).fixed()));
      }
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment host = arena.allocate(JAVA_FLOAT, (long) owners * width);
        plan.read(layer, host);
        for (int o = 0; o < owners; o++) {
          int before = numbers[o].length;
          numbers[o] = Arrays.copyOf(numbers[o], before + width);
          for (int i = 0; i < width; i++) {
            numbers[o][before + i] = host.getAtIndex(JAVA_FLOAT, (long) o * width + i);
          }
        }
      }
    }
    return numbers;
  }

  @Override
  public void close() {
    evaluator.close();
  }
}
