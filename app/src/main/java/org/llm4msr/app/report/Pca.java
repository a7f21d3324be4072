package org.llm4msr.app.report;

/**
 * The first two principal components of a set of vectors, by orthogonal iteration on the centred
 * data. Needs no covariance matrix, so wide vectors cost no more than reading them some dozen
 * times.
 */
final class Pca {
  private static final int MOST_ITERATIONS = 200;
  private static final double TOLERANCE = 1e-10;

  private final double[][] scores; // [rows, 2]
  private final double[] explained;

  private Pca(double[][] scores, double[] explained) {
    this.scores = scores;
    this.explained = explained;
  }

  /**
   * @param vectors [rows, width], all of one width
   * @throws IllegalArgumentException if there is no vector or their widths differ
   */
  static Pca of(float[][] vectors) {
    if (vectors.length == 0 || vectors[0].length == 0) {
      throw new IllegalArgumentException("no vectors to project");
    }
    int width = vectors[0].length;
    double[] mean = new double[width];
    for (float[] vector : vectors) {
      if (vector.length != width) {
        throw new IllegalArgumentException("vectors of widths " + width + ", " + vector.length);
      }
      for (int j = 0; j < width; j++) {
        mean[j] += vector[j] / (double) vectors.length;
      }
    }
    double variance = 0;
    double[][] axes = new double[2][width];
    for (float[] vector : vectors) {
      for (int j = 0; j < width; j++) {
        double centred = vector[j] - mean[j];
        variance += centred * centred;
      }
    }
    // A fixed start without symmetry; orthogonal iteration forgets it.
    for (int j = 0; j < width; j++) {
      axes[0][j] = StrictMath.sin(1 + j);
      axes[1][j] = StrictMath.cos(1 + 2 * j);
    }
    orthonormalise(axes);
    double[][] scores = new double[vectors.length][2];
    double[] spread = {0, 0};
    for (int iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
      double[] before = spread;
      spread = project(vectors, mean, axes, scores);
      if (Math.abs(spread[0] - before[0]) + Math.abs(spread[1] - before[1])
          <= TOLERANCE * variance) {
        break;
      }
      axes = collect(vectors, mean, scores, width);
      orthonormalise(axes);
    }
    double[] explained = {0, 0};
    if (variance > 0) {
      explained = new double[] {spread[0] / variance, spread[1] / variance};
    }
    return new Pca(scores, explained);
  }

  /** Where vector {@code row} lies on axis 0 or 1. */
  double coordinate(int row, int axis) {
    return scores[row][axis];
  }

  /** Share of the variance along each of the two axes. */
  double[] explained() {
    return explained.clone();
  }

  /** scores = (X - mean) axes; returns their sums of squares. */
  private static double[] project(
      float[][] vectors, double[] mean, double[][] axes, double[][] scores) {
    double[] spread = new double[2];
    for (int i = 0; i < vectors.length; i++) {
      double first = 0;
      double second = 0;
      for (int j = 0; j < mean.length; j++) {
        double centred = vectors[i][j] - mean[j];
        first += centred * axes[0][j];
        second += centred * axes[1][j];
      }
      scores[i][0] = first;
      scores[i][1] = second;
      spread[0] += first * first;
      spread[1] += second * second;
    }
    return spread;
  }

  /** (X - mean) transposed times scores. */
  private static double[][] collect(
      float[][] vectors, double[] mean, double[][] scores, int width) {
    double[][] axes = new double[2][width];
    for (int i = 0; i < vectors.length; i++) {
      for (int j = 0; j < width; j++) {
        double centred = vectors[i][j] - mean[j];
        axes[0][j] += centred * scores[i][0];
        axes[1][j] += centred * scores[i][1];
      }
    }
    return axes;
  }

  /** Gram-Schmidt; an axis that vanishes stays zero. */
  private static void orthonormalise(double[][] axes) {
    normalise(axes[0]);
    double overlap = 0;
    for (int j = 0; j < axes[0].length; j++) {
      overlap += axes[0][j] * axes[1][j];
    }
    for (int j = 0; j < axes[0].length; j++) {
      axes[1][j] -= overlap * axes[0][j];
    }
    normalise(axes[1]);
  }

  private static void normalise(double[] axis) {
    double square = 0;
    for (double value : axis) {
      square += value * value;
    }
    double scale = square > 1e-24 ? 1 / Math.sqrt(square) : 0;
    for (int j = 0; j < axis.length; j++) {
      axis[j] *= scale;
    }
  }
}
