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
import org.llm4msr.model.data.Split;
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
 * number. Learning rates come first, then random settings around the best one. Where levels stand
 * beside a backbone, the backbone is searched first, the best one is trained with its copies, and
 * then the levels are searched. The test rows are never looked at. Whatever was tried is written
 * down at once; a search that goes on reuses it, and goes on with the training that was under way.
 */
public final class Tuning implements AutoCloseable {
  /** What was tried, one JSON object per line. */
  public static final String TRIALS = "trials.jsonl";

  /** File with the plot and the table. */
  public static final String REPORT = "tune.html";

  /** Folder of the training that is under way; gone when the search is done. */
  private static final String UNDER_WAY = "trial";

  private static final int REDUCTION = 3;
  private static final JsonMapper JSON = JsonMapper.shared();

  /** How far the search goes. */
  public record Budget(int rates, double lowestRate, double highestRate, int trials, int epochs) {}

  /**
   * What a search found.
   *
   * @param winners the best trial of each part, the last one being the best of all
   * @param model the settings of the best
   * @param options of {@code train} that make the best of what was given, and every option of the
   *     backbone's own that is not its default; names and values in turn
   */
  public record Found(List<Trial> winners, ModelSettings model, List<String> options) {}

  private final Path folder;
  private final RunDirectory.Session session;
  private final TrainingInputs inputs;
  private final Backend backend;
  private final Environment environment;
  private final PrintWriter err;
  private final Map<String, ObjectNode> known = new LinkedHashMap<>();
  private final List<Trial> trials = new ArrayList<>();

  /**
   * @param folder where trials are written down; those that are there are reused
   * @param err where progress goes
   * @throws UserError if what is there cannot be read, or another process is at work in the folder
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
    if (Files.exists(folder.resolve(RunDirectory.CONFIG))) {
      // Its backbone and copies have the names of a search's.
      throw new UserError(folder + ": holds a run; choose another --out");
    }
    session = new RunDirectory(folder).occupy();
    try {
      readTrials();
    } catch (RuntimeException | Error e) {
      session.close();
      throw e;
    }
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
   * @param training of the whole model or, where levels stand beside a backbone, with their decay
   * @param stop asked after each step
   * @return empty if stopped
   * @throws UserError if every training diverges
   */
  public Optional<Found> run(
      ModelSettings model, TrainingConfig training, Budget budget, BooleanSupplier stop) {
    Optional<Found> found =
        model.crossFit() == 0
            ? search(new ModelSpace(new Candidate(model, training)), budget, null, stop)
                .map(best -> found(best, List.of(), List.of()))
            : backboneThenLevels(model, training, budget, stop);
    if (found.isPresent()) {
      new RunDirectory(folder.resolve(UNDER_WAY)).delete();
    }
    return found;
  }

  private Optional<Found> backboneThenLevels(
      ModelSettings model, TrainingConfig training, Budget budget, BooleanSupplier stop) {
    TuningSpace backbones = new ModelSpace(new Candidate(model.alone(), training));
    Optional<Best> best = search(backbones, budget, null, stop);
    if (best.isEmpty()) {
      return Optional.empty();
    }
    Candidate backbone = best.get().candidate();
    ModelSettings alone = backbone.model();
    ModelSettings beside =
        model.withBackbone(
            alone.backbone(), alone.backboneOptions(), alone.embeddingDim(), alone.dropout());
    Candidate base = new Candidate(beside, backbone.training());
    Optional<CrossFit.Prepared> prepared =
        new CrossFit(
                inputs, backend, err, name -> new RunDirectory(folder.resolve(name)), Split.VALID)
            .prepare(config(base, base.training(), base.training()), stop);
    if (prepared.isEmpty()) {
      return Optional.empty();
    }
    try (CrossFit.Prepared made = prepared.get()) {
      return search(new LevelSpace(base), budget, new Beside(made, backbone.training()), stop)
          .map(levels ->
              found(levels, List.of(best.get().trial()), best.get().space().options(backbone)));
    }
  }

  private static Found found(Best best, List<Trial> before, List<String> optionsBefore) {
    List<Trial> winners = new ArrayList<>(before);
    winners.add(best.trial());
    List<String> options = new ArrayList<>(optionsBefore);
    options.addAll(best.space().options(best.candidate()));
    ModelSettings model = best.candidate().model();
    options.addAll(
        TuningSpace.backboneOptions(best.candidate(), model.backbone().complete(Map.of())));
    return new Found(winners, model, options);
  }

  /**
   * The backbone that levels stand beside.
   *
   * @param training how it was trained, whatever the levels' epochs
   */
  private record Beside(CrossFit.Prepared prepared, TrainingConfig training) {}

  /** The best of a space. */
  private record Best(TuningSpace space, Candidate candidate, Trial trial) {}

