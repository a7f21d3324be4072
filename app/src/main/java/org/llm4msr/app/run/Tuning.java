package org.llm4msr.app.run;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.llm4msr.app.report.TuningReport;
import org.llm4msr.app.report.TuningReport.Trial;
import org.llm4msr.app.run.RunConfig.Environment;
import org.llm4msr.app.run.TuningSpace.Candidate;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.training.HistoryEntry;
import org.llm4msr.model.training.Trainer;
import org.llm4msr.model.training.TrainingConfig;
import org.llm4msr.model.training.TrainingListener;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Searches settings on the validation rows by successive halving (Jamieson and Talwalkar 2016): all
 * candidates train for a few epochs, the best third goes on to three times as many, up to the full
 * number. Learning rates come first, then random settings around the best one. The test rows are
 * never looked at. Whatever was tried is written down at once; a search that goes on reuses it.
 */
public final class Tuning {
  /** What was tried, one JSON object per line. */
  public static final String TRIALS = "trials.jsonl";

  /** File with the plot and the table. */
  public static final String REPORT = "tune.html";

  private static final int REDUCTION = 3;
  private static final JsonMapper JSON = JsonMapper.shared();

  /** How far the search goes. */
  public record Budget(int rates, double lowestRate, double highestRate, int trials, int epochs) {}

  private final Path folder;
  private final TrainingInputs inputs;
  private final Backend backend;
  private final Environment environment;
  private final PrintWriter err;
  private final Map<String, ObjectNode> known = new LinkedHashMap<>();
  private final List<Trial> trials = new ArrayList<>();

  /**
   * @param folder where trials are written down; those that are there are reused
   * @param err where progress goes
   * @throws UserError if what is there cannot be read
   */
  public Tuning(
      Path folder,
      TrainingInputs inputs,
      Backend backend,
      Environment environment,
      PrintWriter err) {
    this.folder = folder;
    this.inputs = inputs;
    this.backend = backend;
    this.environment = environment;
    this.err = err;
    if (Files.exists(folder) && !Files.isDirectory(folder)) {
      throw new UserError(folder + ": not a folder; choose another --out");
    }
    readTrials();
  }

  private void readTrials() {
    Path file = folder.resolve(TRIALS);
    if (!Files.exists(file)) {
      return;
    }
    try {
      int number = 0;
      for (String line : Files.readAllLines(file)) {
        number++;
        JsonNode node = JSON.readTree(line);
        if (!node.isObject() || !node.path("fingerprint").isString()) {
          throw new UserError(file + ":" + number + ": not a trial; delete the line");
        }
        known.put(node.get("fingerprint").stringValue(), (ObjectNode) node);
      }
    } catch (JacksonException e) {
      throw new UserError(file + ": a line is not JSON; delete it", e);
    } catch (IOException e) {
      throw FileErrors.reading(file, e);
    }
  }

  /** Every training of this search so far, in order. */
  public List<Trial> trials() {
    return List.copyOf(trials);
  }

  /**
   * Searches.
   *
   * @param stop asked after each step
   * @return the best trial at the full number of epochs; empty if stopped
   * @throws UserError if every training diverges
   */
  public Optional<Trial> run(
      ModelSettings model, TrainingConfig training, Budget budget, BooleanSupplier stop) {
    TuningSpace space = new TuningSpace(model, training, training.seed());
    List<Candidate> rates = space.rates(budget.rates(), budget.lowestRate(), budget.highestRate());
    Optional<Trial> bestRate = halve("rates", space, rates, budget, stop);
    if (bestRate.isEmpty() || budget.trials() == 0) {
      return bestRate;
    }
    List<Candidate> settings = space.around(bestRate.get().learningRate(), budget.trials());
    Optional<Trial> bestSettings = halve("settings", space, settings, budget, stop);
    return bestSettings.map(
        trial -> trial.score() > bestRate.get().score() ? trial : bestRate.get());
  }

  private record Ranked(Candidate candidate, Trial trial) {}

