package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;

import java.lang.foreign.MemorySegment;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.llm4msr.model.data.Batcher;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.metrics.MetricsReport;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.ModelSchema;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.model.recommender.TrainingGraph;
import org.llm4msr.model.recommender.backbone.External;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/**
 * Trains one model: mini-batches of any mix of scenarios, evaluation on the validation rows, early
 * stopping. The same configuration on the same backend and number of threads gives the same bits,
 * also when training was interrupted and resumed in between.
 */
public final class Trainer implements AutoCloseable {
  /** How {@link #fit} ended. */
  public enum Outcome {
    /** All epochs done or stopped early; the best weights are in place. */
    FINISHED,
    /** Asked to stop; the checkpoint, where there is one, holds everything. */
    INTERRUPTED
  }

  private final Dataset dataset;
  private final Folds folds;
  private final RecommenderConfig modelConfig;
  private final TrainingConfig config;
  private final RecommenderModel model;
  private final TrainingGraph graph;
  private final RecommenderModel evaluationModel;
  private final EvidenceCounts evidence;
  private final ParameterStore store;
  private final KnowledgeTables.Coverage coverage;
  private final Plan plan;
  private final BatchFeed feed;
  private final MemorySegment stepInput;
  private final Evaluator evaluator;
  private final BestWeights best;
  private final TrainingCheckpoint checkpoint;
  private int stepsPerEpoch;
  private TrainingState state = new TrainingState();
  private Path checkpointFile;
  private String fingerprint = "";
  private boolean diverged;

  /**
   * Builds the graphs and gives the parameters their first values.
   *
   * @param knowledge null when the model's meta levels are off
   * @throws UserError if a knowledge vector is missing or not finite, the stop metric is undefined
   *     on the validation rows, or no training row has a weight
   */
  public Trainer(
      Backend backend,
      Dataset dataset,
      KnowledgeTables knowledge,
      RecommenderConfig modelConfig,
      TrainingConfig config) {
    this(backend, dataset, knowledge, modelConfig, config, null);
  }

  /**
   * Trains the levels of LLM4MSR beside a backbone that was trained before and stays as it is.
   *
   * @param dataset with the logit of each training row by a backbone that did not learn from it
   * @param modelConfig with levels that stand beside the backbone
   * @param trainedBackbone weights of the backbone, with which the model predicts; null to train
   *     the whole model, without such logits
   * @throws UserError as the other constructor, or if the file is not of this backbone
   */
  public Trainer(
      Backend backend,
      Dataset dataset,
      KnowledgeTables knowledge,
      RecommenderConfig modelConfig,
      TrainingConfig config,
      Path trainedBackbone) {
    if (trainedBackbone != null && !modelConfig.meta().isBeside()) {
      throw new IllegalArgumentException("the levels must stand beside a trained backbone");
    }
    this.dataset = dataset;
    this.modelConfig = modelConfig;
    this.config = config;
    float[] weights = rowWeights(dataset, config);
    folds = Schemas.folds(knowledge);
    ModelSchema schema = Schemas.of(dataset, knowledge, config.batchSize());
    model =
        RecommenderModel.build(
            trainedBackbone == null
                ? modelConfig
                : modelConfig.withBackbone(new External(List.of())),
            schema,
            DType.F32,
            true);
    graph = TrainingGraph.of(model, config.optimizer(), weights != null);
    evaluationModel = RecommenderModel.build(modelConfig, schema, DType.F32, false);
    evidence = EvidenceCounts.forModel(modelConfig, dataset);
    store = new ParameterStore(backend);
    Plan openPlan = null;
    Evaluator openEvaluator = null;
    try {
      coverage =
          ParameterInitializer.create(
              store,
              trainedBackbone == null ? model : evaluationModel,
              config.seed(),
              dataset,
              knowledge);
      if (trainedBackbone != null) {
        ModelFile.readAll(trainedBackbone, store);
      }
      ParameterInitializer.createState(store, model.graph());
      plan = openPlan = Plan.deferring(backend, model.graph(), store, List.of(graph.loss()));
      feed = new BatchFeed(plan, model.inputs(), graph.labels(), graph.weights(), weights);
      // A model that trains nothing has no optimiser to read it.
      stepInput = plan.uses(graph.step()) ? plan.input(graph.step()) : null;
      evaluator = openEvaluator = new Evaluator(store, evaluationModel, dataset, folds, evidence);
      List<String> trained = ModelFile.changing(model);
      best = new BestWeights(store, trained);
      List<String> changing =
          store.names().stream()
              .filter(name -> !name.equals(RecommenderModel.USER_KNOWLEDGE))
              .filter(name -> !name.equals(RecommenderModel.SCENARIO_KNOWLEDGE))
              .toList();
      checkpoint = new TrainingCheckpoint(store, changing, trained, best);
    } catch (RuntimeException | Error e) {
      if (openEvaluator != null) {
        openEvaluator.close();
      }
      if (openPlan != null) {
        openPlan.close();
      }
      store.close();
      throw e;
    }
  }

