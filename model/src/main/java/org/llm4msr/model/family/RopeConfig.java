package org.llm4msr.model.family;

/**
 * Rotary position embedding as a config describes it. The inverse frequency of pair i is theta^(-2i
 * / dims), then scaled.
 *
 * @param theta base of the frequencies
 * @param dims how many numbers of each head turn, even
 * @param interleaved pairs are (2i, 2i + 1), else (i, i + dims / 2)
 */
public record RopeConfig(double theta, int dims, boolean interleaved, Scaling scaling) {
  /** How the inverse frequencies are changed. */
  public sealed interface Scaling {}

  /** Not at all ({@code default}). */
  public record None() implements Scaling {}

  /** All divided by {@code factor} ({@code linear}). */
  public record Linear(double factor) implements Scaling {}

  /**
   * By wavelength ({@code llama3}): short waves unchanged, long ones divided by {@code factor}, a
   * smooth passage between.
   *
   * @param lowFreqFactor waves longer than originalMaxPositions / lowFreqFactor are divided
   * @param highFreqFactor waves shorter than originalMaxPositions / highFreqFactor are unchanged
   * @param originalMaxPositions positions that the model was first trained for
   */
  public record Llama3(
      double factor, double lowFreqFactor, double highFreqFactor, int originalMaxPositions)
      implements Scaling {}

  /**
   * YaRN (Peng et al. 2023): pairs that turn often within the original positions are unchanged,
   * pairs that turn rarely are divided by {@code factor}, a linear passage between; what is turned
   * is also multiplied by {@code attentionFactor}.
   *
   * @param betaFast turns above which a pair is unchanged
   * @param betaSlow turns below which it is divided
   * @param truncate whether the passage begins and ends at whole pairs
   */
  public record Yarn(
      double factor,
      int originalMaxPositions,
      double betaFast,
      double betaSlow,
      boolean truncate,
      double attentionFactor)
      implements Scaling {}

  /** By given divisors, one for each pair, as GGUF files store them. */
  public record Divisors(double[] perPair) implements Scaling {}

  /**
   * LongRoPE (Ding et al. 2024, {@code longrope}): by given divisors, one for each pair, which are
   * others for a sequence longer than the original positions; what is turned is also multiplied by
   * {@code attentionFactor}, whatever the length.
   */
  public record LongRope(
      double[] shortDivisors,
      double[] longDivisors,
      int originalMaxPositions,
      double attentionFactor)
      implements Scaling {}

  /** What the turned numbers are multiplied by. */
  public double attentionFactor() {
    return switch (scaling) {
      case Yarn yarn -> yarn.attentionFactor;
      case LongRope longRope -> longRope.attentionFactor;
      default -> 1;
    };
  }

  /**
   * The length at which the frequencies change: they are the same for all sequences up to it, and
   * for all longer ones. {@link Integer#MAX_VALUE} if they never do.
   */
  public int switchLength() {
    return scaling instanceof LongRope longRope ? longRope.originalMaxPositions : Integer.MAX_VALUE;
  }

  /**
   * Inverse frequencies in double precision.
   *
   * @param length tokens of the sequence
   * @return [dims / 2], the angle per position of pair i
   */
  public double[] inverseFrequencies(int length) {
    double[] frequencies = new double[dims / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = scaled(i, Math.pow(theta, -2.0 * i / dims), length);
    }
    return frequencies;
  }

  private double scaled(int pair, double frequency, int length) {
    return switch (scaling) {
      case None _ -> frequency;
      case Linear linear -> frequency / linear.factor;
      case Llama3 llama3 -> byWavelength(llama3, frequency);
      case Yarn yarn -> {
        double unchanged = 1 - passage(yarn, pair);
        yield frequency / yarn.factor * (1 - unchanged) + frequency * unchanged;
      }
      case Divisors divisors -> frequency / divisors.perPair[pair];
      case LongRope longRope -> {
        boolean isLong = length > longRope.originalMaxPositions;
        yield frequency / (isLong ? longRope.longDivisors : longRope.shortDivisors)[pair];
      }
    };
  }

  private static double byWavelength(Llama3 llama3, double frequency) {
    double wavelength = 2 * Math.PI / frequency;
    double longest = llama3.originalMaxPositions / llama3.lowFreqFactor;
    double shortest = llama3.originalMaxPositions / llama3.highFreqFactor;
    if (wavelength > longest) {
      return frequency / llama3.factor;
    }
    if (wavelength < shortest) {
      return frequency;
    }
    double smooth =
        (llama3.originalMaxPositions / wavelength - llama3.lowFreqFactor)
            / (llama3.highFreqFactor - llama3.lowFreqFactor);
    return (1 - smooth) * frequency / llama3.factor + smooth * frequency;
  }

  /** 0 before the passage from unchanged to divided pairs, 1 after it. */
  private double passage(Yarn yarn, int pair) {
    double low = pairThatTurns(yarn.betaFast, yarn.originalMaxPositions);
    double high = pairThatTurns(yarn.betaSlow, yarn.originalMaxPositions);
    if (yarn.truncate) {
      low = Math.floor(low);
      high = Math.ceil(high);
    }
    low = Math.max(low, 0);
    high = Math.min(high, dims - 1);
    if (low == high) {
      high += 0.001;
    }
    return Math.clamp((pair - low) / (high - low), 0.0, 1.0);
  }

  /** The pair, counted in fractions, that turns so many times within the positions. */
  private double pairThatTurns(double turns, int positions) {
    return dims * Math.log(positions / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
  }
}
