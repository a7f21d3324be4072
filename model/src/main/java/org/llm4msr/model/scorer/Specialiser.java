package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.llm4msr.model.recommender.BatchColumns;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ModelSchema;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.AttentionPoolingOp;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.ConcatOp;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.GroupedBatchNormOp;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.MixtureOp;
import org.llm4msr.runtime.op.ReshapeOp;
import org.llm4msr.runtime.op.RmsNormOp;
import org.llm4msr.runtime.op.ScaleOp;
import org.llm4msr.runtime.op.SliceOp;
import org.llm4msr.runtime.op.SoftmaxOp;
import org.llm4msr.runtime.op.StopGradientOp;
import org.llm4msr.runtime.op.UnaryOp;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/**
 * Turns a model's evaluation graph into the term of its logit for one scenario: operators that
 * group rows by scenario become plain ones with that scenario's weights, groups by user a user's
 * own matrix, lookups leaves.
 */
final class Specialiser {
  private final RecommenderModel model;
  private final ParameterStore store;
  private final Leaves leaves;
  private final Terms terms;
  private final LinearRules rules;
  private final List<Node> nodes;
  private final Map<Value, float[]> fixed = new HashMap<>();

  /**
   * Computes all that depends on weights alone.
   *
   * @param model built for evaluation
   * @param store holds its weights, in memory that the host can read
   */
  Specialiser(
      RecommenderModel model, ParameterStore store, Leaves leaves, Terms terms, LinearRules rules) {
    this.model = model;
    this.store = store;
    this.leaves = leaves;
    this.terms = terms;
    this.rules = rules;
    nodes = needed();
    computeFixed();
  }

  private List<Node> needed() {
    Set<Value> wanted = new HashSet<>(Set.of(model.logits()));
    List<Node> found = new ArrayList<>();
    List<Node> all = model.graph().nodes();
    for (int i = all.size() - 1; i >= 0; i--) {
      Node node = all.get(i);
      if (node.outputs().stream().anyMatch(wanted::contains)) {
        wanted.addAll(node.inputs());
        found.addFirst(node);
      }
    }
    return found;
  }

  /** Values of weights alone that a value of a batch is made from. */
  private void computeFixed() {
    Set<Value> varying = new HashSet<>();
    List<Value> outputs = new ArrayList<>();
    for (Node node : nodes) {
      boolean varies =
          node.inputs().stream().anyMatch(v -> v.kind() == Value.Kind.INPUT || varying.contains(v));
      if (varies) {
        varying.addAll(node.outputs());
        node.inputs().stream()
            .filter(v -> v.kind() == Value.Kind.COMPUTED && !varying.contains(v))
            .filter(v -> !outputs.contains(v))
            .forEach(outputs::add);
      }
    }
    if (outputs.isEmpty()) {
      return;
    }
    try (Plan plan = new Plan(store.backend(), model.graph(), store, outputs)) {
      plan.run();
      for (Value value : outputs) {
        fixed.put(value, floats(plan.output(value).segment(), value));
      }
    }
  }

  private static float[] floats(MemorySegment from, Value value) {
    int count = Math.toIntExact(value.type().maxElements());
    float[] elements = new float[count];
    MemorySegment.copy(from, JAVA_FLOAT, 0, elements, 0, count);
    return elements;
  }

  /** Elements of a value that depends on weights alone; null for others. */
  private float[] fixedElements(Value value) {
    return switch (value.kind()) {
      case PARAMETER -> fixed.computeIfAbsent(value, v -> floats(store.get(v.name()).segment(), v));
      case CONSTANT -> {
        double[] constant = value.constant();
        float[] elements = new float[constant.length];
        for (int i = 0; i < elements.length; i++) {
          elements[i] = (float) constant[i];
        }
        yield elements;
      }
      case INPUT -> null;
      case COMPUTED -> fixed.get(value);
    };
  }

