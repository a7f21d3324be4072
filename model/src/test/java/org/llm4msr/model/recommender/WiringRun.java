package org.llm4msr.model.recommender;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PrimitiveIterator;
import java.util.Random;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.Autodiff;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** A model in double precision with random rows, and parameters at their start. */
final class WiringRun implements AutoCloseable {
  static final int ROWS = 12;
  private static final int SCENARIOS = 3;
  private static final int USERS = 5;
  private static final int WIDTH = 6;

  private final Backend backend = Backends.open("reference", new BackendOptions(1));
  private final ParameterStore store = new ParameterStore(backend);
  private final RecommenderModel model;
  private final TrainingGraph training;
  private final Map<String, Value> gradientValues = new HashMap<>();
  private final Plan plan;
  private final int[][] ids = new int[ROWS][2];
  private final int[] scenarios = new int[ROWS];
  private final int[] users = new int[ROWS];
  private final int externalColumns;
  private final double[] external;
  private double evidence = Double.NaN;

  WiringRun(Backbone backbone, MetaConfig meta, boolean trained) {
    this(backbone, meta, trained, 0, 1);
  }

  /**
   * @param representation width of what an existing recommender says of each row; 0 for a logit
   * @param rowsPerVector what the schema says
   */
  WiringRun(
      Backbone backbone,
      MetaConfig meta,
      boolean trained,
      int representation,
      double rowsPerVector) {
    ModelSchema schema =
        new ModelSchema(
            List.of(
                new ModelSchema.Field("user", 5, 0, "user", 1, false, false, false),
                new ModelSchema.Field("item", 4)),
            SCENARIOS,
            USERS,
            WIDTH,
            ROWS,
            representation == 0,
            representation,
            rowsPerVector);
    RecommenderConfig config = new RecommenderConfig(4, 0.5, backbone, meta);
    model = RecommenderModel.build(config, schema, DType.F64, trained);
    training = TrainingGraph.gradientsOf(model);
    training
        .gradients()
        .forEach((value, g) -> gradientValues.put(value.name(), Autodiff.dense(g, value)));
    List<Value> outputs = new ArrayList<>(gradientValues.values());
    outputs.add(model.logits());
    outputs.add(training.loss());
    Random random = new Random(1);
    for (ModelBuilder.ModelParameter parameter : model.inputs().parameters()) {
      MemorySegment segment = store.create(parameter.value()).segment();
      boolean knowledge = parameter.group() == ParameterGroup.KNOWLEDGE;
      Init init = knowledge ? new Init.Normal(1) : parameter.init();
      PrimitiveIterator.OfDouble elements = init.elements(random).iterator();
      for (long i = 0; i < segment.byteSize() / 8; i++) {
        DType.F64.set(segment, i, elements.nextDouble());
      }
    }
    plan = new Plan(backend, model.graph(), store, outputs);
    // The same rows whatever the model has drawn for its weights.
    Random rows = new Random(3);
    for (int row = 0; row < ROWS; row++) {
      ids[row][0] = rows.nextInt(5);
      ids[row][1] = rows.nextInt(4);
      scenarios[row] = row * SCENARIOS / ROWS;
      users[row] = rows.nextInt(USERS);
    }
    externalColumns = Math.max(1, representation);
    external = rows.doubles((long) ROWS * externalColumns, -2, 2).toArray();
  }

  double[] externalLogits() {
    return external.clone();
  }

  void disturb(Random random, double deviation) {
    for (ModelBuilder.ModelParameter parameter : model.inputs().parameters()) {
      if (parameter.group().isTrained()) {
        MemorySegment segment = store.get(parameter.value().name()).segment();
        for (long i = 0; i < segment.byteSize() / 8; i++) {
          double value = DType.F64.get(segment, i);
          DType.F64.set(segment, i, value + deviation * random.nextGaussian());
        }
      }
    }
  }

  /** Names of all that is trained. */
  List<String> parameters() {
    return model.inputs().parameters().stream()
        .filter(parameter -> parameter.group().isTrained())
        .map(parameter -> parameter.value().name())
        .toList();
  }

  void overwriteKnowledge(Random random) {
    for (ModelBuilder.ModelParameter parameter : model.inputs().parameters()) {
      if (parameter.group() == ParameterGroup.KNOWLEDGE) {
        MemorySegment segment = store.get(parameter.value().name()).segment();
        for (long i = 0; i < segment.byteSize() / 8; i++) {
          DType.F64.set(segment, i, random.nextGaussian());
        }
      }
    }
  }

