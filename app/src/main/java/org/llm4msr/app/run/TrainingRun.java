package org.llm4msr.app.run;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.llm4msr.app.command.Progress;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.training.HistoryEntry;
import org.llm4msr.model.training.KnowledgeTables;
import org.llm4msr.model.training.ModelFile;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.model.training.Predictions;
import org.llm4msr.model.training.Trainer;
import org.llm4msr.model.training.TrainingListener;
import org.llm4msr.runtime.backend.Backend;

/** Trains one model and leaves a run directory. */
public final class TrainingRun {
  private final TrainingInputs inputs;
  private final Backend backend;
  private final PrintWriter err;
  private final boolean reads;
  private final Function<String, RunDirectory> parts;
  private final Split measured;

  /**
   * @param err where progress goes
   * @param reads whether the report shows what the model leans on
   * @param parts of a cross-fitted run, see {@link CrossFit}; null for folders inside the run's
   * @param measured which rows {@code metrics.json} is of: the test rows, or the validation rows
   *     for a part of a search, which leaves neither predictions nor a report
   */
  TrainingRun(
      TrainingInputs inputs,
      Backend backend,
      PrintWriter err,
      boolean reads,
      Function<String, RunDirectory> parts,
      Split measured) {
    this.inputs = inputs;
    this.backend = backend;
    this.err = err;
    this.reads = reads;
    this.parts = parts;
    this.measured = measured;
  }

  /**
   * @param err where progress goes
   * @param reads whether the report shows what the model leans on
   */
  public TrainingRun(TrainingInputs inputs, Backend backend, PrintWriter err, boolean reads) {
    this(inputs, backend, err, reads, null, Split.TEST);
  }

  /**
   * Trains, or goes on where an interrupted run with the same configuration stopped.
   *
   * @param force whether a run that is in the folder may be replaced
   * @param stop asked after each step
   * @return false if it was stopped, with a checkpoint left behind
   * @throws org.llm4msr.runtime.UserError as {@link RunDirectory#begin} and {@link Trainer} say
   */
  public boolean run(
      RunConfig config, RunDirectory directory, boolean force, BooleanSupplier stop) {
    try (RunDirectory.Session session = directory.begin(config, force)) {
      if (config.model().crossFit() == 0) {
        return run(config, directory, session, inputs.dataset(), null, stop);
      }
      // Before the backbone's trainings, not after them.
      inputs.check(config);
      Function<String, RunDirectory> folders =
          parts == null ? name -> new RunDirectory(directory.file(name)) : parts;
      Optional<CrossFit.Prepared> prepared =
          new CrossFit(inputs, backend, err, folders, measured).prepare(config, stop);
      if (prepared.isEmpty()) {
        return false;
      }
      try (CrossFit.Prepared made = prepared.get()) {
        err.printf("%s: the levels beside it%n", directory.path());
        return run(config, directory, session, made.dataset(), made.backbone(), stop);
      }
    }
  }

  private boolean run(
      RunConfig config,
      RunDirectory directory,
      RunDirectory.Session session,
      Dataset dataset,
      Path backbone,
      BooleanSupplier stop) {
    try (Trainer trainer =
        new Trainer(
            backend,
            dataset,
            inputs.knowledgeFor(config),
            config.model().toConfig(),
            config.training(),
            backbone)) {
      trainer.checkpointTo(directory.file(RunDirectory.CHECKPOINT), config.fingerprint());
      if (session.resumes()) {
        trainer.resume();
        err.printf("%s: going on at step %d%n", directory.path(), trainer.step());
      }
      report(trainer.coverage());
      err.flush();
      try (Listener listener = new Listener(directory, trainer)) {
        if (trainer.fit(listener, stop) == Trainer.Outcome.INTERRUPTED) {
          return false;
        }
      }
      finish(config, directory, trainer);
      return true;
    }
  }

  /**
   * Says who has no knowledge.
   *
   * @param coverage null where the model reads no vector of users
   */
  private void report(KnowledgeTables.Coverage coverage) {
    if (coverage != null && coverage.without() > 0) {
      err.printf(
          Locale.ROOT,
          "knowledge: %,d of %,d users have no vector; they use zeros%n",
          coverage.without(),
          coverage.users());
    }
    if (coverage != null && coverage.partly() > 0) {
      err.printf(
          Locale.ROOT,
          "knowledge: %,d of %,d users lack the vector of a fold, or the one for all rows; where"
              + " that is to be read they use zeros%n",
          coverage.partly(),
          coverage.users());
    }
  }

  private void finish(RunConfig config, RunDirectory directory, Trainer trainer) {
    Predictions predictions = trainer.predict(measured);
    ModelFile.write(
        directory.file(RunDirectory.MODEL),
        trainer.model(),
        trainer.parameters(),
        Map.of("format", "llm4msr"));
    directory.writeHistory(trainer.history());
    RunMetrics metrics = RunMetrics.of(predictions);
    if (measured == Split.TEST) {
      PredictionsFile.write(directory.file(RunDirectory.PREDICTIONS), predictions);
      ModelReading reading = reads ? trainer.read(Split.TEST) : null;
      ReportBuilder.write(
          new ReportBuilder(inputs).run(config, metrics, trainer.history(), reading),
          directory.file(RunDirectory.REPORT));
    }
    directory.write(RunDirectory.METRICS, metrics.toJson().toPrettyString() + "\n");
    directory.deleteCheckpoint();
  }

  /** Shows progress and keeps the history file up to date. */
  private final class Listener implements TrainingListener, AutoCloseable {
    private final RunDirectory directory;
    private final Trainer trainer;
    private Progress progress;
    private int epoch;

    private Listener(RunDirectory directory, Trainer trainer) {
      this.directory = directory;
      this.trainer = trainer;
    }

    @Override
    public void onStep(int currentEpoch, long rowsDone, long rows, double loss) {
      if (progress == null || currentEpoch != epoch) {
        close();
        epoch = currentEpoch;
        progress = Progress.start(err, "epoch " + epoch, rows);
      }
      progress.update(rowsDone);
    }

    @Override
    public void onEvaluation(HistoryEntry entry, boolean best) {
      close();
      progress = null;
      directory.writeHistory(trainer.history());
      err.printf(
          Locale.ROOT,
          "epoch %d, step %d: train loss %.4f, valid AUC %.4f, valid LogLoss %.4f, %,.0f samples/s%s%n",
          entry.epoch(),
          entry.step(),
          entry.trainLoss(),
          entry.validAuc(),
          entry.validLogLoss(),
          entry.samplesPerSecond(),
          best ? ", best so far" : "");
      err.flush();
    }

    @Override
    public void close() {
      if (progress != null) {
        progress.close();
      }
    }
  }
}
