package org.llm4msr.model.checkpoint;

/**
 * Rotary position embedding as a config describes it: the base of the frequencies and how they are
 * scaled. The inverse frequency of pair i is theta^(-2i / headDim), then scaled.
 */
public record RopeConfig(double theta, Scaling scaling) {
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
   * Inverse frequencies for one head, in double precision.
   *
   * @param headDim even
   * @return [headDim / 2], the angle per position of pair i
   */
  public double[] inverseFrequencies(int headDim) {
    double[] frequencies = new double[headDim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = scaled(Math.pow(theta, -2.0 * i / headDim));
    }
    return frequencies;
  }

  private double scaled(double frequency) {
    return switch (scaling) {
      case None _ -> frequency;
      case Linear linear -> frequency / linear.factor;
      case Llama3 llama3 -> {
        double wavelength = 2 * Math.PI / frequency;
        double longest = llama3.originalMaxPositions / llama3.lowFreqFactor;
        double shortest = llama3.originalMaxPositions / llama3.highFreqFactor;
        if (wavelength > longest) {
          yield frequency / llama3.factor;
        }
        if (wavelength < shortest) {
          yield frequency;
        }
        double smooth =
            (llama3.originalMaxPositions / wavelength - llama3.lowFreqFactor)
                / (llama3.highFreqFactor - llama3.lowFreqFactor);
        yield (1 - smooth) * frequency / llama3.factor + smooth * frequency;
      }
    };
  }
}