  /**
   * The logit of a scenario.
   *
   * @throws UserError if the model has an operator that cannot be scored this way
   */
  Term logit(int scenario) {
    return new Walk(scenario).logit();
  }

  /** The way through the graph for one scenario. */
  private final class Walk {
    private final int scenario;
    private final ModelBuilder inputs = model.inputs();
    private final Map<Value, Term> known = new HashMap<>();

    Walk(int scenario) {
      this.scenario = scenario;
      known.put(
          inputs.evidence(),
          terms.concat(
              terms.leaf(leaves.userEvidence(scenario)),
              terms.leaf(leaves.itemEvidence(scenario))));
      if (inputs.externalLogit() != null) {
        known.put(inputs.externalLogit(), terms.leaf(leaves.externalLogit()));
      }
      for (BatchColumns factors : inputs.factorColumns()) {
        List<Term> parts = new ArrayList<>();
        for (int column : factors.columns()) {
          Position at = position(column, true);
          parts.add(
              leaves.isOfRequest(at.field())
                  ? terms.constant(new float[] {at.index() == 0 ? 1 : 0})
                  : terms.leaf(leaves.factor(at.field(), at.index())));
        }
        known.put(factors.input(), terms.concat(parts));
      }
    }

    Term logit() {
      for (Node node : nodes) {
        if (!fixed.containsKey(node.output()) && !isWeightsOnly(node)) {
          known.put(node.output(), apply(node));
        }
      }
      return known.get(model.logits());
    }

    private boolean isWeightsOnly(Node node) {
      return node.inputs().stream()
          .allMatch(v ->
              v.kind() == Value.Kind.PARAMETER
                  || v.kind() == Value.Kind.CONSTANT
                  || v.kind() == Value.Kind.COMPUTED && !known.containsKey(v));
    }

    private Term term(Value value) {
      Term term = known.get(value);
      if (term == null) {
        float[] elements = fixedElements(value);
        if (value == inputs.representation()) {
          throw new UserError(
              "this model cannot be exported: it reads the representation of an existing"
                  + " recommender, which a request cannot bring; let the recommender join with its"
                  + " logit, or use evaluate");
        }
        if (elements == null) {
          throw new IllegalStateException(value + " is neither known nor fixed");
        }
        term = terms.constant(elements);
        known.put(value, term);
      }
      return term;
    }

    private Term apply(Node node) {
      return switch (node.op()) {
        case EmbeddingConcatOp _ -> embeddings(node);
        case GatherOp _ -> gathered(node);
        case MatMulOp op when !op.transposeA() && !op.hasResidual() -> matmul(node, op);
        case GroupedMatMulOp op -> grouped(node, op);
        case BlockMatMulOp op -> blocks(node, op);
        case MixtureOp _ -> {
          List<Value> parts = node.inputs().subList(1, node.inputs().size());
          Term x = terms.concat(parts.stream().map(this::term).toList());
          yield terms.mixture(term(node.input(0)), x);
        }
        case UnaryOp(UnaryOp.Kind kind) -> terms.unary(kind, term(node.input(0)));
        case ScaleOp(double factor, double offset) ->
            terms.scale(term(node.input(0)), factor, offset);
        case SoftmaxOp _ -> terms.softmax(term(node.input(0)));
        case ConcatOp _ -> terms.concat(node.inputs().stream().map(this::term).toList());
        case SliceOp(long from, long to) ->
            terms.slice(term(node.input(0)), Math.toIntExact(from), Math.toIntExact(to));
        case ReshapeOp _, StopGradientOp _ -> term(node.input(0));
        case RmsNormOp(double epsilon) ->
            terms.rmsNorm(term(node.input(0)), term(node.input(1)), epsilon);
        case GroupedBatchNormOp op -> batchNorm(node, op);
        case BinaryOp(BinaryOp.Kind kind) -> binary(node, kind);
        case AttentionPoolingOp _ -> throw attention();
        default ->
            throw new UserError(
                "this model cannot be exported: scoring has no operator "
                    + node.op().name()
                    + " yet");
      };
    }

