package org.llm4msr.app.command;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.llm4msr.app.run.ModelSettings;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.app.run.ModelSettings.VectorSource;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.recommender.backbone.BackboneOption;
import org.llm4msr.runtime.UserError;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The model, for every command that trains. */
public final class ModelOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  /** How the user level enters. */
  enum UserEntry {
    RESIDUAL,
    REPLACE,
    CONCAT,
    PROJECTION
  }

  /** What the scenario level reads. */
  enum ScenarioInput {
    BOTTOM,
    FEATURES
  }

  @Option(
      names = "--meta",
      paramLabel = "LEVELS",
      description =
          "Levels of LLM4MSR: ${COMPLETION-CANDIDATES}. Both by default with --knowledge, off"
              + " without.")
  private MetaLevels meta;

  @Option(
      names = "--user-mode",
      paramLabel = "MODE",
      description =
          "Trained together with the backbone (--cross-fit 0), what it reads: x + u (residual), u (replace) or [x; u] (concat), x being the"
              + " features and u what the user level makes of them; or [x; P h] (projection), the"
              + " user's vector through a matrix (default: residual).")
  private UserEntry userMode;

  @Option(
      names = "--scenario-input",
      paramLabel = "INPUT",
      description =
          "Trained together with the backbone, what the scenario level reads: the user level's output"
              + " (bottom) or the features (default: bottom).")
  private ScenarioInput scenarioInput;

  @Option(
      names = "--fusion",
      paramLabel = "FUSION",
      description =
          "How both logits become one: ${COMPLETION-CANDIDATES} (default: alpha; beside a backbone"
              + " that was trained before: scalars).")
  private Fusion fusion;

  @Option(
      names = "--rank",
      paramLabel = "N",
      defaultValue = "16",
      description =
          "Width of the trunk of the networks that generate weights; 0 for none (default:"
              + " ${DEFAULT-VALUE}).")
  private int rank;

  @Option(
      names = "--user-hidden",
      paramLabel = "N,...",
      split = ",",
      defaultValue = "8",
      description = "Widths inside the user's layers (default: ${DEFAULT-VALUE}).")
  private List<Integer> userHidden;

  @Option(
      names = "--scenario-hidden",
      paramLabel = "N,...",
      split = ",",
      defaultValue = "8",
      description = "Widths inside the scenario's layers (default: ${DEFAULT-VALUE}).")
  private List<Integer> scenarioHidden;

  @Option(
      names = "--generators",
      paramLabel = "FORM",
      defaultValue = "centred",
      description =
          "How weights follow from vectors: centred, where the average vector makes layers that put"
              + " out 0, or affine, where all vectors share a part and the trunk is a ReLU (default:"
              + " ${DEFAULT-VALUE}).")
  private Generators generators;

  @Option(
      names = "--normalize",
      paramLabel = "HOW",
      defaultValue = "standard",
      description =
          "What happens to each knowledge vector: ${COMPLETION-CANDIDATES} (default:"
              + " ${DEFAULT-VALUE}).")
  private Normalization normalize;

  @Option(
      names = "--vectors",
      paramLabel = "SOURCE",
      defaultValue = "llm",
      description =
          "What LLM4MSR reads: the vectors of --knowledge (llm) or, as a control, random or learned"
              + " ones of the same size (default: ${DEFAULT-VALUE}).")
  private VectorSource vectors;

  @Option(
      names = "--scenario-id",
      description = "The backbone also reads an embedding of the scenario.")
  private boolean scenarioId;

  @Option(
      names = "--embedding-dim",
      paramLabel = "N",
      defaultValue = "16",
      description = "Width of each feature's embedding (default: ${DEFAULT-VALUE}).")
  private int embeddingDim;

  @Option(
      names = "--hidden",
      paramLabel = "N,...",
      split = ",",
      description = "Widths of the backbone's layers; short for --option hidden=N,...")
  private List<Integer> hidden;

  @Option(
      names = "--tower",
      paramLabel = "N,...",
      split = ",",
      description = "Widths of each scenario's tower; short for --option tower=N,...")
  private List<Integer> tower;

  @Option(
      names = {"-o", "--option"},
      paramLabel = "NAME=VALUE",
      description =
          "Option of the backbone, see below; again for more. BACKBONE.NAME=VALUE is for one of"
              + " several backbones only.")
  private Map<String, String> options = Map.of();

  @Option(
      names = "--dropout",
      paramLabel = "SHARE",
      defaultValue = "0",
      description =
          "Share of the backbone's hidden neurons that training drops (default:"
              + " ${DEFAULT-VALUE}).")
  private double dropout;

  /**
   * The model.
   *
   * @param hasKnowledge whether there are knowledge vectors
   * @throws ParameterException if an option has an impossible value
   */
  ModelSettings model(BackboneKind backbone, boolean hasKnowledge) {
    return model(backbone, hasKnowledge, 0);
  }

  /**
   * The model.
   *
   * @param hasKnowledge whether there are knowledge vectors
   * @param crossFit number of folds, 0 for none
   * @throws ParameterException if an option has an impossible value
   */
  ModelSettings model(BackboneKind backbone, boolean hasKnowledge, int crossFit) {
    MetaLevels levels = meta;
    if (levels == null) {
      levels = hasKnowledge ? MetaLevels.BOTH : MetaLevels.OFF;
    }
    if (levels != MetaLevels.OFF && !hasKnowledge) {
      throw Checks.wrong(
          command,
          "--meta: needs --knowledge, the vectors that 'llm4msr encode' makes of the prompts");
    }
    Checks.positive(command, "--embedding-dim", embeddingDim);
    if (!(dropout >= 0 && dropout < 1)) {
      throw Checks.wrong(command, "--dropout: expected at least 0 and below 1, found " + dropout);
    }
    if (rank < 0) {
      throw Checks.wrong(command, "--rank: expected 0 or more, found " + rank);
    }
    userHidden.forEach(width -> Checks.positive(command, "--user-hidden", width));
    scenarioHidden.forEach(width -> Checks.positive(command, "--scenario-hidden", width));
    return new ModelSettings(
        backbone,
        backboneOptions(backbone),
        embeddingDim,
        dropout,
        levels,
        userMode == null ? UserMode.RESIDUAL : UserMode.valueOf(userMode.name()),
        scenarioInput == null ? ScenarioMode.BOTTOM : ScenarioMode.valueOf(scenarioInput.name()),
        fusion == null ? defaultFusion(backbone, crossFit) : fusion,
        rank,
        userHidden,
        scenarioHidden,
        generators,
        normalize,
        vectors,
        scenarioId,
        crossFit);
  }

  /**
   * Refuses what would leave no LLM4MSR to compare with its backbone.
   *
   * @throws ParameterException if the vectors are not the language model's, or all levels are off
   *     although there is knowledge
   */
  void requireLlm4Msr(boolean hasKnowledge) {
    if (vectors != VectorSource.LLM) {
      String control = vectors.name().toLowerCase(Locale.ROOT);
      throw Checks.wrong(
          command,
          "--vectors %s: LLM4MSR reads the vectors of --knowledge here; to compare it with %s ones, use --controls %s"
              .formatted(control, control, control));
    }
    if (meta == MetaLevels.OFF && hasKnowledge) {
      throw Checks.wrong(
          command,
          "--meta off: leaves nothing to compare with the backbone alone, which is always among the"
              + " models; leave out --meta, or --knowledge, and choose what else to compare with"
              + " --controls");
    }
  }

  private static Fusion defaultFusion(BackboneKind backbone, int crossFit) {
    return crossFit > 0 || backbone == BackboneKind.EXTERNAL ? Fusion.SCALARS : Fusion.ALPHA;
  }

  /** Whether something was asked for that only levels trained together with the backbone have. */
  boolean isTogether() {
    return userMode != null || scenarioInput != null;
  }

  /**
   * Refuses an option that none of the backbones has.
   *
   * @throws ParameterException if there is one
   */
  void check(List<BackboneKind> backbones) {
    for (String key : given().keySet()) {
      if (backbones.stream().noneMatch(backbone -> nameFor(backbone, key) != null)) {
        String known =
            backbones.stream()
                .flatMap(backbone -> backbone.options().stream())
                .map(BackboneOption::name)
                .distinct()
                .collect(Collectors.joining(", "));
        throw Checks.wrong(
            command, "--option " + key + ": no such option of the backbone; there are " + known);
      }
    }
  }

  /** Those of the given options that this backbone has; its own ones outweigh those for all. */
  private Map<String, String> backboneOptions(BackboneKind backbone) {
    Map<String, String> own = new LinkedHashMap<>();
    for (boolean addressed : new boolean[] {false, true}) {
      given()
          .forEach((key, value) -> {
            String name = nameFor(backbone, key);
            if (name != null && addressed == key.contains(".")) {
              own.put(name, value);
            }
          });
    }
    try {
      return backbone.complete(own);
    } catch (UserError e) {
      throw Checks.wrong(command, "--option: " + e.getMessage());
    }
  }

  /** The option's name for a backbone; null if the backbone lacks it or is not meant. */
  private static String nameFor(BackboneKind backbone, String key) {
    String prefix = backbone.label() + ".";
    String name = key.startsWith(prefix) ? key.substring(prefix.length()) : key;
    return backbone.hasOption(name) ? name : null;
  }

  private Map<String, String> given() {
    Map<String, String> given = new LinkedHashMap<>();
    putWidths(given, "hidden", hidden);
    putWidths(given, "tower", tower);
    given.putAll(options);
    return given;
  }

  private void putWidths(Map<String, String> given, String name, List<Integer> widths) {
    if (widths != null) {
      widths.forEach(width -> Checks.positive(command, "--" + name, width));
      given.put(name, widths.stream().map(String::valueOf).collect(Collectors.joining(",")));
    }
  }
}