  private Optional<Trial> halve(
      String stage,
      TuningSpace space,
      List<Candidate> candidates,
      Budget budget,
      BooleanSupplier stop) {
    int rungs = (int) Math.floor(Math.log(candidates.size()) / Math.log(REDUCTION) + 1e-9);
    List<Ranked> left = new ArrayList<>();
    for (int i = 0; i < candidates.size(); i++) {
      left.add(new Ranked(candidates.get(i), new Trial(stage, i + 1, 0, 0, 0, 0, "")));
    }
    for (int rung = rungs; rung >= 0; rung--) {
      int epochs = (int) Math.max(1, Math.round(budget.epochs() / Math.pow(REDUCTION, rung)));
      List<Ranked> tried = new ArrayList<>();
      for (Ranked ranked : left) {
        Optional<Trial> trial =
            train(stage, ranked.trial().trial(), space, ranked.candidate(), epochs, stop);
        if (trial.isEmpty()) {
          return Optional.empty();
        }
        trials.add(trial.get());
        tried.add(new Ranked(ranked.candidate(), trial.get()));
      }
      tried.removeIf(ranked -> Double.isNaN(ranked.trial().score()));
      if (tried.isEmpty()) {
        throw new UserError("tune: every training diverged; lower --lr-range");
      }
      tried.sort(Comparator.comparingDouble(ranked -> -ranked.trial().score()));
      left = tried.subList(0, rung == 0 ? 1 : Math.ceilDiv(tried.size(), REDUCTION));
    }
    return Optional.of(left.getFirst().trial());
  }

  private Optional<Trial> train(
      String stage,
      int number,
      TuningSpace space,
      Candidate candidate,
      int epochs,
      BooleanSupplier stop) {
    RunConfig config =
        new RunConfig(
            inputs.dataSource(),
            inputs.knowledgeSource(candidate.model()),
            candidate.model(),
            candidate.training().withMaxEpochs(epochs),
            environment);
    String fingerprint = config.fingerprint();
    ObjectNode done = known.get(fingerprint);
    if (done == null) {
      err.printf(
          Locale.ROOT, "%s %d, %d epochs: %s%n", stage, number, epochs, space.flags(candidate));
      err.flush();
      Optional<ObjectNode> result = train(config, fingerprint, stop);
      if (result.isEmpty()) {
        return Optional.empty();
      }
      done = result.get();
      known.put(fingerprint, done);
      writeTrials();
    }
    return Optional.of(
        new Trial(
            stage,
            number,
            epochs,
            done.path("score").asDouble(Double.NaN),
            candidate.learningRate(),
            done.path("seconds").asDouble(0),
            space.flags(candidate)));
  }

  private Optional<ObjectNode> train(RunConfig config, String fingerprint, BooleanSupplier stop) {
    ObjectNode result = JsonNodeFactory.instance.objectNode().put("fingerprint", fingerprint);
    try (Trainer trainer =
        new Trainer(
            backend,
            inputs.dataset(),
            inputs.knowledgeFor(config),
            config.model().toConfig(),
            config.training())) {
      try {
        if (trainer.fit(new TrainingListener() {}, stop) == Trainer.Outcome.INTERRUPTED) {
          return Optional.empty();
        }
      } catch (UserError e) {
        // A loss that is not finite is a result here: this learning rate is too high.
        return Optional.of(result.put("failure", e.getMessage()));
      }
      double seconds = trainer.history().stream().mapToDouble(HistoryEntry::seconds).sum();
      result.put("seconds", seconds).put("step", trainer.step());
      if (trainer.bestEntry() >= 0) {
        HistoryEntry best = trainer.history().get(trainer.bestEntry());
        result.put("score", best.score()).put("epoch", best.epoch());
      }
      return Optional.of(result);
    }
  }

  /** The file appears whole or not at all. */
  private void writeTrials() {
    StringBuilder lines = new StringBuilder();
    known.values().forEach(node -> lines.append(JSON.writeValueAsString(node)).append('\n'));
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw FileErrors.writing(folder, e);
    }
    new RunDirectory(folder).write(TRIALS, lines.toString());
  }

  /** Writes {@code tune.html}. */
  public void writeReport(String title, Trial best) {
    new RunDirectory(folder).write(REPORT, TuningReport.html(title, trials, best));
  }
}
