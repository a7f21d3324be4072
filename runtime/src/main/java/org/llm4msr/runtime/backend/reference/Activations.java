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
    }
  }

  /** Multiplies {@code dy} by the derivative; {@code saved} is the output, for SILU the input. */
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
    }
  }

  static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  static double siluDerivative(double x) {
    double s = sigmoid(x);
    return s * (1 + x * (1 - s));
  }
}
