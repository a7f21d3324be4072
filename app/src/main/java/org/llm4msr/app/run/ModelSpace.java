package org.llm4msr.app.run;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.backbone.BackboneOption;

/** Settings of a model that is trained in one go: a backbone alone, or levels together with it. */
final class ModelSpace extends TuningSpace {
  private static final int[] DIMS = {8, 16, 32};
  private static final double[] DROPOUTS = {0, 0.1, 0.2};

  ModelSpace(Candidate base) {
    super(base);
  }

  @Override
  String prefix() {
    return "";
  }

  @Override
  Candidate draw(double bestRate, SplittableRandom random) {
    OptimizerConfig given = base.training().optimizer();
    double rate = near(bestRate, 2, random);
    double decay = near(given.embeddingDecay(), 10, random);
    ModelSettings m = base.model();
    Map<String, String> options = new LinkedHashMap<>();
    double scale = SCALES[random.nextInt(SCALES.length)];
    for (BackboneOption option : m.backbone().options()) {
      String value = m.backboneOptions().get(option.name());
      options.put(
          option.name(),
          switch (option.type()) {
            case WIDTHS -> scaled(value, scale);
            case COUNT -> scaled(value, SCALES[random.nextInt(SCALES.length)]);
            case NUMBER, NAMES, CONDITION -> value;
          });
    }
    ModelSettings model =
        m.withBackbone(
                m.backbone(),
                options,
                DIMS[random.nextInt(DIMS.length)],
                DROPOUTS[random.nextInt(DROPOUTS.length)])
            .withLevels(
                m.meta(),
                m.beside()
                    ? m.userMode()
                    : pick(random, UserMode.RESIDUAL, UserMode.REPLACE, UserMode.CONCAT),
                m.beside()
                    ? m.scenarioInput()
                    : pick(random, ScenarioMode.BOTTOM, ScenarioMode.FEATURES),
                pick(random, Fusion.values()),
                RANKS[random.nextInt(RANKS.length)],
                m.userHidden());
    return base.with(model).with(rate, decay, given.metaDecay());
  }

  @Override
  List<String> options(Candidate candidate) {
    List<String> flags = new ArrayList<>();
    flags.addAll(List.of("--lr", Double.toString(candidate.learningRate())));
    ModelSettings a = base.model();
    ModelSettings b = candidate.model();
    add(flags, "--embedding-dim", a.embeddingDim(), b.embeddingDim());
    add(flags, "--dropout", a.dropout(), b.dropout());
    add(
        flags,
        "--embedding-decay",
        base.training().optimizer().embeddingDecay(),
        candidate.training().optimizer().embeddingDecay());
    add(flags, "--user-mode", a.userMode(), b.userMode());
    add(flags, "--scenario-input", a.scenarioInput(), b.scenarioInput());
    add(flags, "--fusion", a.fusion(), b.fusion());
    add(flags, "--rank", a.rank(), b.rank());
    return flags;
  }
}
