package org.llm4msr.bench.training;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PrimitiveIterator;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.model.recommender.TrainingGraph;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/**
 * A whole training step of {@link TrainingWorkload}: forward, backward, Adam, on batches made
 * before.
 */
public final class TrainingStep implements AutoCloseable {
  public static final double LEARNING_RATE = 1e-3;

  private static final int BATCHES = 6;
  private static final long SEED = 2;
  private static final double SPREAD = 0.02;

  /** Of the language model's vectors, whatever their width. */
  private static final double VECTOR_LENGTH = 16;

  private final ModelBuilder inputs;
  private final TrainingGraph training;
  private final ParameterStore parameters;
  private final Plan plan;
  private final Map<String, Tensor> trained = new LinkedHashMap<>();
  private final List<TrainingWorkload.Rows> rows;
  private final List<Map<Value, MemorySegment>> batches;
  private final int[] distinctUsers;
  private final Arena arena = Arena.ofConfined();
  private long steps;

  /**
   * @param backend stays the caller's
   * @param lazy LazyAdam for the tables, otherwise Adam over all their rows
   */
  public TrainingStep(Backend backend, TrainingWorkload workload, boolean lazy) {
    RecommenderModel model =
        RecommenderModel.build(workload.config(), workload.schema(), DType.F32, true);
    training = TrainingGraph.of(model, OptimizerConfig.adam(LEARNING_RATE, lazy));
    inputs = model.inputs();
    parameters = new ParameterStore(backend);
    RandomGenerator random = new SplittableRandom(SEED);
    for (ModelBuilder.ModelParameter parameter : inputs.parameters()) {
      Tensor tensor = parameters.create(parameter.value());
      trained.put(parameter.value().name(), tensor);
      try (Arena drawing = Arena.ofConfined()) {
        MemorySegment elements = drawing.allocate(tensor.byteSize(), Float.BYTES);
        draw(parameter, elements, workload, random);
        backend.upload(elements, tensor.buffer(), tensor.byteOffset());
      }
    }
    for (Value value : model.graph().values()) {
      if (value.kind() == Value.Kind.PARAMETER && !parameters.contains(value.name())) {
        parameters.create(value);
      }
    }
    plan = Plan.deferring(backend, model.graph(), parameters, List.of(training.loss()));
    rows = workload.batches(BATCHES);
    distinctUsers = rows.stream().mapToInt(batch -> distinct(batch.users()).length).toArray();
    batches = rows.stream().map(this::prepare).toList();
  }

  /** A spread around the usual start keeps every gradient from being zero by symmetry. */
  private static void draw(
      ModelBuilder.ModelParameter parameter,
      MemorySegment elements,
      TrainingWorkload workload,
      RandomGenerator random) {
    boolean knowledge = parameter.group() == ParameterGroup.KNOWLEDGE;
    double spread =
        switch (parameter.group()) {
          case EMBEDDING -> 0;
          case KNOWLEDGE -> VECTOR_LENGTH / Math.sqrt(workload.knowledgeWidth());
          default -> SPREAD;
        };
    PrimitiveIterator.OfDouble start = parameter.init().elements(random).iterator();
    for (long i = 0; i < elements.byteSize() / Float.BYTES; i++) {
      double element = knowledge ? 0 : start.nextDouble();
      if (spread > 0) {
        element += spread * random.nextGaussian();
      }
      elements.setAtIndex(JAVA_FLOAT, i, (float) element);
    }
  }

  private static int[] distinct(int[] users) {
    return Arrays.stream(users).distinct().toArray();
  }

  /** The contents of the plan's inputs for one batch. */
  private Map<Value, MemorySegment> prepare(TrainingWorkload.Rows batch) {
    int size = batch.labels().length;
    int[] order = new int[size];
    Arrays.setAll(order, row -> row);
    Map<Value, MemorySegment> contents = new LinkedHashMap<>();
    contents.put(inputs.ids(), copy(batch.ids()));
    contents.put(inputs.scenarioIds(), copy(batch.scenarios()));
    contents.put(inputs.byScenario().order(), copy(order));
    contents.put(
        inputs.byScenario().offsets(),
        copy(offsets(batch.scenarios(), TrainingWorkload.SCENARIOS)));
    contents.put(training.labels(), arena.allocateFrom(JAVA_FLOAT, batch.labels()));
    int[] users = distinct(batch.users());
    Map<Integer, Integer> groups = new LinkedHashMap<>();
    for (int user : users) {
      groups.put(user, groups.size());
    }
    int[] groupOfRow = Arrays.stream(batch.users()).map(groups::get).toArray();
    contents.put(inputs.userRows(), copy(users));
    contents.put(inputs.vectorRows(), copy(batch.users()));
    contents.put(inputs.byUser().offsets(), copy(offsets(groupOfRow, users.length)));
    contents.put(inputs.byUser().order(), copy(sortedBy(groupOfRow)));
    contents.keySet().removeIf(input -> !plan.uses(input));
    return contents;
  }

  private MemorySegment copy(int[] elements) {
    return arena.allocateFrom(JAVA_INT, elements);
  }

  private static int[] offsets(int[] groupOfRow, int groups) {
    int[] offsets = new int[groups + 1];
    for (int group : groupOfRow) {
      offsets[group + 1]++;
    }
    Arrays.parallelPrefix(offsets, Integer::sum);
    return offsets;
  }

  private static int[] sortedBy(int[] groupOfRow) {
    long[] keys = new long[groupOfRow.length];
    Arrays.setAll(keys, row -> ((long) groupOfRow[row] << 32) + row);
    Arrays.sort(keys);
    return Arrays.stream(keys).mapToInt(key -> (int) key).toArray();
  }

  /** Trains on the next batch. */
  public void run() {
    int batch = (int) (steps % BATCHES);
    steps++;
    batches.get(batch).forEach((input, contents) -> plan.input(input).copyFrom(contents));
    MemorySegment step = plan.input(training.step());
    step.setAtIndex(JAVA_DOUBLE, 0, LEARNING_RATE);
    step.setAtIndex(JAVA_DOUBLE, 1, steps);
    plan.setExtent(inputs.rows(), rows.get(batch).labels().length);
    plan.setExtent(inputs.users(), distinctUsers[batch]);
    plan.setExtent(inputs.byUser().offsets().type().dim(0), distinctUsers[batch] + 1L);
    plan.run();
  }

  /** Mean binary cross-entropy of the last batch, before its step. */
  public double loss() {
    return plan.readScalar(training.loss());
  }

  /** The batches that {@link #run} goes round. */
  public List<TrainingWorkload.Rows> rows() {
    return rows;
  }

  /** The model's parameters, without the optimiser's moments. */
  public Map<String, Tensor> parameters() {
    return trained;
  }

  /** For profiles. */
  public Plan plan() {
    return plan;
  }

  @Override
  public void close() {
    plan.close();
    parameters.close();
    arena.close();
  }
}
