package org.llm4msr.model.recommender;

import java.util.List;

/**
 * How the language model's knowledge enters a recommender: design choices that the paper leaves
 * open, each an option.
 *
 * @param user what becomes of the user's meta layers' output u
 * @param userHidden widths between the features and u; u is as wide as the features
 * @param userOutput width of u for {@link UserMode#CONCAT} and {@link UserMode#PROJECTION}, 0 for
 *     the features'; the others need the features' width and ignore it
 * @param userLastActivation whether u passes a ReLU
 * @param scenario what the scenario's meta layers read
 * @param scenarioHidden widths before their logit
 * @param rank width of the generators' trunk, 0 for none
 * @param generators how weights follow from vectors
 * @param normalization of the language model's vectors
 * @param fusion how both logits become one
 * @param learnedVectors whether the vectors are free parameters of the same size instead of a
 *     language model's: the control for what knowledge adds to capacity
 */
public record MetaConfig(
    UserMode user,
    List<Integer> userHidden,
    int userOutput,
    boolean userLastActivation,
    ScenarioMode scenario,
    List<Integer> scenarioHidden,
    int rank,
    Generators generators,
    Normalization normalization,
    Fusion fusion,
    boolean learnedVectors) {
  /** What the backbone reads. */
  public enum UserMode {
    /** z = x: no user level. */
    OFF,
    /** z = u. */
    REPLACE,
    /** z = x + u. */
    RESIDUAL,
    /** z = [x; u]. */
    CONCAT,
    /**
     * z = [x; P h] with a learned matrix P to {@code userOutput} numbers: no meta layers, the
     * control for what generating weights adds to merely reading the vector.
     */
    PROJECTION,
    /**
     * z = x; the user's layers read the content features c (embeddings of their own, see {@link
     * ModelSchema.Field#content}) and end in a logit beside the backbone's.
     */
    LOGIT
  }

  /** What the scenario's meta layers read. */
  public enum ScenarioMode {
    /** No scenario level. */
    OFF,
    /** z, what the backbone reads. */
    BOTTOM,
    /** x, the embedded features. */
    FEATURES,
    /** c, embeddings of its own of the content features, as {@link UserMode#LOGIT} does. */
    CONTENT
  }

  /** How weights follow from vectors. */
  public enum Generators {
    /**
     * Linear up to the common part of the layers before the last: {@code t = T h}, and the last
     * layer is {@code W_K = reshape(A_K t), b_K = B_K t}. A vector of zeros, which after {@link
     * Normalization#STANDARD} is the average one, makes layers that put out 0. So what a level
     * learns is what vectors say and not another path beside the backbone's, which costs on a log
     * that the backbone knows well. With {@link UserMode#REPLACE} the last layer keeps its common
     * part, since the backbone reads nothing else.
     */
    CENTRED,
    /** {@code t = ReLU(T h + t0)}, and every layer has a part that all vectors share. */
    AFFINE
  }

  /** Applied to the vectors h once, when they are loaded. */
  public enum Normalization {
    NONE,
    /** h / |h|. */
    L2,
    /** h / sqrt(mean(h^2)). */
    RMS,
    /**
     * Each dimension less its mean over all users (or all scenarios), over its standard deviation
     * and the root of the width: what the vectors have in common, often most of their length, tells
     * nobody apart. They become about 1 long however wide they are; otherwise a step of Adam on a
     * matrix that reads them would move its result the more the wider they are.
     */
    STANDARD
  }

  /** How the backbone's logit and the scenario level's become one. */
  public enum Fusion {
    /** a yb + (1 - a) ym with a = sigmoid(alpha), alpha learned. */
    ALPHA,
    /** wb yb + wm ym, both learned. */
    SCALARS,
    /** a yb + (1 - a) ym with a = sigmoid(Linear(x)) for each row. */
    GATE,
    /** yb + ym. */
    ADD,
    /**
     * yb + k ym with k = sigmoid(Linear(evidence)) for each row, which also scales u: knowledge
     * counts where the training rows say little about the user and the item in this scenario.
     * Beside a trained backbone wb yb + k ym, as with {@link #SCALARS}.
     */
    EVIDENCE
  }

  public MetaConfig {
    userHidden = List.copyOf(userHidden);
    scenarioHidden = List.copyOf(scenarioHidden);
    if (user == UserMode.LOGIT && scenario != ScenarioMode.OFF && scenario != ScenarioMode.CONTENT
        || scenario == ScenarioMode.CONTENT && user != UserMode.OFF && user != UserMode.LOGIT) {
      throw new IllegalArgumentException(
          "the levels read the same features: " + user + " does not go with " + scenario);
    }
  }

  /** No knowledge: the backbone alone. */
  public static MetaConfig off() {
    return new MetaConfig(
        UserMode.OFF,
        List.of(),
        0,
        false,
        ScenarioMode.OFF,
        List.of(),
        0,
        Generators.CENTRED,
        Normalization.NONE,
        Fusion.ADD,
        false);
  }

  /** Whether the levels share nothing with the backbone: their logits stand beside its own. */
  public boolean isBeside() {
    return user == UserMode.LOGIT || scenario == ScenarioMode.CONTENT;
  }

  public boolean isOff() {
    return user == UserMode.OFF && scenario == ScenarioMode.OFF;
  }
}
