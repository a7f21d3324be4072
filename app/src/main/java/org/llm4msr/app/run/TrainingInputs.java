package org.llm4msr.app.run;

import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;
import org.llm4msr.app.data.DataDescription;
import org.llm4msr.app.data.DatasetLoader;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.app.run.ModelSettings.VectorSource;
import org.llm4msr.app.run.RunConfig.DataSource;
import org.llm4msr.app.run.RunConfig.KnowledgeSource;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.knowledge.KnowledgeFile;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.scorer.VectorOrigin;
import org.llm4msr.model.training.KnowledgeTables;
import org.llm4msr.model.training.KnowledgeVectors;
import org.llm4msr.model.training.RandomVectors;
import org.llm4msr.model.training.Trainer;
import org.llm4msr.runtime.UserError;

/** What runs read: a data set, and knowledge where there is some. Loaded once for many runs. */
public final class TrainingInputs implements AutoCloseable {
  private static final String HELD_OUT_OF = " of ";

  private final Dataset dataset;
  private final DataSource dataSource;
  private final KnowledgeFile knowledge;
  private final String knowledgeFile;
  private final String knowledgeChecksum;
  private final Folds folds;
  private final KnowledgeCheck knowledgeCheck;

  /** What is to be closed with this; null for none. */
  private final TrainingInputs base;

  private TrainingInputs(
      Dataset dataset, DataSource dataSource, Path knowledgePath, Consumer<String> warn) {
    this.dataset = dataset;
    this.dataSource = dataSource;
    base = null;
    if (knowledgePath == null) {
      knowledge = null;
      knowledgeCheck = null;
      folds = Folds.NONE;
      knowledgeFile = null;
      knowledgeChecksum = null;
    } else {
      knowledgeFile = absolute(knowledgePath);
      knowledgeChecksum = Checksums.of(knowledgePath);
      knowledge = KnowledgeFile.open(knowledgePath);
      try {
        knowledgeCheck = new KnowledgeCheck(knowledgePath, knowledge, warn);
        folds = knowledgeCheck.folds();
      } catch (RuntimeException | Error e) {
        knowledge.close();
        throw e;
      }
    }
  }

  /** Some of the rows, without knowledge. */
  private TrainingInputs(TrainingInputs all, Folds folds, int fold, TrainingInputs base) {
    this.base = base;
    dataset = all.dataset.holdingOut(folds, fold);
    DataSource source = all.dataSource;
    dataSource =
        new DataSource(
            source.file(),
            source.folder(),
            source.cut(),
            fold + HELD_OUT_OF + folds.count(),
            Checksums.of(dataset));
    knowledgeCheck = null;
    knowledge = null;
    knowledgeFile = null;
    knowledgeChecksum = null;
    this.folds = Folds.NONE;
  }

  /**
   * The same rows without those of one fold, for a model that reads no knowledge. A view: to be
   * closed before these inputs are.
   *
   * @param fold in [1, count]
   */
  TrainingInputs holdingOut(Folds folds, int fold) {
    return new TrainingInputs(this, folds, fold, null);
  }

  private static String absolute(Path path) {
    return path.toAbsolutePath().normalize().toString();
  }

  /**
   * Reads a data set's description and files.
   *
   * @param knowledge null for none
   * @param cut shares of the training rows to keep, by scenario
   * @param warn told a line about each thing that is doubtful about the knowledge, now or when a
   *     model is to read it
   * @throws UserError if anything is wrong with the files, or the knowledge is of other training
   *     rows
   */
  public static TrainingInputs load(
      Path data, Path knowledge, Map<String, Double> cut, Consumer<String> warn) {
    return load(DataDescription.read(data), knowledge, cut, warn).withItsKnowledge();
  }

  /** These inputs, unless the knowledge is of other rows. */
  private TrainingInputs withItsKnowledge() {
    if (knowledgeCheck != null) {
      try {
        knowledgeCheck.requireRowsOf(dataset, dataSource);
      } catch (UserError e) {
        close();
        throw e;
      }
    }
    return this;
  }

  private static TrainingInputs load(
      DataDescription description, Path knowledge, Map<String, Double> cut, Consumer<String> warn) {
    Dataset dataset = DatasetLoader.load(description, description.prompts().language(), cut);
    try {
      DataSource source =
          new DataSource(
              absolute(description.file()),
              absolute(description.folder()),
              cut,
              "",
              Checksums.of(dataset));
      return new TrainingInputs(dataset, source, knowledge, warn);
    } catch (RuntimeException | Error e) {
      dataset.close();
      throw e;
    }
  }

