package org.llm4msr.model.recommender;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.DropoutOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * A recommender's graph while it grows: the inputs of a batch, and the layers that backbones and
 * meta networks are made of. A {@code *} in a parameter's name stands for the scenarios or experts
 * over which it is stacked along the first axis.
 */
public final class ModelBuilder {
  private static final double SCENARIO_DEVIATION = 0.05;

  private final Graph graph;
  private final boolean training;
  private final ModelSchema schema;
  private final List<ModelParameter> parameters = new ArrayList<>();
  private final Dim rows;
  private final Dim users;
  private final FieldEmbeddings embeddings;
  private FieldEmbeddings contentEmbeddings;
  private final Value scenarioIds;
  private final Ops.Grouping byScenario;
  private final Ops.Grouping byUser;
  private final Value userRows;
  private final Value vectorRows;
  private final Value evidence;
  private final Value externalLogit;
  private final Value representation;
  private final Value step;
  private final double dropout;
  private Value scenarioIndicator;
  private int dropouts;

  /** A parameter with what the graph does not know of it. */
  public record ModelParameter(Value value, Init init, ParameterGroup group) {}

  /**
   * @param computeType F32, or F64 on the reference backend
   * @param training whether normalisations use and update batch statistics, and dropout drops
   * @param dropout share of hidden neurons that training drops, 0 for none
   */
  public ModelBuilder(ModelSchema schema, DType computeType, boolean training, double dropout) {
    this.dropout = training ? dropout : 0;
    this.schema = schema;
    this.training = training;
    graph = new Graph(computeType);
    rows = Dim.symbol("rows", schema.maxBatch());
    users = Dim.symbol("users", schema.maxBatch());
    embeddings = FieldEmbeddings.ofAll(graph, schema, rows);
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
    vectorRows = graph.input("vectorRows", ValueType.of(DType.I32, rows));
    evidence = graph.input("evidence", rows, Dim.of(Evidence.FEATURES));
    externalLogit = schema.externalLogit() ? graph.input("externalLogit", rows, Dim.of(1)) : null;
    int width = schema.representation();
    representation = width > 0 ? graph.input("representation", rows, Dim.of(width)) : null;
    step = graph.input("step", ValueType.of(DType.F64, 2));
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

  /**
   * Ids of the categories with tables of their own, I32 {@code [rows, fields]}; null if there are
   * none.
   */
  public Value ids() {
    return embeddings.categoryIds();
  }

  /** Every input of ids, with the batch's columns that it takes. */
  public List<BatchColumns> idColumns() {
    return joined(embeddings.ids(), FieldEmbeddings::ids);
  }

  private List<BatchColumns> joined(
      List<BatchColumns> first, Function<FieldEmbeddings, List<BatchColumns>> of) {
    if (contentEmbeddings == null) {
      return first;
    }
    List<BatchColumns> all = new ArrayList<>(first);
    all.addAll(of.apply(contentEmbeddings));
    return all;
  }

  /** Every input of factors, with the batch's columns that it takes. */
  public List<BatchColumns> factorColumns() {
    return joined(embeddings.factors(), FieldEmbeddings::factors);
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

  /** Row of each row's user in the knowledge table, I32 {@code [rows]}. */
  public Value vectorRows() {
    return vectorRows;
  }

  /** How much the training data knows of each row, {@code [rows, Evidence.FEATURES]}. */
  public Value evidence() {
    return evidence;
  }

  /**
   * What an existing recommender says of each row, {@code [rows, 1]}; null where it is not known.
   */
  public Value externalLogit() {
    return externalLogit;
  }

  /**
   * How an existing recommender represents each row, {@code [rows, width]}; null where it is not
   * known.
   */
  public Value representation() {
    return representation;
  }

  /** F64 {@code [2]}: the learning rate, and the number of this step from 1. */
  public Value step() {
    return step;
  }

  /** Hidden activations of the backbone, some of them dropped while training. */
  public Value dropped(Value h) {
    return dropout == 0 ? h : graph.apply(new DropoutOp(dropout, dropouts++), h, step).get(0);
  }

  private Value hidden(Value h, ParameterGroup group, UnaryOp.Kind activation) {
    return group == ParameterGroup.NETWORK && activation == UnaryOp.Kind.RELU ? dropped(h) : h;
  }

  /** Declares or finds a parameter of the compute type. */
  public Value parameter(String name, ParameterGroup group, Init init, long... extents) {
    Value value = graph.parameter(name, extents);
    if (parameters.stream().noneMatch(known -> known.value() == value)) {
      parameters.add(new ModelParameter(value, init, group));
    }
    return value;
  }

  /** Every field's vector, side by side: {@code [rows, sum of widths]}. */
  public Value embeddings(int dim, double standardDeviation) {
    return embeddings.lookUp(this, dim, standardDeviation);
  }

  /**
   * Every content field's vector from tables of their own, side by side: {@code [rows, sum of
   * widths]}.
   */
  public Value content(int dim, double standardDeviation) {
    contentEmbeddings = FieldEmbeddings.ofContent(graph, schema, rows);
    return contentEmbeddings.lookUp(this, dim, standardDeviation);
  }

  /**
   * The embeddings of some fields, side by side in the order of the schema.
   *
   * @param names at least one of them a field's; others are passed over
   */
  public Value fields(List<String> names) {
    List<Value> fields = embeddings.vectors();
    List<Value> chosen = new ArrayList<>();
    for (int f = 0; f < fields.size(); f++) {
      if (names.contains(schema.fields().get(f).name())) {
        chosen.add(fields.get(f));
      }
    }
    return Ops.concat(chosen.toArray(Value[]::new));
  }

  /** {@code act(x W^T + b)}, a backbone's hidden layer with dropout, with {@code W [out, in]}. */
  public Value linear(
      String name, ParameterGroup group, Value x, long width, UnaryOp.Kind activation) {
    long in = x.type().dim(1).fixed();
    Value weight = parameter(name + ".weight", group, Init.fanIn(in), width, in);
    Value bias = parameter(name + ".bias", group, Init.zeros(), width);
    return hidden(Ops.linear(x, weight, bias, activation), group, activation);
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

  /**
   * {@code act(x W_s^T + b_s)} with the row's own scenario's weights; {@code *} in the name stands
   * for the scenarios.
   */
  public Value scenarioLinear(String name, Value x, long width, UnaryOp.Kind activation) {
    long in = x.type().dim(1).fixed();
    long scenarios = schema.scenarios();
    ParameterGroup group = ParameterGroup.NETWORK;
    Value weight = parameter(name + ".weight", group, Init.fanIn(in), scenarios, width, in);
    Value bias = parameter(name + ".bias", group, Init.zeros(), scenarios, width);
    Value h = Ops.groupedLinear(x, weight, true, bias, byScenario, activation);
    return hidden(h, group, activation);
  }

  /**
   * {@code count} networks of linear and ReLU, side by side: {@code [rows, count * last width]}.
   * Their first layers are one wide product, later ones read blocks of columns.
   */
  public Value experts(String name, Value x, int count, List<Integer> widths) {
    return experts(name, x, 1, count, widths);
  }

  /**
   * Experts with inputs of their own: block b of x's columns is what experts {@code b * count} to
   * {@code (b + 1) * count - 1} read.
   *
   * @return {@code [rows, blocks * count * last width]}
   */
  public Value experts(String name, Value x, int blocks, int count, List<Integer> widths) {
    Value h = x;
    long in = x.type().dim(1).fixed() / blocks;
    for (int i = 0; i < widths.size(); i++) {
      long out = widths.get(i);
      Value weight = expertWeight(name, i, (long) blocks * count, out, in);
      Value bias = expertBias(name, i, (long) blocks * count, out);
      if (i == 0) {
        weight = Ops.reshape(weight, Dim.of(blocks), Dim.of(count * out), Dim.of(in));
        bias = Ops.reshape(bias, Dim.of(blocks), Dim.of(count * out));
      }
      h = dropped(Ops.blockLinear(h, weight, bias, UnaryOp.Kind.RELU));
      in = out;
    }
    return h;
  }

  /**
   * {@code count} experts of each scenario, of which a row runs its own scenario's only: {@code
   * [rows, count * last width]}.
   */
  public Value scenarioExperts(String name, Value x, int count, List<Integer> widths) {
    long scenarios = schema.scenarios();
    Value h = x;
    long in = x.type().dim(1).fixed();
    for (int i = 0; i < widths.size(); i++) {
      long out = widths.get(i);
      Value weight = expertWeight(name, i, scenarios * count, out, in);
      Value bias = expertBias(name, i, scenarios * count, out);
      Value biases = Ops.reshape(bias, Dim.of(scenarios), Dim.of(count * out));
      if (i == 0) {
        Value wide = Ops.reshape(weight, Dim.of(scenarios), Dim.of(count * out), Dim.of(in));
        h = Ops.groupedLinear(x, wide, true, biases, byScenario, UnaryOp.Kind.RELU);
      } else {
        Value flat = Ops.reshape(weight, Dim.of(scenarios), Dim.of(count * out * in));
        Value[] parts = new Value[count];
        for (int k = 0; k < count; k++) {
          Value own = Ops.slice(flat, k * out * in, (k + 1) * out * in);
          parts[k] =
              Ops.groupedLinear(
                  Ops.slice(h, k * in, (k + 1) * in),
                  Ops.reshape(own, Dim.of(scenarios), Dim.of(out), Dim.of(in)),
                  true,
                  Ops.slice(biases, k * out, (k + 1) * out),
                  byScenario,
                  UnaryOp.Kind.RELU);
        }
        h = Ops.concat(parts);
      }
      h = dropped(h);
      in = out;
    }
    return h;
  }

  private Value expertWeight(String name, int layer, long count, long out, long in) {
    String full = name + ".*.lin." + layer + ".weight";
    return parameter(full, ParameterGroup.NETWORK, Init.fanIn(in), count, out, in);
  }

  private Value expertBias(String name, int layer, long count, long out) {
    String full = name + ".*.lin." + layer + ".bias";
    return parameter(full, ParameterGroup.NETWORK, Init.zeros(), count, out);
  }

  /** A learned vector per scenario, {@code [scenarios, dim]}. */
  public Value scenarioTable(int dim) {
    return parameter(
        "backbone.scen_emb.weight",
        ParameterGroup.EMBEDDING,
        new Init.Normal(SCENARIO_DEVIATION),
        schema.scenarios(),
        dim);
  }

  /** The learned vector of each row's scenario, {@code [rows, dim]}. */
  public Value scenarioEmbedding(int dim) {
    return Ops.gather(scenarioTable(dim), scenarioIds);
  }

  /** Each row's own row of a table per scenario, {@code [rows, width]}. */
  public Value ofScenario(String name, ParameterGroup group, Init init, long width) {
    return Ops.gather(parameter(name, group, init, schema.scenarios(), width), scenarioIds);
  }

  /** 1 at each row's scenario, 0 elsewhere: {@code [rows, scenarios]}. */
  public Value scenarioIndicator() {
    if (scenarioIndicator == null) {
      int scenarios = schema.scenarios();
      double[] identity = new double[scenarios * scenarios];
      for (int s = 0; s < scenarios; s++) {
        identity[s * scenarios + s] = 1;
      }
      Value table = graph.constant(identity, scenarios, scenarios);
      scenarioIndicator = Ops.gather(table, scenarioIds);
    }
    return scenarioIndicator;
  }
}
