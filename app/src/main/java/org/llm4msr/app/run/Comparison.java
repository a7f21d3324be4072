package org.llm4msr.app.run;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
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
 * @param sparsest the scenario with the fewest training rows
 */
public record Comparison(
    List<BackboneKind> backbones,
    List<Arm> arms,
    List<Long> seeds,
    Map<Key, RunMetrics> runs,
    String sparsest) {

  /** What a model was given. */
  public enum Arm {
    /** The backbone alone. */
    WITHOUT,
    /** With the language model's vectors. */
    WITH,
    /** The control: random vectors in their place. */
    RANDOM;

    public String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** One run. */
  public record Key(BackboneKind backbone, Arm arm, long seed) {
    /** Name of the run's folder. */
    String folder() {
      return backbone.name().toLowerCase(Locale.ROOT) + "-" + arm.label() + "-seed" + seed;
    }
  }

  /** What is compared. */
  public enum Measure {
    AUC(Values::auc),
    LOGLOSS(Values::logLoss),
    GAUC(Values::gauc);

    private final ToDoubleFunction<Values> value;

    Measure(ToDoubleFunction<Values> value) {
      this.value = value;
    }

    String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Names of the parts, in the order of tables. */
  List<String> parts() {
    return List.copyOf(runs.values().iterator().next().parts().keySet());
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
    return sample(backbone, arm, part, measure).minus(sample(backbone, Arm.WITHOUT, part, measure));
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
    ObjectNode byBackbone = root.putObject("backbones");
    for (BackboneKind backbone : backbones) {
      ObjectNode byPart = byBackbone.putObject(backbone.name().toLowerCase(Locale.ROOT));
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
      if (arm != Arm.WITHOUT) {
        Sample difference = difference(backbone, arm, part, measure);
        ObjectNode change = ofArm.putObject("difference");
        put(change, "mean", difference.mean());
        put(change, "deviation", difference.deviation());
        put(change, "t_test_p", difference.tTest());
        put(change, "wilcoxon_p", difference.wilcoxon());
        if (measure == Measure.AUC) {
          put(change, "relaimpr_percent", relaImpr(backbone, arm, part));
        }
      }
    }
    return node;
  }

  private static void put(ObjectNode node, String name, double value) {
    if (Double.isFinite(value)) {
      node.put(name, value);
    }
  }
}