  /**
   * Refuses what the constructors refuse, with nothing allocated: before the trainings that come
   * before this one.
   *
   * @param knowledge null when the model's meta levels are off
   * @throws UserError as the constructors, or if the model needs something that the data set lacks
   */
  public static void check(
      Dataset dataset,
      KnowledgeTables knowledge,
      RecommenderConfig modelConfig,
      TrainingConfig config) {
    rowWeights(dataset, config);
    ModelSchema schema = Schemas.of(dataset, knowledge, config.batchSize());
    RecommenderModel model = RecommenderModel.build(modelConfig, schema, DType.F32, false);
    if (knowledge != null) {
      knowledge.check(
          dataset,
          model.reads(RecommenderModel.USER_KNOWLEDGE),
          model.reads(RecommenderModel.SCENARIO_KNOWLEDGE));
    }
  }

  /** Weights of rows, null where all have the same, after the rows have been checked. */
  private static float[] rowWeights(Dataset dataset, TrainingConfig config) {
    config.stopMetric().requireDefined(dataset, config.stopScenario());
    return config.rowWeights().isWeighted() ? config.rowWeights().table(dataset) : null;
  }

  /**
   * Which users have a knowledge vector; the others use zeros. Null where the model reads no vector
   * of users.
   */
  public KnowledgeTables.Coverage coverage() {
    return coverage;
  }

  /** Number of trained weights. */
  public long weights() {
    return ModelFile.changing(model).stream()
        .mapToLong(name -> store.get(name).shape().elements())
        .sum();
  }

  /**
   * Writes checkpoints to {@code file} from now on.
   *
   * @param fingerprint of everything that the result depends on, so that {@link #resume} refuses
   *     the checkpoint of another training
   */
  public void checkpointTo(Path file, String fingerprint) {
    this.checkpointFile = file;
    this.fingerprint = fingerprint;
  }

  /**
   * Goes on from the checkpoint file.
   *
   * @throws UserError if it is damaged or belongs to another training
   */
  public void resume() {
    state = checkpoint.read(checkpointFile, fingerprint);
  }

  /** Optimiser steps so far. */
  public long step() {
    return state.step;
  }

  /** Evaluations so far. */
  public List<HistoryEntry> history() {
    return Collections.unmodifiableList(state.history);
  }

  /** Index into {@link #history} of the weights that are kept. */
  public int bestEntry() {
    return state.best;
  }

  /** Whether {@link #fit} failed since the loss was not finite. */
  public boolean diverged() {
    return diverged;
  }

  /** The model as built for evaluation, and its parameters, whose values are the best after fit. */
  public RecommenderModel model() {
    return evaluationModel;
  }

  /** See {@link #model}. */
  public ParameterStore parameters() {
    return store;
  }

  /** Predictions with the current weights. */
  public Predictions predict(Split part) {
    return evaluator.predict(part);
  }

  /** What the model leans on with the current weights, see {@link ModelReader}. */
  public ModelReading read(Split part) {
    return ModelReader.read(store, evaluationModel, dataset, folds, evidence, part);
  }

  /**
   * Trains until all epochs are done or patience ends, then restores the best weights.
   *
   * @param stop asked after each step; true ends training after a checkpoint
   * @throws UserError if the loss is not finite
   */
  public Outcome fit(TrainingListener listener, BooleanSupplier stop) {
    Batcher batcher =
        Batcher.training(
            dataset, config.batchSize(), folds, config.seed(), config.rowWeights().balanced());
    stepsPerEpoch = Math.max(1, batcher.batchesPerEpoch());
    batcher.restore(new Batcher.State(state.epoch, state.position));
    EvidenceCounts wanted = feed.needsEvidence() ? evidence : null;
    try (BatchPipeline batches = new BatchPipeline(batcher, wanted, dataset, config.batchSize())) {
      while (!isFinished()) {
        long before = System.nanoTime();
        BatchPipeline.Slot slot = batches.take();
        if (slot.isEndOfEpoch()) {
          batches.release(slot);
          endEpoch(listener);
          continue;
        }
        step(slot, batches);
        state.seconds += (System.nanoTime() - before) * 1e-9;
        listener.onStep(
            state.epoch + 1, state.position, batcher.rowsPerEpoch(), plan.readScalar(graph.loss()));
        if (every(config.evaluateEverySteps())) {
          evaluate(listener);
        }
        if (stop.getAsBoolean()) {
          writeCheckpoint();
          return Outcome.INTERRUPTED;
        }
        if (every(config.checkpointEverySteps())) {
          writeCheckpoint();
        }
      }
    }
    if (state.best >= 0) {
      best.restore();
    }
    return Outcome.FINISHED;
  }

