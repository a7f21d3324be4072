package org.llm4msr.app.command;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.llm4msr.app.run.ModelSettings;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.app.run.ModelSettings.VectorSource;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.recommender.backbone.BackboneOption;
import org.llm4msr.model.training.LearningRateSchedule;
import org.llm4msr.model.training.RowWeights;
import org.llm4msr.model.training.StopMetric;
import org.llm4msr.model.training.TrainingConfig;
import org.llm4msr.runtime.UserError;
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
    CONCAT,
    PROJECTION
  }

  /** What the scenario level reads. */
  enum ScenarioInput {
    BOTTOM,
    FEATURES
  }

  /** Which rows an epoch has. */
  enum Sampling {
    ALL,
    BALANCED
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
              + " features and u what the user level makes of them; or [x; P h] (projection), the"
              + " user's vector through a matrix (default: ${DEFAULT-VALUE}).")
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
      names = "--vectors",
      paramLabel = "SOURCE",
      defaultValue = "llm",
      description =
          "What LLM4MSR reads: the vectors of --knowledge (llm) or, as a control, random or learned"
              + " ones of the same size (default: ${DEFAULT-VALUE}).")
  private VectorSource vectors;

  @Option(
      names = "--scenario-id",
      description = "The backbone also reads an embedding of the scenario.")
  private boolean scenarioId;

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
      description = "Widths of the backbone's layers; short for --option hidden=N,...")
  private List<Integer> hidden;

  @Option(
      names = "--tower",
      paramLabel = "N,...",
      split = ",",
      description = "Widths of each scenario's tower; short for --option tower=N,...")
  private List<Integer> tower;

  @Option(
      names = {"-o", "--option"},
      paramLabel = "NAME=VALUE",
      description =
          "Option of the backbone, see below; again for more. BACKBONE.NAME=VALUE is for one of"
              + " several backbones only.")
  private Map<String, String> options = Map.of();

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

  @Option(
      names = "--dropout",
      paramLabel = "SHARE",
      defaultValue = "0",
      description =
          "Share of the backbone's hidden neurons that training drops (default:"
              + " ${DEFAULT-VALUE}).")
  private double dropout;

  @Option(
      names = "--clip-norm",
      paramLabel = "NORM",
      defaultValue = "0",
      description =
          "Largest norm of all gradients together; 0 for no limit (default: ${DEFAULT-VALUE}).")
  private double clipNorm;

  @Option(
      names = "--schedule",
      paramLabel = "SHAPE",
      defaultValue = "constant",
      description =
          "Of the learning rate: constant, cosine (down to 0 at the last epoch) or step (default:"
              + " ${DEFAULT-VALUE}).")
  private LearningRateSchedule.Shape schedule;

  @Option(
      names = "--warmup",
      paramLabel = "STEPS",
      defaultValue = "0",
      description =
          "Steps over which the learning rate rises to its value (default: ${DEFAULT-VALUE}).")
  private int warmup;

  @Option(
      names = "--step-epochs",
      paramLabel = "N",
      defaultValue = "5",
      description = "Epochs between the steps of --schedule step (default: ${DEFAULT-VALUE}).")
  private int stepEpochs;

  @Option(
      names = "--step-factor",
      paramLabel = "FACTOR",
      defaultValue = "0.5",
      description = "What such a step multiplies the rate by (default: ${DEFAULT-VALUE}).")
  private double stepFactor;

  @Option(
      names = "--positive-weight",
      paramLabel = "WEIGHT",
      defaultValue = "1",
      description = "Of training rows with label 1; others have 1 (default: ${DEFAULT-VALUE}).")
  private double positiveWeight;

  @Option(
      names = "--scenario-weight",
      paramLabel = "NAME=WEIGHT",
      description = "Of a scenario's training rows; again for more. Others have 1.")
  private Map<String, Double> scenarioWeights = Map.of();

  @Option(
      names = "--sampling",
      paramLabel = "HOW",
      defaultValue = "all",
      description =
          "all: an epoch is every training row. balanced: it has as many rows, equally many of"
              + " every scenario (default: ${DEFAULT-VALUE}).")
  private Sampling sampling;

  @Option(
      names = "--stop-scenario",
      paramLabel = "NAME",
      defaultValue = "",
      description = "The stop metric looks at this scenario's rows only.")
  private String stopScenario;

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
    positive("--embedding-dim", embeddingDim);
    if (!(dropout >= 0 && dropout < 1)) {
      throw wrong("--dropout: expected at least 0 and below 1, found " + dropout);
    }
    if (rank < 0) {
      throw wrong("--rank: expected 0 or more, found " + rank);
    }
    userHidden.forEach(width -> positive("--user-hidden", width));
    scenarioHidden.forEach(width -> positive("--scenario-hidden", width));
    return new ModelSettings(
        backbone,
        backboneOptions(backbone),
        embeddingDim,
        dropout,
        levels,
        UserMode.valueOf(userMode.name()),
        ScenarioMode.valueOf(scenarioInput.name()),
        fusion,
        rank,
        userHidden,
        scenarioHidden,
        normalize,
        vectors,
        scenarioId);
  }

  /**
   * Refuses an option that none of the backbones has.
   *
   * @throws ParameterException if there is one
   */
  void check(List<BackboneKind> backbones) {
    for (String key : given().keySet()) {
      if (backbones.stream().noneMatch(backbone -> nameFor(backbone, key) != null)) {
        String known =
            backbones.stream()
                .flatMap(backbone -> backbone.options().stream())
                .map(BackboneOption::name)
                .distinct()
                .collect(Collectors.joining(", "));
        throw wrong("--option " + key + ": no such option of the backbone; there are " + known);
      }
    }
  }

  /** Those of the given options that this backbone has; its own ones outweigh those for all. */
  private Map<String, String> backboneOptions(BackboneKind backbone) {
    Map<String, String> own = new LinkedHashMap<>();
    for (boolean addressed : new boolean[] {false, true}) {
      given()
          .forEach((key, value) -> {
            String name = nameFor(backbone, key);
            if (name != null && addressed == key.contains(".")) {
              own.put(name, value);
            }
          });
    }
    try {
      return backbone.complete(own);
    } catch (UserError e) {
      throw wrong("--option: " + e.getMessage());
    }
  }

  /** The option's name for a backbone; null if the backbone lacks it or is not meant. */
  private static String nameFor(BackboneKind backbone, String key) {
    String prefix = backbone.label() + ".";
    String name = key.startsWith(prefix) ? key.substring(prefix.length()) : key;
    return backbone.hasOption(name) ? name : null;
  }

  private Map<String, String> given() {
    Map<String, String> given = new LinkedHashMap<>();
    putWidths(given, "hidden", hidden);
    putWidths(given, "tower", tower);
    given.putAll(options);
    return given;
  }

  private void putWidths(Map<String, String> given, String name, List<Integer> widths) {
    if (widths != null) {
      widths.forEach(width -> positive("--" + name, width));
      given.put(name, widths.stream().map(String::valueOf).collect(Collectors.joining(",")));
    }
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
    notNegative("--clip-norm", clipNorm);
    notNegative("--warmup", warmup);
    positive("--step-epochs", stepEpochs);
    if (!(stepFactor > 0 && stepFactor <= 1)) {
      throw wrong("--step-factor: expected more than 0 and at most 1, found " + stepFactor);
    }
    notNegative("--positive-weight", positiveWeight);
    scenarioWeights.values().forEach(weight -> notNegative("--scenario-weight", weight));
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
            adam.lazyEmbeddings(),
            clipNorm),
        new LearningRateSchedule(schedule, warmup, stepEpochs, stepFactor),
        new RowWeights(positiveWeight, scenarioWeights, sampling == Sampling.BALANCED),
        stopScenario);
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
