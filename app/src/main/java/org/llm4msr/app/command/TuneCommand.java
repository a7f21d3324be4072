package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.llm4msr.app.report.TuningReport.Trial;
import org.llm4msr.app.run.ModelSettings;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.app.run.TrainingInputs;
import org.llm4msr.app.run.Tuning;
import org.llm4msr.app.run.Tuning.Found;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.training.TrainingConfig;
import org.llm4msr.runtime.backend.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** Searches good settings on the validation rows. */
@Command(
    name = "tune",
    description = {
      "Searches a model's settings on the validation rows: the learning rate first, then the"
          + " embeddings' width, dropout, weight decay and the backbone's sizes.",
      "With knowledge the best backbone and its copies are trained once, and then the levels of"
          + " LLM4MSR beside it are searched: their learning rate first, then which levels, their"
          + " weight decay, fusion, rank and the user's widths. With --cross-fit 0 both are searched"
          + " together: the wiring, fusion and rank beside the backbone's settings.",
      "Many candidates train for few epochs, the best third of them for three times as many, and"
          + " so on. The test rows are never looked at. The same command goes on after an interruption; trials that are done are not"
          + " repeated."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  llm4msr tune --data D.yaml --backbone mmoe --out runs/tune-mmoe",
      "  llm4msr tune --data D.yaml --knowledge K.safetensors --backbone star --rates 9 \\",
      "      --trials 27 --epochs 27 --out runs/tune-star"
    })
public final class TuneCommand implements Callable<Integer> {
  /** What {@code train} lacks, needs another value of, or is given anew. */
  private static final Set<String> OWN_OPTIONS =
      Set.of(
          "--rates",
          "--lr-range",
          "--trials",
          "--out",
          "--verbose",
          "--cross-fit",
          "--hidden",
          "--tower",
          "--option");

  private static final Pattern PLAIN_WORD = Pattern.compile("[\\w@%+=:,./-]+");

  @Mixin private KnowledgeOptions sources;

  @Option(
      names = "--backbone",
      paramLabel = "NAME",
      defaultValue = "star",
      description = "One of those below (default: ${DEFAULT-VALUE}).")
  private BackboneKind backbone;

  @Option(
      names = "--rates",
      paramLabel = "N",
      defaultValue = "6",
      description = "Learning rates that are tried (default: ${DEFAULT-VALUE}).")
  private int rates;

  @Option(
      names = "--lr-range",
      paramLabel = "LOW,HIGH",
      split = ",",
      defaultValue = "1e-4,1e-2",
      description = "Between which they lie (default: ${DEFAULT-VALUE}).")
  private List<Double> range;

  @Option(
      names = "--trials",
      paramLabel = "N",
      defaultValue = "12",
      description =
          "Random settings that are tried with rates near the best; 0 for the rate only (default:"
              + " ${DEFAULT-VALUE}).")
  private int trials;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Folder for trials.jsonl and tune.html.")
  private Path out;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Of the draws and of every training (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Mixin private CrossFitOption crossFit;
  @Mixin private ModelOptions options;
  @Mixin private TrainingOptions trainingOptions;
  @Mixin private DeviceOptions device;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter output = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    if (rates < 1 || trials < 0) {
      throw wrong("--rates: expected at least 1, --trials: at least 0");
    }
    if (range.size() != 2
        || !(range.get(0) > 0 && range.get(1) >= range.get(0) && range.get(1) < 10)) {
      throw wrong("--lr-range: expected two ascending rates such as 1e-4,1e-2, found " + range);
    }
    options.check(List.of(backbone));
    int folds = crossFit.folds(List.of(backbone), sources, options);
    trainingOptions.check(folds);
    ModelSettings wanted = options.model(backbone, sources.hasKnowledge(), folds);
    trainingOptions.training(seed, false);
    try (Interrupt interrupt = new Interrupt();
        TrainingInputs inputs = sources.load();
        Backend backend = device.open()) {
      ModelSettings model = wanted.on(inputs.dataset());
      TrainingConfig training = trainingOptions.training(seed, model.beside());
      Tuning.Budget budget =
          new Tuning.Budget(rates, range.get(0), range.get(1), trials, training.maxEpochs());
      try (Tuning tuning = new Tuning(out, inputs, backend, device.environment(backend), err)) {
        Optional<Found> found = tuning.run(model, training, budget, interrupt::isRequested);
        if (found.isEmpty()) {
          err.println("stopped; the same command goes on from here (" + out + ")");
          err.flush();
          return Interrupt.EXIT_CODE;
        }
        String title = "Search for " + backbone.label() + " on " + inputs.dataset().name();
        String command = command(found.get());
        tuning.writeReport(title, found.get(), command);
        print(output, tuning.trials());
        output.println("best: " + command);
        output.println("report: " + out.resolve(Tuning.REPORT));
      }
    }
    return 0;
  }

  private static void print(PrintWriter output, List<Trial> all) {
    output.printf("%-14s %5s %6s %9s  %s%n", "stage", "trial", "epochs", "score", "options");
    for (Trial trial : all) {
      output.printf(
          Locale.ROOT,
          "%-14s %5d %6d %9s  %s%n",
          trial.stage(),
          trial.trial(),
          trial.epochs(),
          Double.isNaN(trial.score()) ? "diverged" : "%.4f".formatted(trial.score()),
          trial.flags());
    }
  }

  /** The command that trains the best again: what was given, but for what the search chose. */
  private String command(Found found) {
    Set<String> replaced = new HashSet<>(OWN_OPTIONS);
    replaced.addAll(found.options());
    List<String> words = new ArrayList<>(List.of("llm4msr", "train"));
    ParseResult given = spec.commandLine().getParseResult();
    for (OptionSpec option : new LinkedHashSet<>(given.matchedOptions())) {
      if (!replaced.contains(option.longestName())) {
        for (String value : option.originalStringValues()) {
          words.add(option.longestName());
          if (option.arity().max() > 0) {
            words.add(value);
          }
        }
      }
    }
    words.addAll(found.options());
    ModelSettings model = found.model();
    if (model.meta() != MetaLevels.OFF && model.backbone() != BackboneKind.EXTERNAL) {
      words.addAll(List.of("--cross-fit", String.valueOf(model.crossFit())));
    }
    return words.stream().map(TuneCommand::quoted).collect(Collectors.joining(" "));
  }

  /** As a POSIX shell reads it as one word. */
  private static String quoted(String word) {
    return PLAIN_WORD.matcher(word).matches() ? word : "'" + word.replace("'", "'\\''") + "'";
  }

  private ParameterException wrong(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
