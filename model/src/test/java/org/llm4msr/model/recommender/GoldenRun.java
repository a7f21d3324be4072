package org.llm4msr.model.recommender;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.Autodiff;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** Runs a golden case's graphs on a backend, with the parameters in a store of its own. */
final class GoldenRun implements AutoCloseable {
  private final GoldenCase golden;
  private final Backend backend;
  private final DType computeType;
  private final double rowsPerVector;
  private final ParameterStore store;

  GoldenRun(GoldenCase golden, Backend backend, DType computeType, double rowsPerVector) {
    this.golden = golden;
    this.backend = backend;
    this.computeType = computeType;
    this.rowsPerVector = rowsPerVector;
    this.store = new ParameterStore(backend);
    TrainingGraph graph = training(OptimizerConfig.adam(1e-3, false));
    for (Value value : graph.model().graph().values()) {
      if (value.kind() == Value.Kind.PARAMETER) {
        upload(store.create(value), start(value.name()));
      }
    }
  }

  private void upload(Tensor tensor, double[] elements) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(computeType.byteSize(elements.length));
      write(host, computeType, elements);
      backend.upload(host, tensor.buffer(), tensor.byteOffset());
    }
  }

  private double[] start(String name) {
    if (name.startsWith(TrainingGraph.FIRST_MOMENT)
        || name.startsWith(TrainingGraph.SECOND_MOMENT)) {
      return new double[0];
    }
    if (name.equals(RecommenderModel.USER_KNOWLEDGE)) {
      return golden.knowledge("user");
    }
    if (name.equals(RecommenderModel.SCENARIO_KNOWLEDGE)) {
      return golden.knowledge("scenario");
    }
    return golden.has("buffer/" + name)
        ? golden.get("buffer/" + name)
        : golden.stacked("param/", name);
  }

  private RecommenderModel model(boolean training) {
    ModelSchema schema = golden.schema(rowsPerVector);
    return RecommenderModel.build(golden.config(), schema, computeType, training);
  }

  private TrainingGraph training(OptimizerConfig optimizer) {
    return TrainingGraph.of(model(true), optimizer);
  }

  /** Logits of the first batch in evaluation. */
  double[] evaluationLogits() {
    RecommenderModel model = model(false);
    try (Plan plan = new Plan(backend, model.graph(), store, List.of(model.logits()))) {
      fill(plan, model, "batch");
      plan.run();
      return read(plan, model.logits());
    }
  }

  /** Logits, loss and all gradients, by name, of the first batch in training. */
  Map<String, double[]> gradients() {
    TrainingGraph graph = TrainingGraph.gradientsOf(model(true));
    Map<String, Value> wanted = new TreeMap<>();
    graph
        .gradients()
        .forEach((value, gradient) ->
            wanted.put("grad/" + value.name(), Autodiff.dense(gradient, value)));
    wanted.put("logits", graph.model().logits());
    wanted.put("loss", graph.loss());
    List<Value> outputs = new ArrayList<>(wanted.values());
    Map<String, double[]> results = new TreeMap<>();
    try (Plan plan = new Plan(backend, graph.model().graph(), store, outputs)) {
      fill(plan, graph.model(), "batch");
      write(plan.input(graph.labels()), computeType, golden.get("batch/label"));
      plan.run();
      wanted.forEach((name, value) -> results.put(name, read(plan, value)));
    }
    return results;
  }

  /**
   * One optimiser step per batch name.
   *
   * @return the loss before each step
   */
  double[] train(boolean lazy, String... batches) {
    TrainingGraph graph = training(OptimizerConfig.adam(1e-3, lazy));
    double[] losses = new double[batches.length];
    try (Plan plan = new Plan(backend, graph.model().graph(), store, List.of(graph.loss()))) {
      for (int i = 0; i < batches.length; i++) {
        fill(plan, graph.model(), batches[i]);
        write(plan.input(graph.labels()), computeType, golden.get(batches[i] + "/label"));
        write(plan.input(graph.step()), DType.F64, new double[] {1e-3, i + 1});
        plan.run();
        losses[i] = plan.readScalar(graph.loss());
      }
    }
    return losses;
  }

  double[] parameter(String name) {
    Tensor tensor = store.get(name);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(tensor.byteSize());
      backend.download(tensor.buffer(), tensor.byteOffset(), host);
      return read(host, tensor.dtype(), tensor.shape().elements());
    }
  }

  List<String> trainedParameters() {
    return model(true).inputs().parameters().stream()
        .filter(parameter -> parameter.group().isTrained())
        .map(parameter -> parameter.value().name())
        .toList();
  }

  private void fill(Plan plan, RecommenderModel model, String batch) {
    ModelBuilder in = model.inputs();
    double[] scenarios = golden.get(batch + "/scenario");
    plan.setExtent(in.rows(), scenarios.length);
    writeInput(plan, in.ids(), golden.get(batch + "/fields"));
    writeInput(plan, in.scenarioIds(), scenarios);
    writeGrouping(plan, in.byScenario(), scenarios, 3);
    double[] users = golden.get(batch + "/user");
    double[] distinct = java.util.Arrays.stream(users).distinct().toArray();
    double[] userOf = new double[users.length];
    for (int i = 0; i < users.length; i++) {
      userOf[i] = List.of(boxed(distinct)).indexOf(users[i]);
    }
    plan.setExtent(in.users(), distinct.length);
    plan.setExtent(in.byUser().offsets().type().dim(0), distinct.length + 1);
    writeInput(plan, in.userRows(), distinct);
    writeInput(plan, in.vectorRows(), users);
    writeGrouping(plan, in.byUser(), userOf, distinct.length);
  }

  private static Double[] boxed(double[] elements) {
    return java.util.Arrays.stream(elements).boxed().toArray(Double[]::new);
  }

  private static void writeGrouping(Plan plan, Ops.Grouping grouping, double[] groups, int count) {
    double[] order = new double[groups.length];
    double[] offsets = new double[count + 1];
    int next = 0;
    for (int g = 0; g < count; g++) {
      for (int row = 0; row < groups.length; row++) {
        if (groups[row] == g) {
          order[next++] = row;
        }
      }
      offsets[g + 1] = next;
    }
    writeInput(plan, grouping.order(), order);
    writeInput(plan, grouping.offsets(), offsets);
  }

  private static void writeInput(Plan plan, Value input, double[] elements) {
    if (plan.uses(input)) {
      write(plan.input(input), input.type().dtype(), elements);
    }
  }

  private static void write(MemorySegment segment, DType dtype, double[] elements) {
    for (int i = 0; i < elements.length; i++) {
      dtype.set(segment, i, elements[i]);
    }
  }

  private static double[] read(Plan plan, Value value) {
    Operand operand = plan.output(value);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(operand.dtype().byteSize(operand.elements()));
      plan.read(value, host);
      return read(host, operand.dtype(), operand.elements());
    }
  }

  private static double[] read(MemorySegment host, DType dtype, long count) {
    double[] elements = new double[Math.toIntExact(count)];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = dtype.get(host, i);
    }
    return elements;
  }

  @Override
  public void close() {
    store.close();
  }
}