  double[] get(String parameter) {
    MemorySegment segment = store.get(parameter).segment();
    double[] elements = new double[Math.toIntExact(segment.byteSize() / 8)];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = DType.F64.get(segment, i);
    }
    return elements;
  }

  void set(String parameter, double[] elements) {
    MemorySegment segment = store.get(parameter).segment();
    for (int i = 0; i < elements.length; i++) {
      DType.F64.set(segment, i, elements[i]);
    }
  }

  void set(String parameter, double value) {
    MemorySegment segment = store.get(parameter).segment();
    for (long i = 0; i < segment.byteSize() / 8; i++) {
      DType.F64.set(segment, i, value);
    }
  }

  void setEvidence(double value) {
    evidence = value;
  }

  void move(Map<String, double[]> direction, double step) {
    direction.forEach((name, d) -> {
      MemorySegment segment = store.get(name).segment();
      for (int i = 0; i < d.length; i++) {
        DType.F64.set(segment, i, DType.F64.get(segment, i) + step * d[i]);
      }
    });
  }

  Map<String, double[]> gradients() {
    loss();
    Map<String, double[]> result = new HashMap<>();
    gradientValues.forEach((name, value) -> result.put(name, read(value)));
    return result;
  }

  double loss() {
    run(0, ROWS);
    return plan.readScalar(training.loss());
  }

  double[] logits() {
    run(0, ROWS);
    return read(model.logits());
  }

  double logitAlone(int row) {
    run(row, row + 1);
    return read(model.logits())[0];
  }

  private double[] read(Value value) {
    Operand operand = plan.output(value);
    double[] elements = new double[Math.toIntExact(operand.elements())];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = DType.F64.get(operand.segment(), i);
    }
    return elements;
  }

  private void run(int from, int to) {
    ModelBuilder in = model.inputs();
    int rows = to - from;
    List<Integer> distinct = new ArrayList<>();
    int[] userOf = new int[rows];
    int[] scenarioOf = new int[rows];
    for (int i = 0; i < rows; i++) {
      int row = from + i;
      if (!distinct.contains(users[row])) {
        distinct.add(users[row]);
      }
      userOf[i] = distinct.indexOf(users[row]);
      scenarioOf[i] = scenarios[row];
      put(in.ids(), 2 * i, ids[row][0]);
      put(in.ids(), 2 * i + 1, ids[row][1]);
      put(in.scenarioIds(), i, scenarios[row]);
      put(in.vectorRows(), i, users[row]);
      for (int k = 0; k < externalColumns; k++) {
        Value said = externalColumns == 1 ? in.externalLogit() : in.representation();
        put(said, i * externalColumns + k, external[row * externalColumns + k]);
      }
      put(training.labels(), i, row % 2);
      for (int f = 0; f < Evidence.FEATURES; f++) {
        double counted = Double.isNaN(evidence) ? Math.log1p(row * (f + 1)) : evidence;
        put(in.evidence(), i * Evidence.FEATURES + f, counted);
      }
    }
    for (int i = 0; i < distinct.size(); i++) {
      put(in.userRows(), i, distinct.get(i));
    }
    plan.setExtent(in.rows(), rows);
    plan.setExtent(in.users(), distinct.size());
    plan.setExtent(in.byUser().offsets().type().dim(0), distinct.size() + 1);
    group(in.byScenario().order(), in.byScenario().offsets(), scenarioOf, SCENARIOS);
    group(in.byUser().order(), in.byUser().offsets(), userOf, distinct.size());
    plan.run();
  }

  private void group(Value order, Value offsets, int[] groups, int count) {
    int next = 0;
    for (int g = 0; g < count; g++) {
      for (int row = 0; row < groups.length; row++) {
        if (groups[row] == g) {
          put(order, next++, row);
        }
      }
      put(offsets, g + 1, next);
    }
  }

  private void put(Value input, int index, double element) {
    if (input != null && plan.uses(input)) {
      input.type().dtype().set(plan.input(input), index, element);
    }
  }

  @Override
  public void close() {
    plan.close();
    store.close();
    backend.close();
  }
}
