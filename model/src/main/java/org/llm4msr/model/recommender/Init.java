package org.llm4msr.model.recommender;

import java.util.random.RandomGenerator;
import java.util.stream.DoubleStream;

/** How a parameter starts. */
public sealed interface Init {
  /** The same number everywhere. */
  record Constant(double value) implements Init {}

  /** Normal with mean 0. */
  record Normal(double standardDeviation) implements Init {}

  /** Uniform in {@code [-bound, bound)}. */
  record Uniform(double bound) implements Init {}

  static Init zeros() {
    return new Constant(0);
  }

  static Init ones() {
    return new Constant(1);
  }

  /** {@code U(-1/sqrt(fanIn), 1/sqrt(fanIn))}, what linear layers use by custom. */
  static Init fanIn(long fanIn) {
    return new Uniform(1 / Math.sqrt(Math.max(1, fanIn)));
  }

  /** Endless elements. */
  default DoubleStream elements(RandomGenerator random) {
    return switch (this) {
      case Constant(double value) -> DoubleStream.generate(() -> value);
      case Normal(double deviation) ->
          DoubleStream.generate(() -> random.nextGaussian() * deviation);
      case Uniform(double bound) ->
          DoubleStream.generate(() -> (2 * random.nextDouble() - 1) * bound);
    };
  }
}
