package org.llm4msr.app.run;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.training.HistoryEntry;
import org.llm4msr.model.training.Predictions;
import org.llm4msr.runtime.backend.Backend;

/**
 * What the levels beside a backbone are trained against: the backbone, and its logit of each
 * training row from a copy that did not learn from that row. Both are runs in folders of their own,
 * made unless they are there.
 *
 * <p>This is cross-fitting, the stacking of Wolpert (Neural Networks 5, 1992) as Chernozhukov et
 * al. (Econometrics Journal 21, 2018) use it. A backbone knows the labels of its own training rows
 * better than it will know tomorrow's; what is left of them says little of what it lacks.
 */
final class CrossFit {
  /** Name of the run of the backbone with all training rows. */
  static final String BACKBONE = "backbone";

  /** Largest size of a logit: a probability that is 1 in float32 still has a finite one. */
  private static final double LARGEST = 15;

  private final TrainingInputs inputs;
  private final Backend backend;
  private final PrintWriter err;
  private final Function<String, RunDirectory> folders;
  private final Split measured;

  /**
   * @param err where progress goes
   * @param folders of the runs: {@link #BACKBONE}, and {@code fold1of3} and so on, the backbone
   *     without the rows of that fold
   * @param measured which rows the runs are measured on, see {@link TrainingRun}
   */
  CrossFit(
      TrainingInputs inputs,
      Backend backend,
      PrintWriter err,
      Function<String, RunDirectory> folders,
      Split measured) {
    this.inputs = inputs;
    this.backend = backend;
    this.err = err;
    this.folders = folders;
    this.measured = measured;
  }

  /**
   * What the levels are trained with.
   *
   * @param dataset with logits of the training rows; those of others are 0 and not read
   * @param backbone weights of the backbone that learned from all training rows
   */
  record Prepared(Dataset dataset, Path backbone) implements AutoCloseable {
    @Override
    public void close() {
      dataset.close();
    }
  }

  /**
   * Trains the backbone and its copies, as far as they are not there.
   *
   * @param config of the run with levels
   * @return empty if stopped
   */
  Optional<Prepared> prepare(RunConfig config, BooleanSupplier stop) {
    Folds folds = new Folds(config.model().crossFit());
    RunDirectory backbone = folders.apply(BACKBONE);
    if (!train(inputs, backbone, config, stop)) {
      return Optional.empty();
    }
    float[] logits = new float[inputs.dataset().rows()];
    for (int fold = 1; fold <= folds.count(); fold++) {
      RunDirectory directory = folder(fold, folds);
      try (TrainingInputs rest = inputs.holdingOut(folds, fold)) {
        if (!train(rest, directory, config, stop)) {
          return Optional.empty();
        }
        RunConfig own = directory.config();
        try (TrainedModel model = TrainedModel.load(directory, own, rest, backend)) {
          write(model.predict(rowsOf(folds, fold)), logits);
        }
      }
    }
    return Optional.of(
        new Prepared(
            inputs.dataset().withLogits(logits, folds), backbone.file(RunDirectory.MODEL)));
  }

  private RunDirectory folder(int fold, Folds folds) {
    return folders.apply("fold" + fold + "of" + folds.count());
  }

  private int[] rowsOf(Folds folds, int fold) {
    Dataset dataset = inputs.dataset();
    return IntStream.range(0, dataset.rows())
        .filter(row -> folds.of(dataset, row) == fold)
        .toArray();
  }

  private static void write(Predictions predictions, float[] logits) {
    for (int i = 0; i < predictions.rows().length; i++) {
      double p = predictions.probabilities()[i];
      logits[predictions.rows()[i]] = (float) Math.clamp(Math.log(p / (1 - p)), -LARGEST, LARGEST);
    }
  }

  private boolean train(
      TrainingInputs rows, RunDirectory directory, RunConfig levels, BooleanSupplier stop) {
    RunConfig config =
        new RunConfig(
            rows.dataSource(),
            null,
            levels.model().alone(),
            levels.trainingOfBackbone(),
            levels.environment());
    boolean known =
        directory.state() != RunDirectory.State.EMPTY
            && directory.config().fingerprint().equals(config.fingerprint());
    if (known && directory.state() == RunDirectory.State.FINISHED) {
      return true;
    }
    err.printf("%s: the backbone, %,d training rows%n", directory.path(), rows.trainingRows());
    err.flush();
    // What another backbone left there belongs to this run and is of no more use.
    boolean replace = !known && directory.state() != RunDirectory.State.EMPTY;
    return new TrainingRun(rows, backend, err, false, null, measured)
        .run(config, directory, replace, stop);
  }

  /** Folders of the backbone and its copies, whether there or not; none without cross-fitting. */
  List<RunDirectory> directories(ModelSettings model) {
    Folds folds = new Folds(model.crossFit());
    if (folds.count() == 0) {
      return List.of();
    }
    List<RunDirectory> directories = new ArrayList<>(List.of(folders.apply(BACKBONE)));
    for (int fold = 1; fold <= folds.count(); fold++) {
      directories.add(folder(fold, folds));
    }
    return directories;
  }

  /** Seconds that the backbone and its copies took. */
  double seconds(RunConfig config) {
    return directories(config.model()).stream().mapToDouble(CrossFit::seconds).sum();
  }

  private static double seconds(RunDirectory directory) {
    return directory.history().stream().mapToDouble(HistoryEntry::seconds).sum();
  }
}
