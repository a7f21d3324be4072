package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Collection;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.llm4msr.app.run.Comparison;
import org.llm4msr.app.run.Comparison.Arm;
import org.llm4msr.app.run.ComparisonRuns;
import org.llm4msr.app.run.ComparisonTable;
import org.llm4msr.app.run.ModelSettings;
import org.llm4msr.app.run.ReportBuilder;
import org.llm4msr.app.run.RunDirectory;
import org.llm4msr.app.run.TrainingInputs;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.runtime.backend.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Trains backbones without and with LLM4MSR over several seeds and tests the difference. */
@Command(
    name = "compare",
    description = {
      "Trains backbones without and with LLM4MSR over several seeds and tests the differences.",
      "Runs that are finished are not made again: the same command goes on after an interruption."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  llm4msr compare --data D.yaml --knowledge K.safetensors --backbones star --seeds 5 \\",
      "      --out runs/compare",
      "  llm4msr compare --data D.yaml --knowledge K.safetensors --backbones star --cross-fit 0 \\",
      "      --controls --out runs/together",
      "  llm4msr compare --data D.yaml --knowledge K.safetensors --seeds 6 --controls all \\",
      "      --backbones star,sharedbottom --fusion evidence --out runs/evidence",
      "  llm4msr compare --data D.yaml --backbones star,star_paper,sharedbottom --out runs/alone"
    })
public final class CompareCommand implements Callable<Integer> {
  private static final Set<Arm> CONTROLS = EnumSet.complementOf(EnumSet.of(Arm.WITHOUT, Arm.WITH));
  private static final Set<Arm> NEED_KNOWLEDGE =
      EnumSet.complementOf(EnumSet.of(Arm.WITHOUT, Arm.SCENARIO_ID));

  @Mixin private KnowledgeOptions sources;

  @Option(
      names = "--backbones",
      paramLabel = "NAME,...",
      split = ",",
      defaultValue = "star",
      description = "Any of those below, or all but external: all (default: ${DEFAULT-VALUE}).")
  private List<String> backbones;

  @Option(
      names = "--seeds",
      paramLabel = "N",
      defaultValue = "5",
      description = "Runs of each model, with the same seeds for all (default: ${DEFAULT-VALUE}).")
  private int seeds;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "The first seed (default: ${DEFAULT-VALUE}).")
  private long firstSeed;

  @Option(
      names = "--controls",
      paramLabel = "NAME,...",
      split = ",",
      arity = "0..1",
      fallbackValue = "random",
      description = {
        "Also with what tells knowledge from capacity: scenario_id (an embedding of the scenario),"
            + " learned (vectors of the same size that are learned), random (random vectors),"
            + " projection (the vectors through a matrix, no weights generated), user and scenario"
            + " (one level only), or all. Without a name: ${FALLBACK-VALUE}."
      })
  private List<String> controls = List.of();

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Folder for the runs, compare.json, compare.csv and report.html.")
  private Path out;

  @Option(names = "--force", description = "Replace runs in the folder that had other settings.")
  private boolean force;

  @Mixin private CrossFitOption crossFit;
  @Mixin private ModelOptions options;
  @Mixin private TrainingOptions trainingOptions;
  @Mixin private DeviceOptions device;

  @Option(names = "--json", description = "Print compare.json.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter output = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    if (seeds < 1) {
      throw wrong("--seeds: expected at least 1, found " + seeds);
    }
    options.requireLlm4Msr(sources.hasKnowledge());
    Set<Arm> chosen = chosenArms();
    List<BackboneKind> distinct = chosenBackbones();
    List<Long> all = LongStream.range(firstSeed, firstSeed + seeds).boxed().toList();
    // Wrong values are refused before anything is read.
    options.check(distinct);
    int folds = crossFit.folds(distinct, sources, options);
    trainingOptions.check(folds);
    Map<BackboneKind, ModelSettings> models = new EnumMap<>(BackboneKind.class);
    distinct.forEach(
        backbone -> models.put(backbone, options.model(backbone, sources.hasKnowledge(), folds)));
    trainingOptions.training(firstSeed, false);
    List<Arm> arms = distinct(chosen, models.values());
    Comparison comparison;
    try (Interrupt interrupt = new Interrupt();
        TrainingInputs inputs = sources.load();
        Backend backend = device.open()) {
      ComparisonRuns runs =
          new ComparisonRuns(out, inputs, backend, device.environment(backend), err);
      Optional<Comparison> finished =
          runs.run(
              distinct,
              arms,
              all,
              models::get,
              (model, seed) -> trainingOptions.training(seed, model.beside()),
              force,
              interrupt::isRequested);
      if (finished.isEmpty()) {
        err.println("stopped; the same command goes on from here (" + out + ")");
        err.flush();
        return Interrupt.EXIT_CODE;
      }
      comparison = finished.get();
      runs.write(
          comparison,
          new ReportBuilder(inputs)
              .comparison("Comparison on " + inputs.dataset().name(), comparison, runs));
    }
    comparison.environments().warning().ifPresent(warning -> err.println("warning: " + warning));
    err.flush();
    if (json) {
      Json.print(output, comparison.toJson());
    } else {
      ComparisonTable.print(output, comparison);
      output.println("report: " + out.resolve(RunDirectory.REPORT));
    }
    return 0;
  }

  private Set<Arm> chosenArms() {
    Set<Arm> chosen = EnumSet.of(Arm.WITHOUT);
    if (sources.hasKnowledge()) {
      chosen.add(Arm.WITH);
    }
    for (String name : controls) {
      if (name.equalsIgnoreCase("all")) {
        chosen.addAll(CONTROLS);
      } else {
        chosen.add(
            CONTROLS.stream()
                .filter(arm -> arm.label().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() ->
                    wrong(
                        "--controls: expected "
                            + CONTROLS.stream().map(Arm::label).collect(Collectors.joining(", "))
                            + " or all, found "
                            + name)));
      }
    }
    if (!sources.hasKnowledge() && chosen.stream().anyMatch(NEED_KNOWLEDGE::contains)) {
      throw wrong("--controls: needs --knowledge; without it there is scenario_id only");
    }
    return chosen;
  }

  /** Without controls that would train for no backbone what is trained anyway. */
  private List<Arm> distinct(Set<Arm> chosen, Collection<ModelSettings> models) {
    Set<Arm> same = EnumSet.copyOf(chosen);
    same.retainAll(CONTROLS);
    same.removeIf(arm -> models.stream().anyMatch(arm::controls));
    if (!same.isEmpty()) {
      spec.commandLine()
          .getErr()
          .println(
              "left out of --controls: "
                  + same.stream().map(Arm::label).collect(Collectors.joining(", "))
                  + "; with these options it is no other model than those that are compared anyway");
    }
    return chosen.stream().filter(arm -> !same.contains(arm)).toList();
  }

  private List<BackboneKind> chosenBackbones() {
    Set<BackboneKind> chosen = new LinkedHashSet<>();
    for (String name : backbones) {
      if (name.equalsIgnoreCase("all")) {
        chosen.addAll(BackboneKind.networks());
      } else {
        chosen.add(
            Stream.of(BackboneKind.values())
                .filter(kind -> kind.label().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(
                    () -> wrong("--backbones: expected names of backbones or all, found " + name)));
      }
    }
    return List.copyOf(chosen);
  }

  private ParameterException wrong(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