  private boolean every(int steps) {
    return steps > 0 && state.step % steps == 0;
  }

  private boolean isFinished() {
    return state.epoch >= config.maxEpochs()
        || config.patience() > 0 && state.withoutImprovement() >= config.patience();
  }

  private void step(BatchPipeline.Slot slot, BatchPipeline batches) {
    int rows = slot.batch().size();
    feed.load(slot.batch(), slot.evidence());
    batches.release(slot);
    state.step++;
    if (stepInput != null) {
      double rate =
          config.schedule().factor(state.step, stepsPerEpoch, config.maxEpochs())
              * config.optimizer().learningRate();
      stepInput.setAtIndex(JAVA_DOUBLE, 0, rate);
      stepInput.setAtIndex(JAVA_DOUBLE, 1, state.step);
    }
    plan.run();
    double loss = plan.readScalar(graph.loss());
    if (!Double.isFinite(loss)) {
      diverged = true;
      throw notFinite(loss);
    }
    state.lossSum += loss * rows;
    state.lossRows += rows;
    state.position += rows;
  }

  private void endEpoch(TrainingListener listener) {
    boolean last = state.epoch + 1 == config.maxEpochs();
    if (config.evaluateEverySteps() == 0 || last && state.lossRows > 0) {
      evaluate(listener);
    }
    state.epoch++;
    state.position = 0;
    writeCheckpoint();
  }

  private void evaluate(TrainingListener listener) {
    plan.settle();
    MetricsReport report = evaluator.predict(Split.VALID).metrics();
    HistoryEntry entry =
        new HistoryEntry(
            state.epoch + 1,
            state.step,
            state.lossSum / state.lossRows,
            report.overall().auc(),
            StopMetric.scenarioAuc(report),
            report.overall().logLoss(),
            config.stopMetric().score(report, config.stopScenario()),
            state.seconds,
            state.lossRows / state.seconds);
    state.history.add(entry);
    int bestSoFar = StopMetric.best(state.history);
    boolean improved = bestSoFar != state.best;
    if (improved) {
      state.best = bestSoFar;
      best.take();
    }
    state.lossSum = 0;
    state.lossRows = 0;
    state.seconds = 0;
    listener.onEvaluation(entry, improved);
  }

  private void writeCheckpoint() {
    plan.settle();
    if (checkpointFile != null) {
      checkpoint.write(checkpointFile, fingerprint, state);
    }
  }

  private UserError notFinite(double loss) {
    int batch = Math.ceilDiv(state.position, config.batchSize()) + 1;
    MetaConfig meta = modelConfig.meta();
    String vectors =
        !meta.isOff() && meta.normalization() == MetaConfig.Normalization.NONE
            ? ", or the knowledge vectors too large without normalisation (try --normalize rms)"
            : "";
    return new UserError(
        "training stopped: the loss is %s at step %d (batch %d of epoch %d); the learning rate %s is probably too high (try %s %s%s)%s"
            .formatted(
                loss,
                state.step,
                batch,
                state.epoch + 1,
                config.optimizer().learningRate(),
                meta.isBeside() ? "--meta-lr" : "--lr",
                lowerRate(config.optimizer().learningRate()),
                config.optimizer().clipNorm() == 0 ? " or --clip-norm 1" : "",
                vectors));
  }

  /** A tenth, but no more than a rate that Adam commonly bears. */
  static BigDecimal lowerRate(double rate) {
    return BigDecimal.valueOf(Math.min(rate / 10, 1e-2))
        .round(new MathContext(2))
        .stripTrailingZeros();
  }

  @Override
  public void close() {
    best.close();
    evaluator.close();
    plan.close();
    store.close();
  }
}
