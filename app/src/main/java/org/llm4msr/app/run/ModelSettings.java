package org.llm4msr.app.run;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.recommender.backbone.ScenarioId;

/**
 * A model as its user describes it.
 *
 * @param backboneOptions of the backbone, by name; those that are not given take their defaults
 * @param meta which levels of LLM4MSR are on
 * @param userMode how the user level enters where it is on
 * @param scenarioInput what the scenario level reads where it is on
 * @param vectors which vectors the levels read
 * @param scenarioId whether the backbone also reads an embedding of the scenario
 * @param crossFit 0, or into how many folds the training rows are divided so that the levels, which
 *     then stand beside the backbone, are trained against copies of it that did not see the row
 */
public record ModelSettings(
    BackboneKind backbone,
    Map<String, String> backboneOptions,
    int embeddingDim,
    double dropout,
    MetaLevels meta,
    UserMode userMode,
    ScenarioMode scenarioInput,
    Fusion fusion,
    int rank,
    List<Integer> userHidden,
    List<Integer> scenarioHidden,
    Generators generators,
    Normalization normalize,
    VectorSource vectors,
    boolean scenarioId,
    int crossFit) {

  private static final double EMBEDDING_DEVIATION = 0.05;

  /** Levels of LLM4MSR. */
  public enum MetaLevels {
    BOTH,
    USER,
    SCENARIO,
    OFF
  }

  /** Where the levels' vectors come from. */
  public enum VectorSource {
    /** The knowledge file. */
    LLM,
    /** The control: random ones of the same lengths, one for each user. */
    RANDOM,
    /** The control: parameters of the same size, learned with the model. */
    LEARNED
  }

  /** Settings of levels that are off say nothing and take one form. */
  public ModelSettings {
    backboneOptions = Collections.unmodifiableMap(backbone.complete(backboneOptions));
    boolean user = meta == MetaLevels.BOTH || meta == MetaLevels.USER;
    boolean scenario = meta == MetaLevels.BOTH || meta == MetaLevels.SCENARIO;
    userMode = user ? userMode : UserMode.OFF;
    userHidden = user ? List.copyOf(userHidden) : List.of();
    scenarioInput = scenario ? scenarioInput : ScenarioMode.OFF;
    scenarioHidden = scenario ? List.copyOf(scenarioHidden) : List.of();
    if (meta == MetaLevels.OFF) {
      fusion = Fusion.ADD;
      rank = 0;
      generators = Generators.CENTRED;
      vectors = VectorSource.LLM;
    }
    if (meta == MetaLevels.OFF || vectors == VectorSource.LEARNED) {
      normalize = Normalization.NONE;
    }
    if (userMode == UserMode.PROJECTION) {
      userHidden = List.of();
    }
    // A matrix into the backbone has no place beside it, and external is not trained here.
    boolean together =
        meta == MetaLevels.OFF
            || userMode == UserMode.PROJECTION
            || backbone == BackboneKind.EXTERNAL;
    crossFit = together ? 0 : crossFit;
    if (crossFit > 0) {
      userMode = user ? UserMode.LOGIT : UserMode.OFF;
      scenarioInput = scenario ? ScenarioMode.CONTENT : ScenarioMode.OFF;
    }
  }

  /** Whether the levels stand beside the backbone. */
  public boolean beside() {
    return userMode == UserMode.LOGIT || scenarioInput == ScenarioMode.CONTENT;
  }

  /**
   * The settings that the rows allow: of an existing recommender's logit nothing can be read, so
   * the levels stand beside it.
   */
  public ModelSettings on(Dataset dataset) {
    if (backbone != BackboneKind.EXTERNAL || !dataset.hasLogits() || meta == MetaLevels.OFF) {
      return this;
    }
    return with(meta, UserMode.LOGIT, ScenarioMode.CONTENT, vectors, scenarioId);
  }

  /** The backbone alone. */
  public ModelSettings alone() {
    return with(MetaLevels.OFF, userMode, scenarioInput, VectorSource.LLM, scenarioId);
  }

  /** The backbone with an embedding of the scenario. */
  public ModelSettings withScenarioId() {
    return with(MetaLevels.OFF, userMode, scenarioInput, VectorSource.LLM, true);
  }

  /** The same model with other levels. */
  public ModelSettings withMeta(MetaLevels levels) {
    return with(levels, userMode, scenarioInput, vectors, scenarioId);
  }

  /** The same model with other vectors. */
  public ModelSettings withVectors(VectorSource source) {
    return with(meta, userMode, scenarioInput, source, scenarioId);
  }

  /** The vector is read through a matrix: no meta layers. */
  public ModelSettings withProjection() {
    return with(MetaLevels.USER, UserMode.PROJECTION, scenarioInput, vectors, scenarioId);
  }

  /** The same levels at another backbone. */
  ModelSettings withBackbone(
      BackboneKind kind, Map<String, String> options, int dim, double share) {
    return new ModelSettings(
        kind,
        options,
        dim,
        share,
        meta,
        userMode,
        scenarioInput,
        fusion,
        rank,
        userHidden,
        scenarioHidden,
        generators,
        normalize,
        vectors,
        scenarioId,
        crossFit);
  }

  /** The same backbone with other levels. */
  ModelSettings withLevels(
      MetaLevels levels,
      UserMode mode,
      ScenarioMode input,
      Fusion fused,
      int width,
      List<Integer> hidden) {
    return new ModelSettings(
        backbone,
        backboneOptions,
        embeddingDim,
        dropout,
        levels,
        mode,
        input,
        fused,
        width,
        hidden,
        scenarioHidden,
        generators,
        normalize,
        vectors,
        scenarioId,
        crossFit);
  }

  private ModelSettings with(
      MetaLevels levels,
      UserMode mode,
      ScenarioMode input,
      VectorSource source,
      boolean readsScenario) {
    return new ModelSettings(
        backbone,
        backboneOptions,
        embeddingDim,
        dropout,
        levels,
        mode,
        input,
        fusion,
        rank,
        userHidden,
        scenarioHidden,
        generators,
        normalize,
        source,
        readsScenario,
        crossFit);
  }

  /** The model's configuration. */
  public RecommenderConfig toConfig() {
    Backbone built = backbone.build(backboneOptions);
    if (scenarioId) {
      built = new ScenarioId(built, embeddingDim);
    }
    return new RecommenderConfig(embeddingDim, EMBEDDING_DEVIATION, built, metaConfig(), dropout);
  }

  private MetaConfig metaConfig() {
    return new MetaConfig(
        userMode,
        userHidden,
        userMode == UserMode.PROJECTION ? embeddingDim : 0,
        false,
        scenarioInput,
        scenarioHidden,
        rank,
        generators,
        normalize,
        fusion,
        vectors == VectorSource.LEARNED);
  }
}
