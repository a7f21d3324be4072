package org.llm4msr.app.run;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.backbone.BackboneOption;
import org.llm4msr.model.training.TrainingConfig;

/**
 * What a search tries: the learning rate by itself, then everything else around the best one. Every
 * draw is a function of the seed and its number, so that a search can be gone on with.
 */
final class TuningSpace {
  /** A model with its training. */
  record Candidate(ModelSettings model, TrainingConfig training) {
    double learningRate() {
      return training.optimizer().learningRate();
    }
  }

  private static final double[] SCALES = {0.5, 1, 2};
  private static final int[] DIMS = {8, 16, 32};
  private static final double[] DROPOUTS = {0, 0.1, 0.2};
  private static final int[] RANKS = {2, 4, 8, 16, 32};

  private final Candidate base;
  private final long seed;

  TuningSpace(ModelSettings model, TrainingConfig training, long seed) {
    base = new Candidate(model, training);
    this.seed = seed;
  }

  /** The given settings with learning rates from {@code low} to {@code high}, evenly in ratio. */
  List<Candidate> rates(int count, double low, double high) {
    List<Candidate> candidates = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      double share = count == 1 ? 0.5 : (double) i / (count - 1);
      double rate = rounded(low * Math.pow(high / low, share));
      candidates.add(new Candidate(base.model, withRate(rate, 1)));
    }
    return candidates;
  }

  /** Random settings with learning rates within a factor of two of the best one. */
  List<Candidate> around(double bestRate, int count) {
    List<Candidate> candidates = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      candidates.add(draw(bestRate, new SplittableRandom(seed * 1_000_003 + i)));
    }
    return candidates;
  }

  private Candidate draw(double bestRate, SplittableRandom random) {
    double rate = rounded(bestRate * Math.pow(2, random.nextDouble(-1, 1)));
    double decay = Math.pow(10, random.nextDouble(-1, 1));
    ModelSettings m = base.model;
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
        new ModelSettings(
            m.backbone(),
            options,
            DIMS[random.nextInt(DIMS.length)],
            DROPOUTS[random.nextInt(DROPOUTS.length)],
            m.meta(),
            m.beside()
                ? m.userMode()
                : pick(random, UserMode.RESIDUAL, UserMode.REPLACE, UserMode.CONCAT),
            m.beside()
                ? m.scenarioInput()
                : pick(random, ScenarioMode.BOTTOM, ScenarioMode.FEATURES),
            pick(random, Fusion.values()),
            RANKS[random.nextInt(RANKS.length)],
            m.userHidden(),
            m.scenarioHidden(),
            m.generators(),
            m.normalize(),
            m.vectors(),
            m.scenarioId(),
            m.crossFit());
    return new Candidate(model, withRate(rate, decay));
  }

  private static String scaled(String widths, double scale) {
    return List.of(widths.split(",")).stream()
        .map(width -> Math.max(1, Math.round(Integer.parseInt(width.strip()) * scale)))
        .map(String::valueOf)
        .collect(Collectors.joining(","));
  }

  @SafeVarargs
  private static <T> T pick(SplittableRandom random, T... choices) {
    return choices[random.nextInt(choices.length)];
  }

  private TrainingConfig withRate(double rate, double decayFactor) {
    OptimizerConfig o = base.training.optimizer();
    return base.training.withOptimizer(
        new OptimizerConfig(
            rate,
            o.beta1(),
            o.beta2(),
            o.epsilon(),
            rounded(o.embeddingDecay() * decayFactor),
            o.networkDecay(),
            o.metaDecay(),
            o.lazyEmbeddings(),
            o.clipNorm()));
  }

  /** Three significant digits, so that what is printed is what was tried. */
  private static double rounded(double value) {
    return value == 0
        ? 0
        : new java.math.BigDecimal(value).round(new java.math.MathContext(3)).doubleValue();
  }

  /** Options of {@code train} that differ from the given settings, and always the rate. */
  String flags(Candidate candidate) {
    Map<String, String> flags = new LinkedHashMap<>();
    flags.put("--lr", Double.toString(candidate.learningRate()));
    ModelSettings a = base.model;
    ModelSettings b = candidate.model;
    add(flags, "--embedding-dim", a.embeddingDim(), b.embeddingDim());
    add(flags, "--dropout", a.dropout(), b.dropout());
    add(
        flags,
        "--embedding-decay",
        base.training.optimizer().embeddingDecay(),
        candidate.training.optimizer().embeddingDecay());
    add(flags, "--user-mode", a.userMode(), b.userMode());
    add(flags, "--scenario-input", a.scenarioInput(), b.scenarioInput());
    add(flags, "--fusion", a.fusion(), b.fusion());
    add(flags, "--rank", a.rank(), b.rank());
    StringBuilder text = new StringBuilder();
    flags.forEach((name, value) -> text.append(' ').append(name).append(' ').append(value));
    b.backboneOptions()
        .forEach((name, value) -> {
          if (!value.equals(a.backboneOptions().get(name))) {
            text.append(" --option ").append(name).append('=').append(value);
          }
        });
    return text.substring(1);
  }

  private static void add(Map<String, String> flags, String name, Object given, Object chosen) {
    if (!given.equals(chosen)) {
      flags.put(name, chosen.toString().toLowerCase(java.util.Locale.ROOT));
    }
  }
}
