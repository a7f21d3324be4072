package org.llm4msr.model.recommender;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * LLM4MSR (Wang et al., CIKM 2024, arXiv 2406.12529) around a backbone: x = embedded features; user
 * level at the bottom: u = meta layers generated from the user's vector, applied to x, give the
 * backbone's input z; scenario level beside it: meta layers generated from the scenario's vector
 * give a second logit; the fusion makes both one. With {@link MetaConfig#off()} it is the backbone
 * alone.
 */
public final class RecommenderModel {
  /** The users' vectors {@code [users, width]}, normalised; frozen. */
  public static final String USER_KNOWLEDGE = "knowledge.user";

  /** The scenarios' vectors {@code [scenarios, width]}, normalised; frozen. */
  public static final String SCENARIO_KNOWLEDGE = "knowledge.scenario";

  private static final String LEARNED = "learned.";

  /** sigmoid(3) = 0.95: the fusion starts at the backbone. */
  private static final double ALPHA_START = 3;

  private final ModelBuilder builder;
  private final Value logits;

  private RecommenderModel(ModelBuilder builder, Value logits) {
    this.builder = builder;
    this.logits = logits;
  }

  /**
   * Builds the graph.
   *
   * @param computeType F32, or F64 on the reference backend
   * @param training whether normalisations use and update batch statistics
   * @throws IllegalArgumentException if the meta levels are on but the schema has no knowledge
   */
  public static RecommenderModel build(
      RecommenderConfig config, ModelSchema schema, DType computeType, boolean training) {
    MetaConfig meta = config.meta();
    if (!meta.isOff() && schema.knowledgeWidth() < 1) {
      throw new IllegalArgumentException("the meta networks need knowledge vectors");
    }
    ModelBuilder builder = new ModelBuilder(schema, computeType, training, config.dropout());
    boolean scenarioLevel = meta.scenario() != MetaConfig.ScenarioMode.OFF;
    if (!scenarioLevel && !config.backbone().readsFeatures()) {
      return new RecommenderModel(builder, config.backbone().logits(builder, null));
    }
    Value x = builder.embeddings(config.embeddingDim(), config.embeddingDeviation());
    Value knowledgeWeight = meta.fusion() == MetaConfig.Fusion.EVIDENCE ? evidence(builder) : null;
    Value z = userLevel(builder, meta, x, knowledgeWeight);
    Value backboneLogit = config.backbone().logits(builder, z);
    Value logits = backboneLogit;
    if (scenarioLevel) {
      Value metaLogit =
          scenarioLevel(builder, meta, meta.scenario() == MetaConfig.ScenarioMode.BOTTOM ? z : x);
      logits = fuse(builder, meta.fusion(), x, backboneLogit, metaLogit, knowledgeWeight);
    }
    return new RecommenderModel(builder, logits);
  }

  public Graph graph() {
    return builder.graph();
  }

  /** The inputs of a batch and the parameters. */
  public ModelBuilder inputs() {
    return builder;
  }

  /** {@code [rows, 1]}; probability = sigmoid(logit). */
  public Value logits() {
    return logits;
  }

  private static Value userLevel(
      ModelBuilder builder, MetaConfig meta, Value x, Value knowledgeWeight) {
    if (meta.user() == MetaConfig.UserMode.OFF) {
      return x;
    }
    long width = x.type().dim(1).fixed();
    boolean free =
        meta.user() == MetaConfig.UserMode.CONCAT || meta.user() == MetaConfig.UserMode.PROJECTION;
    long output = free && meta.userOutput() > 0 ? meta.userOutput() : width;
    Value table = vectors(builder, meta, USER_KNOWLEDGE, builder.schema().userVectors());
    if (meta.user() == MetaConfig.UserMode.PROJECTION) {
      Value h = Ops.gather(table, builder.vectorRows());
      return Ops.concat(x, weighted(projection(builder, h, output), knowledgeWeight));
    }
    Value h = Ops.gather(table, builder.userRows());
    MetaNet net =
        new MetaNet(builder, "user_meta", h, widths(width, meta.userHidden(), output), meta.rank());
    Value u = weighted(net.apply(x, builder.byUser(), meta.userLastActivation()), knowledgeWeight);
    return switch (meta.user()) {
      case REPLACE -> u;
      case RESIDUAL -> Ops.add(x, u);
      case CONCAT -> Ops.concat(x, u);
      case OFF, PROJECTION -> x;
    };
  }

  /** P h; P starts at zero, as the meta layers do. */
  private static Value projection(ModelBuilder builder, Value h, long output) {
    long width = h.type().dim(1).fixed();
    Value weight =
        builder.parameter("projection.weight", ParameterGroup.META, Init.zeros(), output, width);
    return Ops.linear(h, weight, null, null);
  }

  private static Value weighted(Value u, Value knowledgeWeight) {
    return knowledgeWeight == null ? u : Ops.mul(u, knowledgeWeight);
  }

  /**
   * The vectors {@code [count, width]}: a language model's, or learned ones as large as
   * standardised vectors are.
   */
  private static Value vectors(ModelBuilder builder, MetaConfig meta, String name, long count) {
    long width = builder.schema().knowledgeWidth();
    return meta.learnedVectors()
        ? builder.parameter(LEARNED + name, ParameterGroup.VECTOR, new Init.Normal(1), count, width)
        : builder.parameter(name, ParameterGroup.KNOWLEDGE, Init.zeros(), count, width);
  }

  private static Value scenarioLevel(ModelBuilder builder, MetaConfig meta, Value input) {
    Value h = vectors(builder, meta, SCENARIO_KNOWLEDGE, builder.schema().scenarios());
    List<Long> widths = widths(input.type().dim(1).fixed(), meta.scenarioHidden(), 1);
    MetaNet net = new MetaNet(builder, "scen_meta", h, widths, meta.rank());
    return net.apply(input, builder.byScenario(), false);
  }

  private static List<Long> widths(long first, List<Integer> hidden, long last) {
    List<Long> widths = new ArrayList<>();
    widths.add(first);
    hidden.forEach(width -> widths.add((long) width));
    widths.add(last);
    return widths;
  }

  private static Value fuse(
      ModelBuilder builder,
      MetaConfig.Fusion fusion,
      Value x,
      Value backboneLogit,
      Value metaLogit,
      Value knowledgeWeight) {
    ParameterGroup group = ParameterGroup.FACTOR;
    return switch (fusion) {
      case ALPHA -> {
        Value alpha = builder.parameter("alpha", group, new Init.Constant(ALPHA_START), 1);
        yield mix(Ops.sigmoid(alpha), backboneLogit, metaLogit);
      }
      case SCALARS -> {
        Value wb = builder.parameter("wb", group, Init.ones(), 1);
        Value wm = builder.parameter("wm", group, Init.ones(), 1);
        yield Ops.add(Ops.mul(wb, backboneLogit), Ops.mul(wm, metaLogit));
      }
      case GATE -> {
        long width = x.type().dim(1).fixed();
        Value weight = builder.parameter("gate.weight", group, Init.zeros(), 1, width);
        Value bias = builder.parameter("gate.bias", group, new Init.Constant(ALPHA_START), 1);
        yield mix(Ops.linear(x, weight, bias, UnaryOp.Kind.SIGMOID), backboneLogit, metaLogit);
      }
      case ADD -> Ops.add(backboneLogit, metaLogit);
      case EVIDENCE -> Ops.add(backboneLogit, Ops.mul(knowledgeWeight, metaLogit));
    };
  }

  /** {@code a first + (1 - a) second}. */
  private static Value mix(Value a, Value first, Value second) {
    return Ops.add(Ops.mul(a, first), Ops.mul(Ops.scale(a, -1, 1), second));
  }

  /** Starts at sigmoid(1 - log(1 + n)/2 for user and item): 0.73 for the unknown, falling. */
  private static Value evidence(ModelBuilder builder) {
    ParameterGroup group = ParameterGroup.FACTOR;
    Value weight =
        builder.parameter("evidence.weight", group, new Init.Constant(-0.5), 1, Evidence.FEATURES);
    Value bias = builder.parameter("evidence.bias", group, Init.ones(), 1);
    return Ops.linear(builder.evidence(), weight, bias, UnaryOp.Kind.SIGMOID);
  }
}
