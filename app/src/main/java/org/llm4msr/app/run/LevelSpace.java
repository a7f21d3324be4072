package org.llm4msr.app.run;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.OptimizerConfig;

/** Settings of levels beside a backbone that was trained before. */
final class LevelSpace extends TuningSpace {
  LevelSpace(Candidate base) {
    super(base);
  }

  @Override
  String prefix() {
    return "level ";
  }

  @Override
  Candidate draw(double bestRate, SplittableRandom random) {
    OptimizerConfig given = base.training().optimizer();
    double rate = near(bestRate, 2, random);
    double decay = near(given.metaDecay(), 10, random);
    ModelSettings m = base.model();
    ModelSettings model =
        m.withLevels(
            // One level was asked for, or it is to be seen which ones help.
            m.meta() == MetaLevels.BOTH
                ? pick(random, MetaLevels.BOTH, MetaLevels.USER, MetaLevels.SCENARIO)
                : m.meta(),
            m.userMode(),
            m.scenarioInput(),
            pick(random, Fusion.values()),
            RANKS[random.nextInt(RANKS.length)],
            scaled(m.userHidden(), SCALES[random.nextInt(SCALES.length)]));
    return base.with(model).with(rate, given.embeddingDecay(), decay);
  }

  @Override
  List<String> options(Candidate candidate) {
    List<String> flags = new ArrayList<>();
    flags.addAll(List.of("--meta-lr", Double.toString(candidate.learningRate())));
    ModelSettings a = base.model();
    ModelSettings b = candidate.model();
    add(
        flags,
        "--meta-decay",
        base.training().optimizer().metaDecay(),
        candidate.training().optimizer().metaDecay());
    add(flags, "--meta", a.meta(), b.meta());
    add(flags, "--fusion", a.fusion(), b.fusion());
    add(flags, "--rank", a.rank(), b.rank());
    if (b.meta() != MetaLevels.SCENARIO) {
      add(flags, "--user-hidden", joined(a.userHidden()), joined(b.userHidden()));
    }
    return flags;
  }
}
