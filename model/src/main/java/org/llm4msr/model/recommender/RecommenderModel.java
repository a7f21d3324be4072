package org.llm4msr.model.recommender;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.backbone.Backbone;
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
 * alone. With {@link MetaConfig#isBeside} both levels stand beside the backbone and read the
 * content features only.
 */
public final class RecommenderModel {
  /** The users' vectors {@code [users, width]}, normalised; frozen. */
  public static final String USER_KNOWLEDGE = "knowledge.user";

  /** The scenarios' vectors {@code [scenarios, width]}, normalised; frozen. */
  public static final String SCENARIO_KNOWLEDGE = "knowledge.scenario";

  private static final String LEARNED = "learned.";

  /** sigmoid(3) = 0.95: the fusion starts at the backbone. */
  private static final double ALPHA_START = 3;

  /** Content features are what their meta layers read, so they start at a size that counts. */
  private static final double CONTENT_DEVIATION = 0.5;

  private final ModelBuilder builder;
  private final List<Value> userLayers = new ArrayList<>();
  private final List<Value> scenarioLayers = new ArrayList<>();
  private Value scenarioVectors;
  private Value knowledgeWeight;
  private Value logits;

  private RecommenderModel(ModelBuilder builder) {
    this.builder = builder;
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
    RecommenderModel model = new RecommenderModel(builder);
    if (meta.isBeside()) {
      model.beside(config);
      return model;
    }
    boolean scenarioLevel = meta.scenario() != MetaConfig.ScenarioMode.OFF;
    if (!scenarioLevel && !config.backbone().readsInput(schema)) {
      model.logits = config.backbone().logits(builder, null);
      return model;
    }
    Value x = config.backbone().input(builder, config.embeddingDim(), config.embeddingDeviation());
    model.knowledgeWeight = isByEvidence(meta) ? evidence(builder) : null;
    Value z = model.userLevel(meta, x);
    model.logits = config.backbone().logits(builder, z);
    if (scenarioLevel) {
      Value input = meta.scenario() == MetaConfig.ScenarioMode.BOTTOM ? z : x;
      Value metaLogit = model.scenarioLevel(meta, input);
      model.logits = model.fuse(meta.fusion(), x, model.logits, metaLogit);
    }
    return model;
  }

  private static boolean isByEvidence(MetaConfig meta) {
    return !meta.isOff() && meta.fusion() == MetaConfig.Fusion.EVIDENCE;
  }

  /** The backbone as if alone, and beside it what the levels make of the content features. */
  private void beside(RecommenderConfig config) {
    MetaConfig meta = config.meta();
    Backbone backbone = config.backbone();
    Value x =
        backbone.readsInput(builder.schema())
            ? backbone.input(builder, config.embeddingDim(), config.embeddingDeviation())
            : null;
    Value backboneLogit = backbone.logits(builder, x);
    Value content = builder.content(config.embeddingDim(), CONTENT_DEVIATION);
    if (isByEvidence(meta)) {
      // As with scalars: a copy that learned from fewer rows is surer of itself than it should be.
      backboneLogit = Ops.mul(backboneWeight(builder), backboneLogit);
      knowledgeWeight = evidence(builder);
    }
    Value metaLogit = null;
    if (meta.user() == MetaConfig.UserMode.LOGIT) {
      metaLogit = userLayers(meta, content, 1, meta.generators() == Generators.AFFINE, false);
    }
    if (meta.scenario() == MetaConfig.ScenarioMode.CONTENT) {
      Value own = scenarioLevel(meta, content);
      metaLogit = metaLogit == null ? own : Ops.add(metaLogit, own);
    }
    logits = fuse(meta.fusion(), content, backboneLogit, metaLogit);
  }

  public Graph graph() {
    return builder.graph();
  }

  /** The inputs of a batch and the parameters. */
  public ModelBuilder inputs() {
    return builder;
  }

  /** Whether the model has a parameter of this name, such as {@link #USER_KNOWLEDGE}. */
  public boolean reads(String parameter) {
    return builder.parameters().stream().anyMatch(own -> own.value().name().equals(parameter));
  }

  /** {@code [rows, 1]}; probability = sigmoid(logit). */
  public Value logits() {
    return logits;
  }

  /**
   * What the scenario level's logit is multiplied with, {@code [rows, 1]} or {@code [1]} for all
   * rows; with {@link MetaConfig.Fusion#EVIDENCE} the user level's output too. Null where nothing
   * is weighted.
   */
  public Value knowledgeWeight() {
    return knowledgeWeight;
  }

  /**
   * The layers that the users' vectors generate: weights {@code [users, in, out]} and biases {@code
   * [users, out]}; none where that level is off, and in training where they need not be formed.
   */
  public List<Value> userLayers() {
    return Collections.unmodifiableList(userLayers);
  }

  /** The layers that the scenarios' vectors generate, see {@link #userLayers}. */
  public List<Value> scenarioLayers() {
    return Collections.unmodifiableList(scenarioLayers);
  }

  /** The table that the scenarios' layers are generated from; null where that level is off. */
  public Value scenarioVectors() {
    return scenarioVectors;
  }

  private Value userLevel(MetaConfig meta, Value x) {
    if (meta.user() == MetaConfig.UserMode.OFF) {
      return x;
    }
    long width = x.type().dim(1).fixed();
    boolean free =
        meta.user() == MetaConfig.UserMode.CONCAT || meta.user() == MetaConfig.UserMode.PROJECTION;
    long output = free && meta.userOutput() > 0 ? meta.userOutput() : width;
    if (meta.user() == MetaConfig.UserMode.PROJECTION) {
      Value table = vectors(builder, meta, USER_KNOWLEDGE, builder.schema().userVectors());
      Value h = Ops.gather(table, builder.vectorRows());
      return Ops.concat(x, weighted(projection(builder, h, output), knowledgeWeight));
    }
    boolean lastBias =
        meta.generators() == Generators.AFFINE || meta.user() == MetaConfig.UserMode.REPLACE;
    Value u =
        weighted(userLayers(meta, x, output, lastBias, meta.userLastActivation()), knowledgeWeight);
    return switch (meta.user()) {
      case REPLACE -> u;
      case RESIDUAL -> Ops.add(x, u);
      case CONCAT -> Ops.concat(x, u);
      case OFF, PROJECTION, LOGIT -> x;
    };
  }

  /** What the layers that the users' vectors generate make of {@code x}: {@code [rows, output]}. */
  private Value userLayers(
      MetaConfig meta, Value x, long output, boolean lastBias, boolean lastActivation) {
    Value table = vectors(builder, meta, USER_KNOWLEDGE, builder.schema().userVectors());
    List<Long> widths = widths(x.type().dim(1).fixed(), meta.userHidden(), output);
    boolean byRow =
        builder.isTraining()
            && MetaNet.isCheaperByRow(widths, meta.rank(), builder.schema().rowsPerVector());
    Value h = Ops.gather(table, byRow ? builder.vectorRows() : builder.userRows());
    boolean affine = meta.generators() == Generators.AFFINE;
    MetaNet net = new MetaNet(builder, "user_meta", h, widths, meta.rank(), affine, lastBias);
    if (byRow) {
      return net.applyByRow(x, lastActivation);
    }
    userLayers.addAll(net.layers());
    return MetaNet.apply(userLayers, x, builder.byUser(), lastActivation);
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
   * The vectors {@code [count, width]}: a language model's, or learned ones as long as standardised
   * vectors are.
   */
  private static Value vectors(ModelBuilder builder, MetaConfig meta, String name, long count) {
    long width = builder.schema().knowledgeWidth();
    Init start = new Init.Normal(1 / Math.sqrt(width));
    return meta.learnedVectors()
        ? builder.parameter(LEARNED + name, ParameterGroup.VECTOR, start, count, width)
        : builder.parameter(name, ParameterGroup.KNOWLEDGE, Init.zeros(), count, width);
  }

  private Value scenarioLevel(MetaConfig meta, Value input) {
    Value h = vectors(builder, meta, SCENARIO_KNOWLEDGE, builder.schema().scenarios());
    scenarioVectors = h;
    List<Long> widths = widths(input.type().dim(1).fixed(), meta.scenarioHidden(), 1);
    boolean affine = meta.generators() == Generators.AFFINE;
    MetaNet net = new MetaNet(builder, "scen_meta", h, widths, meta.rank(), affine, affine);
    scenarioLayers.addAll(net.layers());
    return MetaNet.apply(scenarioLayers, input, builder.byScenario(), false);
  }

  private static List<Long> widths(long first, List<Integer> hidden, long last) {
    List<Long> widths = new ArrayList<>();
    widths.add(first);
    hidden.forEach(width -> widths.add((long) width));
    widths.add(last);
    return widths;
  }

  private Value fuse(MetaConfig.Fusion fusion, Value x, Value backboneLogit, Value metaLogit) {
    ParameterGroup group = ParameterGroup.FACTOR;
    return switch (fusion) {
      case ALPHA -> {
        Value alpha = builder.parameter("alpha", group, new Init.Constant(ALPHA_START), 1);
        yield mix(Ops.sigmoid(alpha), backboneLogit, metaLogit);
      }
      case SCALARS -> {
        Value wb = backboneWeight(builder);
        Value wm = builder.parameter("wm", group, Init.ones(), 1);
        knowledgeWeight = wm;
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

  private static Value backboneWeight(ModelBuilder builder) {
    return builder.parameter("wb", ParameterGroup.FACTOR, Init.ones(), 1);
  }

  /** {@code a first + (1 - a) second}. */
  private Value mix(Value a, Value first, Value second) {
    knowledgeWeight = Ops.scale(a, -1, 1);
    return Ops.add(Ops.mul(a, first), Ops.mul(knowledgeWeight, second));
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
