package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.llm4msr.app.run.ModelSettings;
import org.llm4msr.app.run.RunConfig;
import org.llm4msr.app.run.RunDirectory;
import org.llm4msr.app.run.RunMetrics;
import org.llm4msr.app.run.TrainingInputs;
import org.llm4msr.app.run.TrainingRun;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.runtime.backend.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains one model. */
@Command(
    name = "train",
    description = {
      "Trains a multi-scenario recommender, with a language model's knowledge or without.",
      "An interrupted run goes on where it stopped when the same command is given again."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  llm4msr train --data D.yaml --backbone star --out runs/star",
      "  llm4msr train --data D.yaml --backbone ple --option levels=3 --out runs/ple",
      "  llm4msr train --data D.yaml --knowledge K.safetensors --backbone star --out runs/llm",
      "  llm4msr train --data D.yaml --knowledge K.safetensors --backbone star --cross-fit 0 \\",
      "      --out runs/together",
      "  llm4msr train --data D.yaml --knowledge K.safetensors --meta user --fusion evidence \\",
      "      --backbone sharedbottom --lr 5e-4 --seed 2 --out runs/user-only"
    })
public final class TrainCommand implements Callable<Integer> {
  @Mixin private KnowledgeOptions sources;

  @Option(
      names = "--backbone",
      paramLabel = "NAME",
      defaultValue = "star",
      description = "One of those below (default: ${DEFAULT-VALUE}).")
  private BackboneKind backbone;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "RUN",
      description = "Folder for everything that the run leaves.")
  private Path out;

  @Option(names = "--force", description = "Replace a run that is in the folder.")
  private boolean force;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description =
          "Of the weights' start and of the order of the rows (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Mixin private CrossFitOption crossFit;
  @Mixin private ModelOptions options;
  @Mixin private TrainingOptions trainingOptions;
  @Mixin private DeviceOptions device;

  @Option(names = "--json", description = "Print the metrics as JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter output = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    RunDirectory directory = new RunDirectory(out);
    directory.requireRoom(force);
    int folds = crossFit.folds(List.of(backbone), sources, options);
    options.check(List.of(backbone));
    trainingOptions.check(folds);
    ModelSettings wanted = options.model(backbone, sources.hasKnowledge(), folds);
    try (Interrupt interrupt = new Interrupt();
        TrainingInputs inputs = sources.load();
        Backend backend = device.open()) {
      ModelSettings model = wanted.on(inputs.dataset());
      RunConfig config =
          new RunConfig(
              inputs.dataSource(),
              inputs.knowledgeSource(model),
              model,
              trainingOptions.training(seed, model.beside()),
              trainingOptions.training(seed, false),
              device.environment(backend));
      TrainingRun run = new TrainingRun(inputs, backend, err, true);
      if (!run.run(config, directory, force, interrupt::isRequested)) {
        err.println("stopped; the same command goes on from here (" + out + ")");
        err.flush();
        return Interrupt.EXIT_CODE;
      }
    }
    RunMetrics metrics = directory.metrics();
    if (json) {
      Json.print(output, metrics.toJson());
    } else {
      MetricsTable.print(output, "test rows", metrics);
      output.println("run: " + out);
    }
    return 0;
  }
}
