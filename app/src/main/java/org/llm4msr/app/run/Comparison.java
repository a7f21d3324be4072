package org.llm4msr.app.run;

import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.function.UnaryOperator;
import org.llm4msr.app.data.ResultParts;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.app.run.ModelSettings.VectorSource;
import org.llm4msr.model.metrics.MetricsReport.Values;
import org.llm4msr.model.metrics.RelaImpr;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Finished runs of several backbones, each without and with LLM4MSR, over the same seeds.
 *
 * @param backbones in the order of tables
 * @param arms that every backbone was run with
 * @param seeds the same for every arm, so that differences are paired
 * @param runs one per backbone, arm and seed
 * @param costs of the same runs
 * @param sparsest the scenario with the fewest training rows
 * @param environments where the runs took place
 */
public record Comparison(
    List<BackboneKind> backbones,
    List<Arm> arms,
    List<Long> seeds,
    Map<Key, RunMetrics> runs,
    Map<Key, Cost> costs,
    String sparsest,
    RunEnvironments environments) {

  /**
   * What a training took.
   *
   * @param weights how many numbers it changes
   * @param seconds of training until it stopped, with waiting for batches, without evaluations
   */
  public record Cost(long weights, double seconds) {}

  /** What a model was given; all but the first are measured against the first. */
  public enum Arm {
    /** The backbone alone. */
    WITHOUT("backbone alone", ModelSettings::alone),
    /** Control: the backbone and an embedding of the scenario. */
    SCENARIO_ID("scenario id", ModelSettings::withScenarioId),
    /** Control: LLM4MSR on vectors of the same size that are learned. */
    LEARNED("learned vectors", model -> model.withVectors(VectorSource.LEARNED)),
    /** Control: LLM4MSR on random vectors. */
    RANDOM("random vectors", model -> model.withVectors(VectorSource.RANDOM)),
    /** Control: the language model's vectors through a matrix, no weights generated. */
    PROJECTION("projected vectors", ModelSettings::withProjection),
    /** The user level alone. */
    USER("LLM4MSR, users", model -> model.withMeta(MetaLevels.USER)),
    /** The scenario level alone. */
    SCENARIO("LLM4MSR, scenarios", model -> model.withMeta(MetaLevels.SCENARIO)),
    /** LLM4MSR as the options say. */
    WITH("LLM4MSR", model -> model);

    private final String title;
    private final UnaryOperator<ModelSettings> settings;

    Arm(String title, UnaryOperator<ModelSettings> settings) {
      this.title = title;
      this.settings = settings;
    }

    /** In names of folders and keys. */
    public String label() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** In tables. */
    public String title() {
      return title;
    }

    /** What becomes of the settings of LLM4MSR. */
    ModelSettings of(ModelSettings model) {
      return settings.apply(model);
    }

    /**
     * Whether a control says something that neither the backbone alone nor LLM4MSR says. A single
     * level is one only where LLM4MSR has both.
     *
     * @param model settings of LLM4MSR
     */
    public boolean controls(ModelSettings model) {
      boolean oneLevel = this == USER || this == SCENARIO;
      return !(oneLevel && model.meta() != MetaLevels.BOTH)
          && !of(model).equals(WITH.of(model))
          && !of(model).equals(WITHOUT.of(model));
    }
  }

  /** One run. */
  public record Key(BackboneKind backbone, Arm arm, long seed) {
    /** Name of the run's folder. */
    String folder() {
      return backbone.label() + "-" + arm.label() + "-seed" + seed;
    }
  }

  /** What is compared. */
  public enum Measure {
    AUC(Values::auc),
    LOGLOSS(Values::logLoss),
    GAUC(Values::gauc),
    CALIBRATION_ERROR(Values::calibrationError);

    private final ToDoubleFunction<Values> value;

    Measure(ToDoubleFunction<Values> value) {
      this.value = value;
    }

    String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** What the comparison is about: LLM4MSR, or the backbone alone where nothing else was run. */
  Arm main() {
    return arms.contains(Arm.WITH) ? Arm.WITH : Arm.WITHOUT;
  }

  /** Backbones by the mean AUC of {@link #main} over all test rows, the best first. */
  List<BackboneKind> ranked() {
    ToDoubleFunction<BackboneKind> auc =
        backbone -> sample(backbone, main(), ResultParts.OVERALL, Measure.AUC).mean();
    // Where it is undefined it is undefined for all.
    return backbones.stream().sorted(Comparator.comparingDouble(auc).reversed()).toList();
  }

  /** Names of the parts, in the order of tables. */
  List<String> parts() {
    return List.copyOf(runs.values().iterator().next().parts().keySet());
  }

  /** Names of the parts that are neither the whole nor a scenario, in the order of tables. */
  List<String> slices() {
    return List.copyOf(runs.values().iterator().next().slices().keySet());
  }

  /** Test rows of a part. */
  long rows(String part) {
    return runs.values().iterator().next().parts().get(part).rows();
  }

  /** One figure over the seeds. */
  Sample sample(BackboneKind backbone, Arm arm, String part, Measure measure) {
    double[] values =
        seeds.stream()
            .map(seed -> runs.get(new Key(backbone, arm, seed)).parts().get(part))
            .mapToDouble(measure.value)
            .toArray();
    return new Sample(values);
  }

  /** What an arm changes against the backbone alone, pair by pair. */
  Sample difference(BackboneKind backbone, Arm arm, String part, Measure measure) {
    return difference(backbone, arm, Arm.WITHOUT, part, measure);
  }

  /** What an arm changes against another, pair by pair. */
  Sample difference(BackboneKind backbone, Arm arm, Arm base, String part, Measure measure) {
    return sample(backbone, arm, part, measure).minus(sample(backbone, base, part, measure));
  }

  /**
   * Whether an arm is measured against another one: everything against the backbone alone, and what
   * reads knowledge against random vectors.
   */
  boolean isMeasured(Arm arm, Arm base) {
    return arms.contains(base)
        && arm != base
        && arm != Arm.WITHOUT
        && (base == Arm.WITHOUT || arm != Arm.SCENARIO_ID);
  }

  /**
   * The t-test's p of an arm's difference to another, corrected by Holm's method (1979) for the
   * number of arms and backbones that are measured against the same on this part.
   */
  double holm(BackboneKind backbone, Arm arm, Arm base, String part, Measure measure) {
    Map<Key, Double> tests = new LinkedHashMap<>();
    for (BackboneKind other : backbones) {
      for (Arm changed : arms) {
        double p =
            isMeasured(changed, base)
                ? difference(other, changed, base, part, measure).tTest()
                : Double.NaN;
        if (Double.isFinite(p)) {
          tests.put(new Key(other, changed, 0), p);
        }
      }
    }
    List<Key> ascending = tests.keySet().stream().sorted(Comparator.comparing(tests::get)).toList();
    double corrected = 0;
    for (int i = 0; i < ascending.size(); i++) {
      Key key = ascending.get(i);
      corrected = Math.clamp((ascending.size() - i) * tests.get(key), corrected, 1);
      if (key.backbone == backbone && key.arm == arm) {
        return corrected;
      }
    }
    return Double.NaN;
  }

  /**
   * A difference that is reported.
   *
   * @param difference pair by pair
   * @param holm its p as {@link #holm} corrects it
   */
  record Change(Sample difference, double holm) {}

  /** What an arm changes against another; empty where it is not measured against that. */
  Optional<Change> change(BackboneKind backbone, Arm arm, Arm base, String part, Measure measure) {
    return isMeasured(arm, base)
        ? Optional.of(
            new Change(
                difference(backbone, arm, base, part, measure),
                holm(backbone, arm, base, part, measure)))
        : Optional.empty();
  }

  /** Numbers that an arm trains. */
  long weights(BackboneKind backbone, Arm arm) {
    return costs.get(new Key(backbone, arm, seeds.getFirst())).weights();
  }

  /** Seconds of training, over the seeds. */
  Sample seconds(BackboneKind backbone, Arm arm) {
    return new Sample(
        seeds.stream()
            .mapToDouble(seed -> costs.get(new Key(backbone, arm, seed)).seconds())
            .toArray());
  }

  /** Relative improvement of the mean AUC over the backbone alone. */
  double relaImpr(BackboneKind backbone, Arm arm, String part) {
    return RelaImpr.percent(
        sample(backbone, arm, part, Measure.AUC).mean(),
        sample(backbone, Arm.WITHOUT, part, Measure.AUC).mean());
  }

  /** {@code compare.json}; figures that are undefined are left out. */
  public ObjectNode toJson() {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    ArrayNode seedList = root.putArray("seeds");
    seeds.forEach(seedList::add);
    root.put("sparsest_scenario", sparsest);
    environments.writeTo(root.putArray("environments"));
    ArrayNode warnings = root.putArray("warnings");
    environments.warning().ifPresent(warnings::add);
    ObjectNode costs = root.putObject("cost");
    for (BackboneKind backbone : backbones) {
      ObjectNode byArm = costs.putObject(backbone.label());
      for (Arm arm : arms) {
        byArm
            .putObject(arm.label())
            .put("weights", weights(backbone, arm))
            .put("seconds", seconds(backbone, arm).mean());
      }
    }
    ObjectNode byBackbone = root.putObject("backbones");
    for (BackboneKind backbone : backbones) {
      ObjectNode byPart = byBackbone.putObject(backbone.label());
      for (String part : parts()) {
        ObjectNode node = byPart.putObject(part).put("rows", rows(part));
        for (Measure measure : Measure.values()) {
          node.set(measure.label(), toJson(backbone, part, measure));
        }
      }
    }
    return root;
  }

  private ObjectNode toJson(BackboneKind backbone, String part, Measure measure) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    for (Arm arm : arms) {
      Sample sample = sample(backbone, arm, part, measure);
      ObjectNode ofArm = node.putObject(arm.label());
      put(ofArm, "mean", sample.mean());
      put(ofArm, "deviation", sample.deviation());
      ArrayNode values = ofArm.putArray("values");
      Arrays.stream(sample.values()).filter(Double::isFinite).forEach(values::add);
      change(backbone, arm, Arm.WITHOUT, part, measure)
          .ifPresent(change -> {
            ObjectNode ofChange = put(ofArm.putObject("difference"), change);
            if (measure == Measure.AUC) {
              put(ofChange, "relaimpr_percent", relaImpr(backbone, arm, part));
            }
          });
      change(backbone, arm, Arm.RANDOM, part, measure)
          .ifPresent(change -> put(ofArm.putObject("over_random"), change));
    }
    return node;
  }

  private static ObjectNode put(ObjectNode node, Change change) {
    Sample difference = change.difference();
    put(node, "mean", difference.mean());
    put(node, "deviation", difference.deviation());
    put(node, "low", difference.low());
    put(node, "high", difference.high());
    put(node, "t_test_p", difference.tTest());
    put(node, "holm_p", change.holm());
    put(node, "wilcoxon_p", difference.wilcoxon());
    return node;
  }

  private static void put(ObjectNode node, String name, double value) {
    if (Double.isFinite(value)) {
      node.put(name, value);
    }
  }
}