  /**
   * Reads what a run was trained on.
   *
   * @param warn as {@link #load(Path, Path, Map, Consumer)} says
   * @throws UserError if it is not what it was then
   */
  public static TrainingInputs of(RunConfig config, Consumer<String> warn) {
    Path file = Path.of(config.data().file());
    KnowledgeSource source = config.knowledge();
    TrainingInputs inputs =
        load(
            DataDescription.read(file, Path.of(config.data().folder())),
            source == null ? null : Path.of(source.file()),
            config.data().cut(),
            warn);
    inputs = inputs.asIn(config);
    if (!inputs.dataSource.checksum().equals(config.data().checksum())) {
      inputs.close();
      throw new UserError(file + ": the data have changed since the run; train again");
    }
    if (source != null && !source.checksum().equals(inputs.knowledgeChecksum)) {
      inputs.close();
      throw new UserError(source.file() + ": the vectors have changed since the run; train again");
    }
    return inputs.withItsKnowledge();
  }

  /** The part of the rows that a run has seen. */
  private TrainingInputs asIn(RunConfig config) {
    String heldOut = config.data().heldOut();
    if (heldOut.isEmpty()) {
      return this;
    }
    String[] parts = heldOut.split(HELD_OUT_OF, -1);
    try {
      Folds divided = new Folds(Integer.parseInt(parts[1]));
      return new TrainingInputs(this, divided, Integer.parseInt(parts[0]), this);
    } catch (RuntimeException e) {
      close();
      throw new UserError(
          "config.yaml: data.held_out: expected such as \"1 of 3\", found \"" + heldOut + "\"", e);
    }
  }

  /** How many rows are trained on. */
  int trainingRows() {
    return dataset.count(Split.TRAIN);
  }

  public Dataset dataset() {
    return dataset;
  }

  /** For a run's configuration. */
  public DataSource dataSource() {
    return dataSource;
  }

  /** Whether there is knowledge. */
  public boolean hasKnowledge() {
    return knowledge != null;
  }

  /** The vectors; null without knowledge. */
  public KnowledgeVectors knowledge() {
    return knowledge;
  }

  /**
   * For a run's configuration; null where the model reads no knowledge. Warns where the vectors'
   * folds do not suit the model.
   */
  public KnowledgeSource knowledgeSource(ModelSettings model) {
    if (model.meta() == MetaLevels.OFF) {
      return null;
    }
    knowledgeCheck.warnOfFolds(model);
    return new KnowledgeSource(knowledgeFile, knowledgeChecksum, folds.count());
  }

  /** The vectors as a run's model wants them; null where it reads none. */
  public KnowledgeTables knowledgeFor(RunConfig config) {
    if (config.model().meta() == MetaLevels.OFF) {
      return null;
    }
    Normalization normalize = config.model().normalize();
    return switch (config.model().vectors()) {
      case LLM -> new KnowledgeTables(knowledge, folds, normalize);
      // Others for each seed: what they do by chance is part of the spread over seeds.
      case RANDOM ->
          new KnowledgeTables(
              new RandomVectors(knowledge, config.training().seed()), folds, normalize);
      // Only their size counts; one for each user.
      case LEARNED -> new KnowledgeTables(knowledge, Folds.NONE, normalize);
    };
  }

  /**
   * Refuses early what a training would refuse.
   *
   * @throws UserError as {@link Trainer#check} says
   */
  void check(RunConfig config) {
    ModelSettings model = config.model();
    // Random vectors are there for the same ids as the real ones.
    KnowledgeTables tables =
        model.meta() == MetaLevels.OFF
            ? null
            : new KnowledgeTables(knowledge, folds, model.normalize());
    Trainer.check(dataset, tables, model.toConfig(), config.training());
  }

  /** Where a run's vectors of users came from; null where later ones cannot take their place. */
  VectorOrigin vectorOrigin(RunConfig config) {
    return config.model().meta() == MetaLevels.OFF || config.model().vectors() != VectorSource.LLM
        ? null
        : new VectorOrigin(
            knowledge.model(), knowledge.pool(), knowledgeFor(config).userScaling(dataset));
  }

  @Override
  public void close() {
    dataset.close();
    if (knowledge != null) {
      knowledge.close();
    }
    if (base != null) {
      base.close();
    }
  }
}
