package org.llm4msr.app.run;

import java.util.List;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.recommender.backbone.Star;

/**
 * A model as its user describes it.
 *
 * @param hidden widths of the backbone's layers: of STAR's network, of SharedBottom's bottom
 * @param tower widths of each scenario's tower; STAR has none
 * @param meta which levels of LLM4MSR are on
 * @param userMode how the user level enters where it is on
 * @param scenarioInput what the scenario level reads where it is on
 */
public record ModelSettings(
    BackboneKind backbone,
    int embeddingDim,
    List<Integer> hidden,
    List<Integer> tower,
    MetaLevels meta,
    UserMode userMode,
    ScenarioMode scenarioInput,
    Fusion fusion,
    int rank,
    List<Integer> userHidden,
    List<Integer> scenarioHidden,
    Normalization normalize) {

  private static final double EMBEDDING_DEVIATION = 0.05;
  private static final List<Integer> AUXILIARY = List.of(64, 32);

  /** Backbones by the names that users give. */
  public enum BackboneKind {
    STAR,
    /** STAR with partitioned normalisation and the auxiliary network. */
    STAR_PAPER,
    SHAREDBOTTOM
  }

  /** Levels of LLM4MSR. */
  public enum MetaLevels {
    BOTH,
    USER,
    SCENARIO,
    OFF
  }

  /** Settings of levels that are off say nothing and take one form. */
  public ModelSettings {
    hidden = List.copyOf(hidden);
    tower = List.copyOf(tower);
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
        embeddingDim,
        hidden,
        tower,
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
    Backbone built =
        switch (backbone) {
          case STAR -> new Star(hidden, false, List.of(), 0);
          case STAR_PAPER -> new Star(hidden, true, AUXILIARY, embeddingDim);
          case SHAREDBOTTOM -> new SharedBottom(hidden, tower);
        };
    return new RecommenderConfig(embeddingDim, EMBEDDING_DEVIATION, built, metaConfig());
  }

  private MetaConfig metaConfig() {
    return new MetaConfig(
        userMode, userHidden, 0, false, scenarioInput, scenarioHidden, rank, normalize, fusion);
  }
}