    private UserError attention() {
      String fields =
          inputs.schema().fields().stream()
              .filter(ModelSchema.Field::attention)
              .map(ModelSchema.Field::name)
              .collect(Collectors.joining(", "));
      return new UserError(
          "this model cannot be exported: it pools by attention ("
              + fields
              + "), which scoring cannot do; leave these features out or use evaluate. Lists of"
              + " items and users can be scored with pooling: mean or sum");
    }

    /** Where a batch's column of ids or factors belongs. */
    private Position position(int column, boolean weightedOnly) {
      int at = 0;
      List<ModelSchema.Field> fields = inputs.schema().fields();
      for (int f = 0; f < fields.size(); f++) {
        ModelSchema.Field field = fields.get(f);
        if (weightedOnly && !field.weighted()) {
          continue;
        }
        if (column < at + field.length()) {
          return new Position(f, column - at);
        }
        at += field.length();
      }
      throw new IllegalArgumentException("column " + column);
    }

    private BatchColumns columnsOf(Node node) {
      return inputs.idColumns().stream()
          .filter(columns -> columns.input() == node.input(0))
          .findFirst()
          .orElseThrow();
    }

    /** Every table that a field's id is looked up in. */
    private List<Value> tablesOf(int field) {
      List<Value> tables = new ArrayList<>();
      for (Node node : nodes) {
        if (node.op() instanceof EmbeddingConcatOp) {
          int[] columns = columnsOf(node).columns();
          for (int i = 0; i < columns.length; i++) {
            Position at = position(columns[i], false);
            if (at.field() == field && at.index() == 0) {
              tables.add(node.input(i + 1));
            }
          }
        }
      }
      return tables;
    }

    /**
     * Backbone and levels may have tables of their own; a request says its value once for both.
     * Numbers and lists arrive multiplied and added up: in the place of their first element, with a
     * factor of 1.
     */
    private Term requestField(Position at, Value table) {
      if (at.index() > 0) {
        return terms.constant(new float[extent(table, 1)]);
      }
      List<Value> tables = tablesOf(at.field());
      Term all =
          terms.leaf(
              leaves.requestField(
                  at.field(), tables.stream().map(value -> store.get(value.name())).toList()));
      int from = 0;
      for (Value before : tables.subList(0, tables.indexOf(table))) {
        from += extent(before, 1);
      }
      return terms.slice(all, from, from + extent(table, 1));
    }

    private Term embeddings(Node node) {
      BatchColumns ids = columnsOf(node);
      List<Term> parts = new ArrayList<>();
      for (int i = 0; i < ids.columns().length; i++) {
        Position at = position(ids.columns()[i], false);
        Value table = node.input(i + 1);
        parts.add(
            leaves.isOfRequest(at.field())
                ? requestField(at, table)
                : terms.leaf(
                    leaves.embedding(
                        at.field(), at.index(), table.name(), store.get(table.name()))));
      }
      return terms.concat(parts);
    }

    private Term gathered(Node node) {
      Value ids = node.input(1);
      if (ids == inputs.scenarioIds()) {
        return ofScenario(node.input(0));
      }
      if (ids == inputs.userRows() || ids == inputs.vectorRows()) {
        return terms.leaf(leaves.knowledge(store.get(node.input(0).name())));
      }
      throw new UserError("this model cannot be exported: it looks up " + ids);
    }

    /** The scenario's part of a value that is stacked over scenarios. */
    private Term ofScenario(Value stacked) {
      float[] all = fixedElements(stacked);
      int width = all.length / inputs.schema().scenarios();
      return terms.constant(Arrays.copyOfRange(all, scenario * width, (scenario + 1) * width));
    }

