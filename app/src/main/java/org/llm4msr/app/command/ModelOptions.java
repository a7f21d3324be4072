package org.llm4msr.app.command;

import java.util.List;
import org.llm4msr.app.run.ModelSettings;
import org.llm4msr.app.run.ModelSettings.BackboneKind;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.training.StopMetric;
import org.llm4msr.model.training.TrainingConfig;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The model and how it is trained, for every command that trains. */
public final class ModelOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  /** How the user level enters. */
  enum UserEntry {
    RESIDUAL,
    REPLACE,
    CONCAT
  }

  /** What the scenario level reads. */
  enum ScenarioInput {
    BOTTOM,
    FEATURES
  }

  /** The optimisers. */
  enum Optimizer {
    ADAM,
    LAZY_ADAM
  }

  @Option(
      names = "--meta",
      paramLabel = "LEVELS",
      description =
          "Levels of LLM4MSR: ${COMPLETION-CANDIDATES}. Both by default with --knowledge, off"
              + " without.")
  private MetaLevels meta;

  @Option(
      names = "--user-mode",
      paramLabel = "MODE",
      defaultValue = "residual",
      description =
          "What the backbone reads: x + u (residual), u (replace) or [x; u] (concat), x being the"
              + " features and u what the user level makes of them (default: ${DEFAULT-VALUE}).")
  private UserEntry userMode;

  @Option(
      names = "--scenario-input",
      paramLabel = "INPUT",
      defaultValue = "bottom",
      description =
          "What the scenario level reads: the user level's output (bottom) or the features"
              + " (default: ${DEFAULT-VALUE}).")
  private ScenarioInput scenarioInput;

  @Option(
      names = "--fusion",
      paramLabel = "FUSION",
      defaultValue = "alpha",
      description =
          "How both logits become one: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
  private Fusion fusion;

  @Option(
      names = "--rank",
      paramLabel = "N",
      defaultValue = "2",
      description =
          "Width of the trunk of the networks that generate weights; 0 for none (default:"
              + " ${DEFAULT-VALUE}).")
  private int rank;

  @Option(
      names = "--user-hidden",
      paramLabel = "N,...",
      split = ",",
      defaultValue = "8",
      description = "Widths inside the user's layers (default: ${DEFAULT-VALUE}).")
  private List<Integer> userHidden;

  @Option(
      names = "--scenario-hidden",
      paramLabel = "N,...",
      split = ",",
      defaultValue = "8",
      description = "Widths inside the scenario's layers (default: ${DEFAULT-VALUE}).")
  private List<Integer> scenarioHidden;

  @Option(
      names = "--normalize",
      paramLabel = "HOW",
      defaultValue = "standard",
      description =
          "What happens to each knowledge vector: ${COMPLETION-CANDIDATES} (default:"
              + " ${DEFAULT-VALUE}).")
  private Normalization normalize;

  @Option(
      names = "--embedding-dim",
      paramLabel = "N",
      defaultValue = "16",
      description = "Width of each feature's embedding (default: ${DEFAULT-VALUE}).")
  private int embeddingDim;

  @Option(
      names = "--hidden",
      paramLabel = "N,...",
      split = ",",
      description = "Widths of the backbone's layers (default: 256,128,64 for star, 256,128 else).")
  private List<Integer> hidden;

  @Option(
      names = "--tower",
      paramLabel = "N,...",
      split = ",",
      description = "Widths of sharedbottom's towers (default: 64).")
  private List<Integer> tower;

  @Option(
      names = "--lr",
      paramLabel = "RATE",
      defaultValue = "1e-3",
      description = "Adam's learning rate (default: ${DEFAULT-VALUE}).")
  private double learningRate;

  @Option(
      names = "--batch-size",
      paramLabel = "ROWS",
      defaultValue = "4096",
      description = "Rows of a mini-batch (default: ${DEFAULT-VALUE}).")
  private int batchSize;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      defaultValue = "40",
      description = "Epochs at most (default: ${DEFAULT-VALUE}).")
  private int epochs;

  @Option(
      names = "--patience",
      paramLabel = "N",
      defaultValue = "5",
      description =
          "Evaluations without improvement before training stops; 0 for never (default:"
              + " ${DEFAULT-VALUE}).")
  private int patience;

  @Option(
      names = "--stop-metric",
      paramLabel = "METRIC",
      defaultValue = "auc",
      description =
          "What decides, on the validation rows, which weights are kept: ${COMPLETION-CANDIDATES}"
              + " (default: ${DEFAULT-VALUE}).")
  private StopMetric stopMetric;

  @Option(
      names = "--evaluate-every",
      paramLabel = "STEPS",
      defaultValue = "0",
      description = "Steps between evaluations; 0 for once an epoch (default: ${DEFAULT-VALUE}).")
  private int evaluateEvery;

  @Option(
      names = "--checkpoint-every",
      paramLabel = "STEPS",
      defaultValue = "500",
      description =
          "Steps between checkpoints within an epoch; 0 for none. Each epoch's end makes one"
              + " (default: ${DEFAULT-VALUE}).")
  private int checkpointEvery;

  @Option(
      names = "--embedding-decay",
      paramLabel = "DECAY",
      defaultValue = "1e-3",
      description = "Weight decay (L2) of the embeddings (default: ${DEFAULT-VALUE}).")
  private double embeddingDecay;

  @Option(
      names = "--network-decay",
      paramLabel = "DECAY",
      defaultValue = "0",
      description = "Weight decay of the backbone's weights (default: ${DEFAULT-VALUE}).")
  private double networkDecay;

  @Option(
      names = "--meta-decay",
      paramLabel = "DECAY",
      defaultValue = "1e-3",
      description =
          "Weight decay of the networks that generate weights (default: ${DEFAULT-VALUE}).")
  private double metaDecay;

  @Option(
      names = "--optimizer",
      paramLabel = "NAME",
      defaultValue = "adam",
      description =
          "adam, or lazy_adam, which leaves embeddings alone that a batch does not touch: faster on"
              + " large tables, but it needs its own weight decay (default: ${DEFAULT-VALUE}).")
  private Optimizer optimizer;

  /**
   * The model.
   *
   * @param hasKnowledge whether there are knowledge vectors
   * @throws ParameterException if an option has an impossible value
   */
  ModelSettings model(BackboneKind backbone, boolean hasKnowledge) {
    MetaLevels levels = meta;
    if (levels == null) {
      levels = hasKnowledge ? MetaLevels.BOTH : MetaLevels.OFF;
    }
    if (levels != MetaLevels.OFF && !hasKnowledge) {
      throw wrong(
          "--meta: needs --knowledge, the vectors that 'llm4msr encode' makes of the prompts");
    }
    boolean towers = backbone == BackboneKind.SHAREDBOTTOM;
    List<Integer> widths = hidden;
    if (widths == null) {
      widths = towers ? List.of(256, 128) : List.of(256, 128, 64);
    }
    List<Integer> towerWidths = tower;
    if (towerWidths == null) {
      towerWidths = towers ? List.of(64) : List.of();
    }
    positive("--embedding-dim", embeddingDim);
    if (rank < 0) {
      throw wrong("--rank: expected 0 or more, found " + rank);
    }
    widths.forEach(width -> positive("--hidden", width));
    towerWidths.forEach(width -> positive("--tower", width));
    userHidden.forEach(width -> positive("--user-hidden", width));
    scenarioHidden.forEach(width -> positive("--scenario-hidden", width));
    return new ModelSettings(
        backbone,
        embeddingDim,
        widths,
        towerWidths,
        levels,
        UserMode.valueOf(userMode.name()),
        ScenarioMode.valueOf(scenarioInput.name()),
        fusion,
        rank,
        userHidden,
        scenarioHidden,
        normalize);
  }

  /**
   * How it is trained.
   *
   * @throws ParameterException if an option has an impossible value
   */
  TrainingConfig training(long seed) {
    positive("--batch-size", batchSize);
    positive("--epochs", epochs);
    notNegative("--patience", patience);
    notNegative("--evaluate-every", evaluateEvery);
    notNegative("--checkpoint-every", checkpointEvery);
    notNegative("--embedding-decay", embeddingDecay);
    notNegative("--network-decay", networkDecay);
    notNegative("--meta-decay", metaDecay);
    if (!(learningRate > 0 && learningRate < Double.POSITIVE_INFINITY)) {
      throw wrong("--lr: expected more than 0, found " + learningRate);
    }
    OptimizerConfig adam = OptimizerConfig.adam(learningRate, optimizer == Optimizer.LAZY_ADAM);
    return new TrainingConfig(
        seed,
        batchSize,
        epochs,
        patience,
        stopMetric,
        evaluateEvery,
        checkpointEvery,
        new OptimizerConfig(
            learningRate,
            adam.beta1(),
            adam.beta2(),
            adam.epsilon(),
            embeddingDecay,
            networkDecay,
            metaDecay,
            adam.lazyEmbeddings()));
  }

  private void positive(String option, int value) {
    if (value < 1) {
      throw wrong(option + ": expected at least 1, found " + value);
    }
  }

  private void notNegative(String option, double value) {
    if (!(value >= 0 && value < Double.POSITIVE_INFINITY)) {
      throw wrong(option + ": expected 0 or more, found " + value);
    }
  }

  private ParameterException wrong(String message) {
    return new ParameterException(command.commandLine(), message);
  }
}
