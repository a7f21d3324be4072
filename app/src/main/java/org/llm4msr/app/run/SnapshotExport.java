package org.llm4msr.app.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.llm4msr.app.serve.RequestScorer;
import org.llm4msr.app.serve.ScoringRequest;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.ValueRule;
import org.llm4msr.model.data.Vocabulary;
import org.llm4msr.model.metrics.MetricsReport;
import org.llm4msr.model.scorer.Precision;
import org.llm4msr.model.scorer.Snapshot;
import org.llm4msr.model.scorer.SnapshotWriter;
import org.llm4msr.model.training.Predictions;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;

/** Exports a finished run as a snapshot that is known to score as evaluation does. */
public final class SnapshotExport {
  /** How far a probability may lie from evaluation's. */
  public static final double TOLERANCE = 1e-5;

  /** How much of the AUC BF16 or 8 bits may cost unless somebody says otherwise. */
  public static final double MOST_AUC_LOSS = 0.001;

  private static final int MOST_ROWS = 10_000;

  private SnapshotExport() {}

  /**
   * How to export.
   *
   * @param snapshot what the file holds
   * @param mostAucLoss how much of the AUC of all test rows, or of a scenario's, BF16 or 8 bits may
   *     cost
   */
  public record Options(SnapshotWriter.Options snapshot, double mostAucLoss) {
    /** Precomputed, in F32. */
    public static Options defaults() {
      return new Options(new SnapshotWriter.Options(true, Precision.F32), MOST_AUC_LOSS);
    }
  }

  /**
   * The AUC that BF16 or 8 bits cost most.
   *
   * @param where the scenario, or {@code all test rows}
   * @param loss evaluation's AUC less the snapshot's
   */
  public record AucLoss(String where, double loss) {}

  /**
   * What was written.
   *
   * @param scoringBytes of the file that scoring reads
   * @param userBytes kept for each user that a scorer remembers
   * @param checkedRows test rows whose scores were compared with evaluation's
   * @param aucLoss null with F32
   */
  public record Result(
      String model,
      long fileBytes,
      long scoringBytes,
      long userBytes,
      int users,
      int items,
      List<String> scenarios,
      int checkedRows,
      double largestDifference,
      AucLoss aucLoss) {}

  /**
   * Exports. The file appears only after its scores of test rows have been compared with
   * evaluation's.
   *
   * @param progress is told what is being done
   * @throws UserError if the run is not finished, its data have changed, the model cannot be
   *     exported, a score in F32 differs by more than {@link #TOLERANCE}, or BF16 or 8 bits cost
   *     more of an AUC than they may
   */
  public static Result write(Path run, Path file, Options options, Consumer<String> progress) {
    RunDirectory directory = new RunDirectory(run);
    RunConfig config = directory.config();
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new UserError(file + ": cannot write: exists and is not a regular file");
    }
    Path folder = file.toAbsolutePath().getParent();
    if (folder == null || !Files.isDirectory(folder) || !Files.isWritable(folder)) {
      throw new UserError(
          file + ": cannot write: " + folder + " is no folder that can be written to");
    }
    Path unchecked =
        file.resolveSibling(
            "." + file.getFileName() + "." + ProcessHandle.current().pid() + ".unchecked");
    progress.accept("reading the run's data");
    // What is doubtful about the vectors was said when they were trained with.
    try (TrainingInputs inputs = TrainingInputs.of(config, warning -> {});
        Backend backend = Backends.open("cpu", BackendOptions.defaults());
        TrainedModel model = TrainedModel.load(directory, config, inputs, backend)) {
      progress.accept("writing the snapshot");
      model.export(unchecked, config.model().toConfig().backbone().name(), options.snapshot());
      progress.accept("comparing its scores with evaluation's");
      Result result = check(unchecked, model.predict(Split.TEST));
      Precision precision = options.snapshot().precision();
      if (precision != Precision.F32) {
        requireAuc(precision, result.aucLoss(), options.mostAucLoss());
      } else if (!(result.largestDifference() <= TOLERANCE)) {
        throw new UserError(
            "the snapshot was not written: a test row scores "
                + result.largestDifference()
                + " away from evaluation, expected at most "
                + TOLERANCE
                + "; please report it");
      }
      Files.move(
          unchecked, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      return result;
    } catch (IOException e) {
      throw FileErrors.writing(file, e);
    } finally {
      try {
        Files.deleteIfExists(unchecked);
      } catch (IOException e) {
        progress.accept(unchecked + " could not be deleted");
      }
    }
  }

