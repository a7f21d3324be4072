package org.llm4msr.runtime.backend.reference;

import org.llm4msr.runtime.op.UnaryOp;

/** The activations and their derivatives. */
final class Activations {
  private Activations() {}

  /**
   * Applies an activation in place.
   *
   * @param kind null for none
   */
  static void apply(UnaryOp.Kind kind, double[] x, int at, int count) {
    if (kind == null) {
      return;
    }
    switch (kind) {
      case RELU -> {
        for (int i = at; i < at + count; i++) {
          x[i] = Math.max(x[i], 0);
        }
      }
      case SIGMOID -> {
        for (int i = at; i < at + count; i++) {
          x[i] = sigmoid(x[i]);
        }
      }
      case TANH -> {
        for (int i = at; i < at + count; i++) {
          x[i] = Math.tanh(x[i]);
        }
      }
      case SILU -> {
        for (int i = at; i < at + count; i++) {
          x[i] = x[i] * sigmoid(x[i]);
        }
      }
      case GELU -> {
        for (int i = at; i < at + count; i++) {
          x[i] = x[i] * normalCdf(x[i]);
        }
      }
      case GELU_TANH -> {
        for (int i = at; i < at + count; i++) {
          x[i] = 0.5 * x[i] * (1 + Math.tanh(geluInner(x[i])));
        }
      }
    }
  }

  /** Multiplies {@code dy} by the derivative; {@code saved} is the output, or the input. */
  static void multiplyByDerivative(UnaryOp.Kind kind, double[] saved, double[] dy, int count) {
    switch (kind) {
      case RELU -> {
        for (int i = 0; i < count; i++) {
          dy[i] = saved[i] > 0 ? dy[i] : 0;
        }
      }
      case SIGMOID -> {
        for (int i = 0; i < count; i++) {
          dy[i] *= saved[i] * (1 - saved[i]);
        }
      }
      case TANH -> {
        for (int i = 0; i < count; i++) {
          dy[i] *= 1 - saved[i] * saved[i];
        }
      }
      case SILU -> {
        for (int i = 0; i < count; i++) {
          dy[i] *= siluDerivative(saved[i]);
        }
      }
      case GELU -> {
        for (int i = 0; i < count; i++) {
          double x = saved[i];
          dy[i] *= normalCdf(x) + x * Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
        }
      }
      case GELU_TANH -> {
        for (int i = 0; i < count; i++) {
          double x = saved[i];
          double t = Math.tanh(geluInner(x));
          double inner = Math.sqrt(2 / Math.PI) * (1 + 3 * CUBIC * x * x);
          dy[i] *= 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner;
        }
      }
    }
  }

  static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  static double siluDerivative(double x) {
    double s = sigmoid(x);
    return s * (1 + x * (1 - s));
  }

  private static final double CUBIC = 0.044715;

  private static double geluInner(double x) {
    return Math.sqrt(2 / Math.PI) * (x + CUBIC * x * x * x);
  }

  /** The normal distribution function, with a relative error below 1e-12 in both tails. */
  static double normalCdf(double x) {
    double tail = 0.5 * erfc(Math.abs(x) / Math.sqrt(2));
    return x > 0 ? 1 - tail : tail;
  }

  /** The complementary error function for {@code z >= 0}. */
  private static double erfc(double z) {
    double square = z * z;
    if (z < 2.5) {
      // erf(z) = 2/sqrt(pi) exp(-z^2) sum of 2^n z^(2n+1) / (2n+1)!!; every term is positive.
      double term = z;
      double sum = z;
      for (int n = 1; term > sum * 1e-17; n++) {
        term *= 2 * square / (2 * n + 1);
        sum += term;
      }
      return 1 - 2 / Math.sqrt(Math.PI) * Math.exp(-square) * sum;
    }
    // exp(-z^2)/sqrt(pi) / (z + (1/2)/(z + (2/2)/(z + (3/2)/(z + ...)))), from the inside.
    double fraction = z;
    for (int n = 60; n >= 1; n--) {
      fraction = z + 0.5 * n / fraction;
    }
    return Math.exp(-square) / Math.sqrt(Math.PI) / fraction;
  }
}
