package org.llm4msr.app.run;

import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.model.training.Evaluator;
import org.llm4msr.model.training.EvidenceCounts;
import org.llm4msr.model.training.KnowledgeTables;
import org.llm4msr.model.training.ModelFile;
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

  private TrainedModel(ParameterStore store, Evaluator evaluator) {
    this.store = store;
    this.evaluator = evaluator;
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
      Evaluator evaluator =
          new Evaluator(store, model, dataset, Schemas.folds(knowledge), evidence);
      return new TrainedModel(store, evaluator);
    } catch (RuntimeException | Error e) {
      store.close();
      throw e;
    }
  }

  /** Probabilities of the rows of a part. */
  public Predictions predict(Split part) {
    return evaluator.predict(part);
  }

  @Override
  public void close() {
    evaluator.close();
    store.close();
  }
}
