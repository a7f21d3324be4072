package org.llm4msr.app.run;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.BackboneKind;

/**
 * A model as its user describes it.
 *
 * @param backboneOptions of the backbone, by name; those that are not given take their defaults
 * @param meta which levels of LLM4MSR are on
 * @param userMode how the user level enters where it is on
 * @param scenarioInput what the scenario level reads where it is on
 */
public record ModelSettings(
    BackboneKind backbone,
    Map<String, String> backboneOptions,
    int embeddingDim,
    MetaLevels meta,
    UserMode userMode,
    ScenarioMode scenarioInput,
    Fusion fusion,
    int rank,
    List<Integer> userHidden,
    List<Integer> scenarioHidden,
    Normalization normalize) {

  private static final double EMBEDDING_DEVIATION = 0.05;

  /** Levels of LLM4MSR. */
  public enum MetaLevels {
    BOTH,
    USER,
    SCENARIO,
    OFF
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
      normalize = Normalization.NONE;
    }
  }

  /** The same model with other levels. */
  public ModelSettings withMeta(MetaLevels levels) {
    return new ModelSettings(
        backbone,
        backboneOptions,
        embeddingDim,
        levels,
        userMode,
        scenarioInput,
        fusion,
        rank,
        userHidden,
        scenarioHidden,
        normalize);
  }

  /** The model's configuration. */
  public RecommenderConfig toConfig() {
    return new RecommenderConfig(
        embeddingDim, EMBEDDING_DEVIATION, backbone.build(backboneOptions), metaConfig());
  }

  private MetaConfig metaConfig() {
    return new MetaConfig(
        userMode, userHidden, 0, false, scenarioInput, scenarioHidden, rank, normalize, fusion);
  }
}
