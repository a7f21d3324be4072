package org.llm4msr.app.run;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.llm4msr.app.report.ReportModel;
import org.llm4msr.app.run.Comparison.Arm;
import org.llm4msr.app.run.Comparison.Cost;
import org.llm4msr.app.run.Comparison.Key;
import org.llm4msr.app.run.RunConfig.Environment;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.training.HistoryEntry;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.model.training.TrainingConfig;
import org.llm4msr.runtime.backend.Backend;

/**
 * Makes the runs of a comparison, each in a folder of its own; those that are finished already are
 * not made again, so that an interrupted comparison goes on.
 */
public final class ComparisonRuns {
  /** File with the comparison's figures. */
  public static final String RESULT = "compare.json";

  /** The same as a table. */
  public static final String TABLE = "compare.csv";

  private final Path folder;
  private final TrainingInputs inputs;
  private final Backend backend;
  private final Environment environment;
  private final PrintWriter err;

  public ComparisonRuns(
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
  }

  /**
   * Makes all runs.
   *
   * @param model settings of each backbone, with the levels that are to be compared
   * @param training settings for each model and seed
   * @param force whether finished runs with other settings may be replaced
   * @return empty if it was stopped
   * @throws org.llm4msr.runtime.UserError before the first training, if a folder holds something
   *     else, or knowledge or data lack what one of the models needs
   */
  public Optional<Comparison> run(
      List<BackboneKind> backbones,
      List<Arm> arms,
      List<Long> seeds,
      Function<BackboneKind, ModelSettings> model,
      BiFunction<ModelSettings, Long, TrainingConfig> training,
      boolean force,
      BooleanSupplier stop) {
    Map<Key, RunConfig> plan = new LinkedHashMap<>();
    for (long seed : seeds) {
      for (BackboneKind backbone : backbones) {
        for (Arm arm : arms) {
          ModelSettings own = arm.of(model.apply(backbone).on(inputs.dataset()));
          plan.put(
              new Key(backbone, arm, seed),
              config(own, training.apply(own, seed), training.apply(own.alone(), seed)));
        }
      }
    }
    check(plan, seeds.getFirst(), force);
    Map<Key, RunMetrics> runs = new LinkedHashMap<>();
    Map<Key, Cost> costs = new LinkedHashMap<>();
    Map<Path, Environment> environments = new LinkedHashMap<>();
    for (Map.Entry<Key, RunConfig> planned : plan.entrySet()) {
      Key key = planned.getKey();
      RunConfig config = planned.getValue();
      RunDirectory directory = directory(key);
      err.printf("%s (%d of %d)%n", key.folder(), runs.size() + 1, plan.size());
      err.flush();
      if (!directory.holds(config, force)
          && !new TrainingRun(inputs, backend, err, false, parts(key), Split.TEST)
              .run(config, directory, force, stop)) {
        return Optional.empty();
      }
      runs.put(key, directory.metrics());
      costs.put(key, cost(key, config));
      for (RunDirectory part : with(directory, key, config)) {
        environments.put(part.path(), part.config().environment());
      }
    }
    Dataset dataset = inputs.dataset();
    String sparsest = dataset.scenarios().get(RunMetrics.sparsest(dataset)).name();
    return Optional.of(
        new Comparison(
            backbones,
            arms,
            seeds,
            runs,
            costs,
            sparsest,
            new RunEnvironments(List.copyOf(environments.values()))));
  }

  /** Refuses before the first training what any of them would refuse. */
  private void check(Map<Key, RunConfig> plan, long firstSeed, boolean force) {
    plan.forEach((key, config) -> {
      with(directory(key), key, config).forEach(RunDirectory::state);
      directory(key).holds(config, force);
      // Seeds change nothing of it.
      if (key.seed() == firstSeed) {
        inputs.check(config);
      }
    });
  }

  /** A run's folder and those of the runs that it needs. */
  private List<RunDirectory> with(RunDirectory directory, Key key, RunConfig config) {
    List<RunDirectory> all = new ArrayList<>(List.of(directory));
    all.addAll(
        new CrossFit(inputs, backend, err, parts(key), Split.TEST).directories(config.model()));
    return all;
  }

  /** Arms of a backbone share what it is alone and its copies. */
  private Function<String, RunDirectory> parts(Key key) {
    Key alone = new Key(key.backbone(), Arm.WITHOUT, key.seed());
    return name ->
        name.equals(CrossFit.BACKBONE)
            ? directory(alone)
            : new RunDirectory(
                folder.resolve(key.backbone().label() + "-" + name + "-seed" + key.seed()));
  }

  private RunConfig config(ModelSettings own, TrainingConfig training, TrainingConfig ofBackbone) {
    return new RunConfig(
        inputs.dataSource(), inputs.knowledgeSource(own), own, training, ofBackbone, environment);
  }

  private Cost cost(Key key, RunConfig config) {
    RunDirectory directory = directory(key);
    double before =
        config.model().crossFit() == 0
            ? 0
            : new CrossFit(inputs, backend, err, parts(key), Split.TEST).seconds(config);
    try (Safetensors model = Safetensors.open(directory.file(RunDirectory.MODEL))) {
      long weights =
          model.names().stream().mapToLong(name -> model.tensor(name).shape().elements()).sum();
      double seconds = directory.history().stream().mapToDouble(HistoryEntry::seconds).sum();
      return new Cost(weights, before + seconds);
    }
  }

  /** Writes {@code compare.json}, {@code compare.csv} and {@code report.html}. */
  public void write(Comparison comparison, ReportModel report) {
    RunDirectory directory = new RunDirectory(folder);
    directory.write(RESULT, comparison.toJson().toPrettyString() + "\n");
    directory.write(TABLE, ComparisonTable.csv(comparison));
    ReportBuilder.write(report, directory.file(RunDirectory.REPORT));
  }

  /** What the model of a finished run leans on, measured on the test rows. */
  ModelReading reading(Key key) {
    RunDirectory directory = directory(key);
    try (TrainedModel model = TrainedModel.load(directory, directory.config(), inputs, backend)) {
      return model.read(Split.TEST);
    }
  }

  /** The folder of one run. */
  public RunDirectory directory(Key key) {
    return new RunDirectory(folder.resolve(key.folder()));
  }
}
