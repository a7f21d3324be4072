package org.llm4msr.app.run;

import java.nio.file.Path;
import java.util.function.Supplier;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.model.scorer.SnapshotWriter;
import org.llm4msr.model.scorer.VectorOrigin;
import org.llm4msr.model.training.Evaluator;
import org.llm4msr.model.training.EvidenceCounts;
import org.llm4msr.model.training.KnowledgeTables;
import org.llm4msr.model.training.ModelFile;
import org.llm4msr.model.training.ModelReader;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.model.training.ParameterInitializer;
import org.llm4msr.model.training.Predictions;
import org.llm4msr.model.training.Schemas;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.plan.ParameterStore;

/** A finished run's model, ready to predict. */
public final class TrainedModel implements AutoCloseable {
  private final ParameterStore store;
  private final Evaluator evaluator;
  private final RecommenderModel model;
  private final Dataset dataset;
  private final Folds folds;
  private final EvidenceCounts evidence;
  private final Supplier<VectorOrigin> origin;

  private TrainedModel(
      ParameterStore store,
      RecommenderModel model,
      Dataset dataset,
      Folds folds,
      EvidenceCounts evidence,
      Supplier<VectorOrigin> origin) {
    this.store = store;
    this.model = model;
    this.dataset = dataset;
    this.folds = folds;
    this.evidence = evidence;
    this.origin = origin;
    evaluator = new Evaluator(store, model, dataset, folds, evidence);
  }

  /**
   * Reads the weights.
   *
   * @throws UserError if the run is not finished, or its files do not fit together
   */
  public static TrainedModel load(
      RunDirectory directory, RunConfig config, TrainingInputs inputs, Backend backend) {
    if (directory.state() != RunDirectory.State.FINISHED) {
      throw new UserError(
          directory.path() + ": the run is not finished; give its train command again first");
    }
    Dataset dataset = inputs.dataset();
    RecommenderConfig modelConfig = config.model().toConfig();
    KnowledgeTables knowledge = inputs.knowledgeFor(config);
    RecommenderModel model =
        RecommenderModel.build(
            modelConfig,
            Schemas.of(dataset, knowledge, config.training().batchSize()),
            DType.F32,
            false);
    ParameterStore store = new ParameterStore(backend);
    try {
      ParameterInitializer.create(store, model, config.training().seed(), dataset, knowledge);
      ModelFile.read(directory.file(RunDirectory.MODEL), model, store);
      EvidenceCounts evidence = EvidenceCounts.forModel(modelConfig, dataset);
      return new TrainedModel(
          store,
          model,
          dataset,
          Schemas.folds(knowledge),
          evidence,
          () -> inputs.vectorOrigin(config));
    } catch (RuntimeException | Error e) {
      store.close();
      throw e;
    }
  }

  /** Probabilities of the rows of a part. */
  public Predictions predict(Split part) {
    return evaluator.predict(part);
  }

  /** Probabilities of rows, ascending. */
  Predictions predict(int[] rows) {
    return evaluator.predict(rows);
  }

  /**
   * Writes a snapshot to score with.
   *
   * @throws UserError if the file cannot be written or the model cannot be exported
   */
  void export(Path file, String name, SnapshotWriter.Options options) {
    SnapshotWriter.Source source =
        new SnapshotWriter.Source(name, model, store, dataset, folds, evidence, origin.get());
    SnapshotWriter.write(file, source, options);
  }

  /** What the model leans on, see {@link ModelReader}. */
  public ModelReading read(Split part) {
    return ModelReader.read(store, model, dataset, folds, evidence, part);
  }

  @Override
  public void close() {
    evaluator.close();
    store.close();
  }
}