  /** Refuses what the precision costs, where nobody knows it or it is too much. */
  static void requireAuc(Precision precision, AucLoss loss, double most) {
    String option = "--" + precision.name().toLowerCase(Locale.ROOT);
    if (loss == null) {
      throw new UserError(
          "the snapshot was not written: without test rows of both labels nobody knows what "
              + precision
              + " costs; leave out "
              + option);
    }
    if (loss.loss() > most) {
      throw new UserError(
          String.format(
              Locale.ROOT,
              "the snapshot was not written: %s costs %.5f of the AUC of %s, expected at most %s;"
                  + " leave out %s, or raise --max-auc-loss",
              precision,
              loss.loss(),
              loss.where(),
              most,
              option));
    }
  }

  private static Result check(Path file, Predictions expected) throws IOException {
    Dataset dataset = expected.dataset();
    int rows = expected.rows().length;
    double largest = 0;
    try (Snapshot snapshot = Snapshot.open(file);
        RequestScorer scorer = new RequestScorer(snapshot, 1)) {
      ContextValues context = new ContextValues(dataset, snapshot.contextFields());
      // An AUC wants all rows.
      int checked = snapshot.precision() != Precision.F32 ? rows : Math.min(rows, MOST_ROWS);
      double[] probabilities = new double[checked];
      for (int i = 0; i < checked; i++) {
        int at = (int) ((long) i * rows / checked);
        int row = expected.rows()[at];
        ScoringRequest request =
            new ScoringRequest(
                dataset.userKey(dataset.user(row)),
                dataset.scenarios().get(dataset.scenario(row)).name(),
                List.of(dataset.itemKey(dataset.item(row))),
                context.of(row),
                dataset.hasLogits() ? dataset.external(row) : null,
                0);
        probabilities[i] = scorer.score(request, "test row").probabilities()[0];
        double difference = Math.abs(probabilities[i] - expected.probabilities()[at]);
        // Not a number is worse than any difference.
        largest = Double.isNaN(difference) ? Double.NaN : Math.max(largest, difference);
      }
      return new Result(
          snapshot.model(),
          Files.size(file),
          snapshot.byteSize(),
          snapshot.stateBytes(),
          snapshot.users(),
          snapshot.items(),
          snapshot.scenarios(),
          checked,
          largest,
          snapshot.precision() != Precision.F32 ? aucLoss(expected, probabilities) : null);
    }
  }

  /** Where the AUC falls most; null where there is none. */
  static AucLoss aucLoss(Predictions expected, double[] probabilities) {
    MetricsReport before = expected.metrics();
    MetricsReport after =
        new Predictions(expected.dataset(), expected.rows(), probabilities).metrics();
    List<AucLoss> losses = new ArrayList<>();
    losses.add(new AucLoss("all test rows", before.overall().auc() - after.overall().auc()));
    before
        .scenarios()
        .forEach((name, values) ->
            losses.add(
                new AucLoss(
                    "scenario '" + name + "'", values.auc() - after.scenarios().get(name).auc())));
    return losses.stream()
        .filter(loss -> Double.isFinite(loss.loss()))
        .max(Comparator.comparingDouble(AucLoss::loss))
        .orElse(null);
  }

  /** What rows say about themselves, as a log would. */
  private static final class ContextValues {
    private final Dataset dataset;
    private final List<Integer> fields = new ArrayList<>();
    private final Map<Integer, HashedValues> hashed = new HashMap<>();

    ContextValues(Dataset dataset, List<String> names) {
      this.dataset = dataset;
      for (int i = 0; i < dataset.fields().size(); i++) {
        if (names.contains(dataset.fields().get(i).name())) {
          fields.add(i);
        }
      }
    }

    Map<String, List<String>> of(int row) {
      Map<String, List<String>> values = new LinkedHashMap<>();
      for (int index : fields) {
        Field field = dataset.fields().get(index);
        List<String> told = new ArrayList<>();
        for (int k = 0; k < field.length(); k++) {
          int id = field.id(row, k);
          if (id != Vocabulary.UNKNOWN) {
            told.add(
                field.isNumber()
                    ? Double.toString(field.factor(row, k) * field.deviation() + field.mean())
                    : text(index, field, id));
          }
        }
        values.put(field.name(), told);
      }
      return values;
    }

    private String text(int index, Field field, int id) {
      return field.vocabulary().isHashed()
          ? hashed.computeIfAbsent(index, i -> new HashedValues(field)).of(id)
          : ValueRule.undo(field.rules(), field.vocabulary().value(id));
    }
  }

  /** The data set keeps only hashes; any value of the same hash scores alike. */
  private static final class HashedValues {
    private final Field field;
    private final Map<Integer, String> byId = new HashMap<>();
    private int tried;

    HashedValues(Field field) {
      this.field = field;
    }

    String of(int id) {
      while (!byId.containsKey(id)) {
        String text = Integer.toString(tried++);
        String value = ValueRule.apply(field.rules(), text);
        byId.putIfAbsent(value == null ? Vocabulary.UNKNOWN : field.vocabulary().id(value), text);
      }
      return byId.get(id);
    }
  }
}
