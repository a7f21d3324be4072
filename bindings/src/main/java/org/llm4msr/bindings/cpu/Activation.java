package org.llm4msr.bindings.cpu;

/** Elementwise functions, alone or fused into a matrix product. Ordinals as in l4m.h. */
public enum Activation {
  NONE,
  RELU,
  SIGMOID,
  /** x * sigmoid(x). */
  SILU,
  TANH,
  /** x times the normal distribution function. */
  GELU,
  /** The same by its tanh approximation. */
  GELU_TANH
}