    private Term matmul(Node node, MatMulOp op) {
      Value b = node.input(1);
      int in = extent(b, op.transposeB() ? 1 : 0);
      int out = extent(b, op.transposeB() ? 0 : 1);
      Term addend = op.hasBias() ? term(node.input(2)) : null;
      Term w = term(b);
      Term weight = op.transposeB() ? terms.transpose(w, out) : w;
      return rules.linear(term(node.input(0)), weight, in, out, addend, op.activation());
    }

    private Term grouped(Node node, GroupedMatMulOp op) {
      Value w = node.input(1);
      int in = extent(w, op.transposeW() ? 2 : 1);
      int out = extent(w, op.transposeW() ? 1 : 2);
      boolean byScenario = node.input(2) == inputs.byScenario().order();
      boolean byUser = node.input(2) == inputs.byUser().order() && !op.transposeW();
      if (!byScenario && !byUser) {
        throw new UserError("this model cannot be exported: it groups rows by " + node.input(2));
      }
      Term weight = byScenario ? ofScenario(w) : term(w);
      if (op.transposeW()) {
        weight = terms.transpose(weight, out);
      }
      Term bias = null;
      if (op.hasBias()) {
        bias = byScenario ? ofScenario(node.input(4)) : term(node.input(4));
      }
      return rules.linear(term(node.input(0)), weight, in, out, bias, op.activation());
    }

    private Term blocks(Node node, BlockMatMulOp op) {
      Value w = node.input(1);
      int groups = extent(w, 0);
      int in = extent(w, op.transposeW() ? 2 : 1);
      int out = extent(w, op.transposeW() ? 1 : 2);
      Term x = term(node.input(0));
      Term all = term(w);
      List<Term> parts = new ArrayList<>();
      for (int g = 0; g < groups; g++) {
        Term weight = terms.slice(all, g * in * out, (g + 1) * in * out);
        Term bias = op.hasBias() ? terms.slice(term(node.input(2)), g * out, (g + 1) * out) : null;
        parts.add(
            rules.linear(
                terms.slice(x, g * in, (g + 1) * in),
                op.transposeW() ? terms.transpose(weight, out) : weight,
                in,
                out,
                bias,
                op.activation()));
      }
      return terms.concat(parts);
    }

    /** With running statistics: a factor and an addend for each column. */
    private Term batchNorm(Node node, GroupedBatchNormOp op) {
      float[] scale = ofScenario(node.input(3)).elements().clone();
      float[] shift = ofScenario(node.input(4)).elements().clone();
      float[] mean = ofScenario(node.input(5)).elements();
      float[] variance = ofScenario(node.input(6)).elements();
      for (int i = 0; i < scale.length; i++) {
        double factor = scale[i] / Math.sqrt(variance[i] + op.epsilon());
        shift[i] = (float) (shift[i] - mean[i] * factor);
        scale[i] = (float) factor;
      }
      Term scaled = terms.binary(BinaryOp.Kind.MUL, term(node.input(0)), terms.constant(scale));
      return terms.binary(BinaryOp.Kind.ADD, scaled, terms.constant(shift));
    }

    private Term binary(Node node, BinaryOp.Kind kind) {
      Term a = term(node.input(0));
      Term b = term(node.input(1));
      int width = Math.max(a.width(), b.width());
      return terms.binary(kind, spread(a, node.input(0), width), spread(b, node.input(1), width));
    }

    /** A last extent of 1 against a wider one: every number stands for a block of columns. */
    private Term spread(Term x, Value value, int width) {
      if (x.width() == width || x.width() == 1) {
        return x;
      }
      List<Dim> dims = value.type().dims();
      if (!dims.getLast().equals(Dim.of(1)) || width % x.width() != 0) {
        throw new UserError(
            "this model cannot be exported: it combines unequal shapes at " + value);
      }
      return terms.repeat(x, width / x.width());
    }
  }

  private record Position(int field, int index) {}

  private static int extent(Value value, int axis) {
    return Math.toIntExact(value.type().dim(axis).fixed());
  }
}
