package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.llm4msr.app.run.RunConfig;
import org.llm4msr.app.run.RunDirectory;
import org.llm4msr.app.run.RunMetrics;
import org.llm4msr.app.run.TrainedModel;
import org.llm4msr.app.run.TrainingInputs;
import org.llm4msr.model.data.Split;
import org.llm4msr.runtime.backend.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a trained model again, from its weights. */
@Command(
    name = "evaluate",
    description = "Measures a trained model: AUC, LogLoss and GAUC, overall and per scenario.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  llm4msr evaluate --run runs/star",
      "  llm4msr evaluate --run runs/star --split valid --json"
    })
public final class EvaluateCommand implements Callable<Integer> {
  @Option(
      names = "--run",
      required = true,
      paramLabel = "RUN",
      description = "Folder that 'llm4msr train' left.")
  private Path run;

  @Option(
      names = "--split",
      paramLabel = "PART",
      defaultValue = "test",
      description = "Rows to measure on: train, valid or test (default: ${DEFAULT-VALUE}).")
  private Split split;

  @Mixin private DeviceOptions device;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    RunDirectory directory = new RunDirectory(run);
    RunConfig config = directory.config();
    RunMetrics metrics;
    try (TrainingInputs inputs = TrainingInputs.of(config);
        Backend backend = device.open();
        TrainedModel model = TrainedModel.load(directory, config, inputs, backend)) {
      metrics = RunMetrics.of(model.predict(split));
    }
    if (json) {
      Json.print(out, metrics.toJson());
    } else {
      MetricsTable.print(out, split.name().toLowerCase(Locale.ROOT) + " rows", metrics);
    }
    return 0;
  }
}