  private Optional<Best> search(
      TuningSpace space, Budget budget, Beside beside, BooleanSupplier stop) {
    List<Candidate> rates = space.rates(budget.rates(), budget.lowestRate(), budget.highestRate());
    Optional<Best> bestRate = halve("rates", space, rates, budget, beside, stop);
    if (bestRate.isEmpty() || budget.trials() == 0) {
      return bestRate;
    }
    double rate = bestRate.get().candidate().learningRate();
    List<Candidate> settings = space.around(rate, budget.trials());
    Optional<Best> bestSettings = halve("settings", space, settings, budget, beside, stop);
    return bestSettings.map(
        best -> best.trial().score() > bestRate.get().trial().score() ? best : bestRate.get());
  }

  private Optional<Best> halve(
      String stage,
      TuningSpace space,
      List<Candidate> candidates,
      Budget budget,
      Beside beside,
      BooleanSupplier stop) {
    int rungs = (int) Math.floor(Math.log(candidates.size()) / Math.log(REDUCTION) + 1e-9);
    List<Best> left = new ArrayList<>();
    for (int i = 0; i < candidates.size(); i++) {
      Trial none = new Trial(space.prefix() + stage, i + 1, 0, 0, 0, 0, "");
      left.add(new Best(space, candidates.get(i), none));
    }
    for (int rung = rungs; rung >= 0; rung--) {
      int epochs = (int) Math.max(1, Math.round(budget.epochs() / Math.pow(REDUCTION, rung)));
      List<Best> tried = new ArrayList<>();
      for (Best entry : left) {
        Optional<Trial> trial = train(entry, epochs, beside, stop);
        if (trial.isEmpty()) {
          return Optional.empty();
        }
        trials.add(trial.get());
        tried.add(new Best(space, entry.candidate(), trial.get()));
      }
      tried.removeIf(entry -> Double.isNaN(entry.trial().score()));
      if (tried.isEmpty()) {
        throw new UserError("tune: every training diverged; lower --lr-range");
      }
      tried.sort(Comparator.comparingDouble(entry -> -entry.trial().score()));
      left = tried.subList(0, rung == 0 ? 1 : Math.ceilDiv(tried.size(), REDUCTION));
    }
    return Optional.of(left.getFirst());
  }

  private RunConfig config(
      Candidate candidate, TrainingConfig training, TrainingConfig ofBackbone) {
    return new RunConfig(
        inputs.dataSource(),
        inputs.knowledgeSource(candidate.model()),
        candidate.model(),
        training,
        ofBackbone,
        environment);
  }

  private Optional<Trial> train(Best entry, int epochs, Beside beside, BooleanSupplier stop) {
    Candidate candidate = entry.candidate();
    RunConfig config =
        config(
            candidate,
            candidate.training().withMaxEpochs(epochs),
            beside == null ? null : beside.training());
    String stage = entry.trial().stage();
    int number = entry.trial().trial();
    String flags = String.join(" ", entry.space().flags(candidate));
    String fingerprint = config.fingerprint();
    ObjectNode done = known.get(fingerprint);
    if (done == null) {
      err.printf(Locale.ROOT, "%s %d, %d epochs: %s%n", stage, number, epochs, flags);
      err.flush();
      Optional<ObjectNode> result = train(config, beside, stop);
      if (result.isEmpty()) {
        return Optional.empty();
      }
      done = result.get().put("fingerprint", fingerprint);
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
            flags));
  }

  private Optional<ObjectNode> train(RunConfig config, Beside beside, BooleanSupplier stop) {
    RunDirectory directory = new RunDirectory(folder.resolve(UNDER_WAY));
    boolean other =
        directory.state() != RunDirectory.State.EMPTY
            && !directory.config().fingerprint().equals(config.fingerprint());
    try (RunDirectory.Session trial = directory.begin(config, other);
        Trainer trainer =
            new Trainer(
                backend,
                beside == null ? inputs.dataset() : beside.prepared().dataset(),
                inputs.knowledgeFor(config),
                config.model().toConfig(),
                config.training(),
                beside == null ? null : beside.prepared().backbone())) {
      trainer.checkpointTo(directory.file(RunDirectory.CHECKPOINT), config.fingerprint());
      if (trial.resumes()) {
        trainer.resume();
        err.printf("going on at step %d%n", trainer.step());
        err.flush();
      }
      ObjectNode result = JsonNodeFactory.instance.objectNode();
      try {
        if (trainer.fit(new TrainingListener() {}, stop) == Trainer.Outcome.INTERRUPTED) {
          return Optional.empty();
        }
      } catch (UserError e) {
        if (!trainer.diverged()) {
          throw e;
        }
        // A result here: this learning rate is too high.
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
    new RunDirectory(folder).write(TRIALS, lines.toString());
  }

  /**
   * Writes {@code tune.html}.
   *
   * @param command that trains the best again
   */
  public void writeReport(String title, Found found, String command) {
    new RunDirectory(folder)
        .write(REPORT, TuningReport.html(title, trials, found.winners(), command));
  }

  /** Lets other processes into the folder. */
  @Override
  public void close() {
    session.close();
  }
}
