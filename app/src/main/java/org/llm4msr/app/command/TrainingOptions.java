package org.llm4msr.app.command;

import java.util.Map;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.training.LearningRateSchedule;
import org.llm4msr.model.training.RowWeights;
import org.llm4msr.model.training.StopMetric;
import org.llm4msr.model.training.TrainingConfig;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How a model is trained, for every command that trains. */
public final class TrainingOptions {
  private static final double JOINT_DECAY = 1e-3;
  private static final double BESIDE_DECAY = 1e-4;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

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
      names = "--lr",
      paramLabel = "RATE",
      defaultValue = "1e-3",
      description = "Adam's learning rate (default: ${DEFAULT-VALUE}).")
  private double learningRate;

  @Option(
      names = "--meta-lr",
      paramLabel = "RATE",
      description =
          "Learning rate of levels of LLM4MSR beside a backbone that was trained before (default:"
              + " --lr).")
  private Double metaLearningRate;

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
      description =
          "Weight decay of the networks that generate weights (default: 1e-3; beside a backbone"
              + " that was trained before: 1e-4).")
  private Double metaDecay;

  @Option(
      names = "--optimizer",
      paramLabel = "NAME",
      defaultValue = "adam",
      description =
          "adam, or lazy_adam, which leaves embeddings alone that a batch does not touch: faster on"
              + " large tables, but it needs its own weight decay (default: ${DEFAULT-VALUE}).")
  private Optimizer optimizer;

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
   * Refuses a learning rate of levels that have none of their own.
   *
   * @param crossFit number of folds, 0 where backbone and levels are trained together
   * @throws ParameterException if there is one
   */
  void check(int crossFit) {
    if (metaLearningRate != null && crossFit == 0) {
      throw Checks.wrong(
          command,
          "--meta-lr: is of levels beside a trained backbone (--knowledge with --cross-fit 2);"
              + " trained together, all learn at --lr");
    }
  }

  /**
   * How it is trained.
   *
   * @param beside whether levels are trained beside a backbone that is not
   * @throws ParameterException if an option has an impossible value
   */
  TrainingConfig training(long seed, boolean beside) {
    Checks.positive(command, "--batch-size", batchSize);
    Checks.positive(command, "--epochs", epochs);
    Checks.notNegative(command, "--patience", patience);
    Checks.notNegative(command, "--evaluate-every", evaluateEvery);
    Checks.notNegative(command, "--checkpoint-every", checkpointEvery);
    Checks.notNegative(command, "--embedding-decay", embeddingDecay);
    Checks.notNegative(command, "--network-decay", networkDecay);
    double ofLevels = metaDecay != null ? metaDecay : beside ? BESIDE_DECAY : JOINT_DECAY;
    Checks.notNegative(command, "--meta-decay", ofLevels);
    Checks.notNegative(command, "--clip-norm", clipNorm);
    Checks.notNegative(command, "--warmup", warmup);
    Checks.positive(command, "--step-epochs", stepEpochs);
    if (!(stepFactor > 0 && stepFactor <= 1)) {
      throw Checks.wrong(
          command, "--step-factor: expected more than 0 and at most 1, found " + stepFactor);
    }
    Checks.notNegative(command, "--positive-weight", positiveWeight);
    scenarioWeights
        .values()
        .forEach(weight -> Checks.notNegative(command, "--scenario-weight", weight));
    checkRate("--lr", learningRate);
    if (metaLearningRate != null) {
      checkRate("--meta-lr", metaLearningRate);
    }
    double rate = beside && metaLearningRate != null ? metaLearningRate : learningRate;
    OptimizerConfig adam = OptimizerConfig.adam(rate, optimizer == Optimizer.LAZY_ADAM);
    return new TrainingConfig(
        seed,
        batchSize,
        epochs,
        patience,
        stopMetric,
        evaluateEvery,
        checkpointEvery,
        new OptimizerConfig(
            rate,
            adam.beta1(),
            adam.beta2(),
            adam.epsilon(),
            embeddingDecay,
            networkDecay,
            ofLevels,
            adam.lazyEmbeddings(),
            clipNorm),
        new LearningRateSchedule(schedule, warmup, stepEpochs, stepFactor),
        new RowWeights(positiveWeight, scenarioWeights, sampling == Sampling.BALANCED),
        stopScenario);
  }

  private void checkRate(String option, double rate) {
    if (!(rate > 0 && rate < Double.POSITIVE_INFINITY)) {
      throw Checks.wrong(command, option + ": expected more than 0, found " + rate);
    }
  }
}
