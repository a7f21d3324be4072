package org.llm4msr.app.run;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.training.TrainingConfig;

/**
 * What a search tries: the learning rate by itself, then everything else around the best one. Every
 * draw is a function of the seed and its number, so that a search can be gone on with.
 */
abstract class TuningSpace {
  /** A model with its training. */
  record Candidate(ModelSettings model, TrainingConfig training) {
    double learningRate() {
      return training.optimizer().learningRate();
    }

    /** The same with another learning rate and other decays. */
    Candidate with(double rate, double embeddingDecay, double metaDecay) {
      OptimizerConfig o = training.optimizer();
      OptimizerConfig changed =
          new OptimizerConfig(
              rate,
              o.beta1(),
              o.beta2(),
              o.epsilon(),
              embeddingDecay,
              o.networkDecay(),
              metaDecay,
              o.lazyEmbeddings(),
              o.clipNorm());
      return new Candidate(model, training.withOptimizer(changed));
    }

    Candidate with(ModelSettings other) {
      return new Candidate(other, training);
    }
  }

  static final double[] SCALES = {0.5, 1, 2};
  static final int[] RANKS = {2, 4, 8, 16, 32};

  /** The settings that were given. */
  final Candidate base;

  TuningSpace(Candidate base) {
    this.base = base;
  }

  /** In names of stages, before {@code rates} and {@code settings}. */
  abstract String prefix();

  /** Random settings with a learning rate and decays near the given ones. */
  abstract Candidate draw(double bestRate, SplittableRandom random);

  /** Options of {@code train}, without those of the backbone's own. */
  abstract List<String> options(Candidate candidate);

  /** The given settings with learning rates from {@code low} to {@code high}, evenly in ratio. */
  List<Candidate> rates(int count, double low, double high) {
    OptimizerConfig given = base.training.optimizer();
    List<Candidate> candidates = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      double share = count == 1 ? 0.5 : (double) i / (count - 1);
      double rate = rounded(low * Math.pow(high / low, share));
      candidates.add(base.with(rate, given.embeddingDecay(), given.metaDecay()));
    }
    return candidates;
  }

  /** Random settings with learning rates within a factor of two of the best one. */
  List<Candidate> around(double bestRate, int count) {
    long seed = base.training.seed();
    List<Candidate> candidates = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      candidates.add(draw(bestRate, new SplittableRandom(seed * 1_000_003 + i)));
    }
    return candidates;
  }

  /** Options of {@code train} that differ from the given settings, and always the rate. */
  final List<String> flags(Candidate candidate) {
    List<String> flags = new ArrayList<>(options(candidate));
    flags.addAll(backboneOptions(candidate, base.model.backboneOptions()));
    return flags;
  }

  /** Options of the backbone's own that differ from others. */
  static List<String> backboneOptions(Candidate candidate, Map<String, String> others) {
    List<String> flags = new ArrayList<>();
    candidate
        .model
        .backboneOptions()
        .forEach((name, value) -> {
          if (!value.equals(others.get(name))) {
            flags.addAll(List.of("--option", name + "=" + value));
          }
        });
    return flags;
  }

  static void add(List<String> flags, String name, Object given, Object chosen) {
    if (!given.equals(chosen)) {
      flags.addAll(List.of(name, chosen.toString().toLowerCase(Locale.ROOT)));
    }
  }

  /** Between a value's share and its multiple of the same factor, evenly in ratio. */
  static double near(double value, double factor, SplittableRandom random) {
    return rounded(value * Math.pow(factor, random.nextDouble(-1, 1)));
  }

  static List<Integer> scaled(List<Integer> widths, double scale) {
    return widths.stream().map(width -> (int) Math.max(1, Math.round(width * scale))).toList();
  }

  static String scaled(String widths, double scale) {
    List<Integer> numbers =
        List.of(widths.split(",")).stream().map(width -> Integer.valueOf(width.strip())).toList();
    return joined(scaled(numbers, scale));
  }

  static String joined(List<Integer> widths) {
    return widths.stream().map(String::valueOf).collect(Collectors.joining(","));
  }

  @SafeVarargs
  static <T> T pick(SplittableRandom random, T... choices) {
    return choices[random.nextInt(choices.length)];
  }

  /** Three significant digits, so that what is printed is what was tried. */
  private static double rounded(double value) {
    return value == 0 ? 0 : new BigDecimal(value).round(new MathContext(3)).doubleValue();
  }
}
