package org.llm4msr.model.recommender;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * A recommender's graph while it grows: the inputs of a batch, and the layers that backbones and
 * meta networks are made of. A {@code *} in a parameter's name stands for the scenarios, over which
 * it is stacked along the first axis.
 */
public final class ModelBuilder {
  private final Graph graph;
  private final boolean training;
  private final ModelSchema schema;
  private final List<ModelParameter> parameters = new ArrayList<>();
  private final Dim rows;
  private final Dim users;
  private final Value ids;
  private final Value scenarioIds;
  private final Ops.Grouping byScenario;
  private final Ops.Grouping byUser;
  private final Value userRows;
  private final Value evidence;

  /** A parameter with what the graph does not know of it. */
  public record ModelParameter(Value value, Init init, ParameterGroup group) {}

  /**
   * @param computeType F32, or F64 on the reference backend
   * @param training whether normalisations use and update batch statistics
   */
  public ModelBuilder(ModelSchema schema, DType computeType, boolean training) {
    this.schema = schema;
    this.training = training;
    graph = new Graph(computeType);
    rows = Dim.symbol("rows", schema.maxBatch());
    users = Dim.symbol("users", schema.maxBatch());
    ids = graph.input("ids", ValueType.of(DType.I32, rows, Dim.of(schema.fields().size())));
    scenarioIds = graph.input("scenarioIds", ValueType.of(DType.I32, rows));
    byScenario =
        new Ops.Grouping(
            graph.input("scenarioOrder", ValueType.of(DType.I32, rows)),
            graph.input("scenarioOffsets", ValueType.of(DType.I32, schema.scenarios() + 1L)));
    Dim userOffsets = Dim.symbol("users+1", schema.maxBatch() + 1L);
    byUser =
        new Ops.Grouping(
            graph.input("userOrder", ValueType.of(DType.I32, rows)),
            graph.input("userOffsets", ValueType.of(DType.I32, userOffsets)));
    userRows = graph.input("userRows", ValueType.of(DType.I32, users));
    evidence = graph.input("evidence", rows, Dim.of(Evidence.FEATURES));
  }

  public Graph graph() {
    return graph;
  }

  public ModelSchema schema() {
    return schema;
  }

  public boolean isTraining() {
    return training;
  }

  /** Every parameter that the model reads, in the order of first use. */
  public List<ModelParameter> parameters() {
    return Collections.unmodifiableList(parameters);
  }

  /** Rows of the batch. */
  public Dim rows() {
    return rows;
  }

  /** Distinct users of the batch. */
  public Dim users() {
    return users;
  }

  /** Field ids I32 {@code [rows, fields]}. */
  public Value ids() {
    return ids;
  }

  /** Scenario of each row I32 {@code [rows]}. */
  public Value scenarioIds() {
    return scenarioIds;
  }

  /** Rows grouped by scenario. */
  public Ops.Grouping byScenario() {
    return byScenario;
  }

  /** Rows grouped by distinct user. */
  public Ops.Grouping byUser() {
    return byUser;
  }

  /** Row of each distinct user in the knowledge table, I32 {@code [users]}. */
  public Value userRows() {
    return userRows;
  }

  /** How much the training data knows of each row, {@code [rows, Evidence.FEATURES]}. */
  public Value evidence() {
    return evidence;
  }

  /** Declares or finds a parameter of the compute type. */
  public Value parameter(String name, ParameterGroup group, Init init, long... extents) {
    Value value = graph.parameter(name, extents);
    if (parameters.stream().noneMatch(known -> known.value() == value)) {
      parameters.add(new ModelParameter(value, init, group));
    }
    return value;
  }

  /** Every field's embedding, side by side: {@code [rows, fields * dim]}. */
  public Value embeddings(int dim, double standardDeviation) {
    List<Value> tables = new ArrayList<>();
    for (ModelSchema.Field field : schema.fields()) {
      tables.add(
          parameter(
              "embedding.tables." + field.name() + ".weight",
              ParameterGroup.EMBEDDING,
              new Init.Normal(standardDeviation),
              field.vocabularySize(),
              dim));
    }
    return Ops.embeddings(ids, tables);
  }

  /** {@code act(x W^T + b)} with {@code W [out, in]}. */
  public Value linear(
      String name, ParameterGroup group, Value x, long width, UnaryOp.Kind activation) {
    long in = x.type().dim(1).fixed();
    Value weight = parameter(name + ".weight", group, Init.fanIn(in), width, in);
    Value bias = parameter(name + ".bias", group, Init.zeros(), width);
    return Ops.linear(x, weight, bias, activation);
  }

  /** Linear and ReLU for each of {@code widths}. */
  public Value mlp(String name, Value x, List<Integer> widths) {
    Value h = x;
    for (int i = 0; i < widths.size(); i++) {
      String layer = name + ".lin." + i;
      h = linear(layer, ParameterGroup.NETWORK, h, widths.get(i), UnaryOp.Kind.RELU);
    }
    return h;
  }

  /**
   * One tower per scenario, linear and ReLU for each of {@code widths}, then linear to a logit;
   * each row runs its own scenario's only. Result {@code [rows, 1]}.
   */
  public Value towers(String name, Value x, List<Integer> widths) {
    Value h = x;
    for (int i = 0; i < widths.size(); i++) {
      h = scenarioLinear(name + ".*.lin." + i, h, widths.get(i), UnaryOp.Kind.RELU);
    }
    return scenarioLinear(name + ".*.out", h, 1, null);
  }

  private Value scenarioLinear(String name, Value x, long width, UnaryOp.Kind activation) {
    long in = x.type().dim(1).fixed();
    long scenarios = schema.scenarios();
    ParameterGroup group = ParameterGroup.NETWORK;
    Value weight = parameter(name + ".weight", group, Init.fanIn(in), scenarios, width, in);
    Value bias = parameter(name + ".bias", group, Init.zeros(), scenarios, width);
    return Ops.groupedLinear(x, weight, true, bias, byScenario, activation);
  }
}
