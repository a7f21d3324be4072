package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.llm4msr.app.run.ReadingJson;
import org.llm4msr.app.run.RunConfig;
import org.llm4msr.app.run.RunDirectory;
import org.llm4msr.app.run.RunMetrics;
import org.llm4msr.app.run.TrainedModel;
import org.llm4msr.app.run.TrainingInputs;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.runtime.backend.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ObjectNode;

/** Measures a trained model again, from its weights. */
@Command(
    name = "evaluate",
    description = "Measures a trained model: AUC, LogLoss and GAUC, overall and per scenario.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  llm4msr evaluate --run runs/star",
      "  llm4msr evaluate --run runs/star --explain     (what the model leans on)",
      "  llm4msr evaluate --run runs/star --split valid --json"
    })
public final class EvaluateCommand implements Callable<Integer> {
  @Mixin private RunOption run;

  @Option(
      names = "--split",
      paramLabel = "PART",
      defaultValue = "test",
      description = "Rows to measure on: train, valid or test (default: ${DEFAULT-VALUE}).")
  private Split split;

  @Option(
      names = "--explain",
      description = {
        "Also what the model leans on: the AUC lost when a field or the knowledge is permuted, the"
            + " weight of knowledge, distances between generated layers. Leaves reading.json and a"
            + " page reading.html in the run's folder."
      })
  private boolean explain;

  @Mixin private DeviceOptions device;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    RunDirectory directory = new RunDirectory(run.folder());
    RunConfig config = directory.config();
    RunMetrics metrics;
    ModelReading reading = null;
    List<String> scenarios;
    try (TrainingInputs inputs = TrainingInputs.of(config, spec.commandLine().getErr()::println);
        Backend backend = device.open();
        TrainedModel model = TrainedModel.load(directory, config, inputs, backend)) {
      metrics = RunMetrics.of(model.predict(split));
      scenarios = inputs.dataset().scenarios().stream().map(Scenario::name).toList();
      if (explain) {
        reading = model.read(split);
        directory.writeReading(reading, scenarios);
      }
    }
    if (json) {
      ObjectNode node = metrics.toJson();
      if (explain) {
        node.set("reading", ReadingJson.of(reading, scenarios));
      }
      Json.print(out, node);
    } else {
      MetricsTable.print(out, split.name().toLowerCase(Locale.ROOT) + " rows", metrics);
      if (explain) {
        ReadingTable.print(out, reading, scenarios);
        out.println("page: " + directory.file(RunDirectory.READING_PAGE));
      }
    }
    return 0;
  }
}
