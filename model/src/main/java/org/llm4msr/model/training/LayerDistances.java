package org.llm4msr.model.training;

/**
 * Distances between generated layers, all weights and biases of one owner as one long vector:
 * {@code |a - b|} over the root mean square of all owners' lengths. 0 for the same layers, sqrt(2)
 * for unrelated ones.
 */
final class LayerDistances {
  private LayerDistances() {}

  /**
   * @param layers {@code [owners, numbers]}
   * @return {@code [owners, owners]}; zeros if all layers are zero
   */
  static double[][] of(double[][] layers) {
    double squares = 0;
    for (double[] layer : layers) {
      for (double number : layer) {
        squares += number * number;
      }
    }
    double scale = squares == 0 ? 0 : 1 / Math.sqrt(squares / layers.length);
    double[][] distances = new double[layers.length][layers.length];
    for (int i = 0; i < layers.length; i++) {
      for (int j = 0; j < i; j++) {
        double sum = 0;
        for (int k = 0; k < layers[i].length; k++) {
          double difference = layers[i][k] - layers[j][k];
          sum += difference * difference;
        }
        distances[i][j] = distances[j][i] = scale * Math.sqrt(sum);
      }
    }
    return distances;
  }

  /** Quantiles of the distances between each two of at least two owners. */
  static ModelReading.UserSpread spread(double[][] layers) {
    double[][] distances = of(layers);
    int owners = layers.length;
    double[] pairs = new double[owners * (owners - 1) / 2];
    int next = 0;
    for (int i = 0; i < owners; i++) {
      for (int j = 0; j < i; j++) {
        pairs[next++] = distances[i][j];
      }
    }
    return new ModelReading.UserSpread(owners, ModelReading.Spread.of(pairs));
  }
}
