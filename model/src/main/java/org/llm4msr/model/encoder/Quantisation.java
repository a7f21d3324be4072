package org.llm4msr.model.encoder;

import java.nio.file.Path;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.op.BlockInt8MatMulOp;
import org.llm4msr.runtime.plan.ParameterStore;

/**
 * What weights become while a model is loaded, and in what the layers' matrices are multiplied.
 * Lookup tables and output heads are multiplied as they are stored, with activations in F32.
 */
public enum Quantisation {
  /** Blocks of 8 bits, multiplied with activations in F32; for safetensors. */
  Q8_0(DType.Q8_0, Products.FLOATS),
  /** Blocks of 4 bits, multiplied with activations in F32; for safetensors. */
  Q4_0(DType.Q4_0, Products.FLOATS),
  /**
   * 8 bits with one scale for each output, multiplied with activations of 8 bits with one scale for
   * each token: the fastest form, for models of any kind and type.
   */
  W8A8(null, Products.INT8),
  /**
   * Weights in blocks as they are stored, multiplied with activations of 8 bits with one scale for
   * each 32 of them: the arithmetic of llama.cpp. For models with weights in Q8_0, Q4_0, Q4_K or
   * Q6_K; matrices in other types are multiplied in F32.
   */
  A8(null, Products.BLOCKS),
  /** {@link #Q8_0}, multiplied as in {@link #A8}. */
  Q8_0_A8(DType.Q8_0, Products.BLOCKS),
  /** {@link #Q4_0}, multiplied as in {@link #A8}. */
  Q4_0_A8(DType.Q4_0, Products.BLOCKS);

  /** How the layers' matrices are multiplied. */
  enum Products {
    /** Activations in F32. */
    FLOATS,
    /** Both in 8-bit integers, one scale for each token and output. */
    INT8,
    /** Activations in blocks of 8-bit integers where the weights are in such blocks. */
    BLOCKS
  }

  private final DType stored;
  private final Products products;

  Quantisation(DType stored, Products products) {
    this.stored = stored;
    this.products = products;
  }

  /** The type that matrices are turned to, or null where they stay as they are until packed. */
  DType stored() {
    return stored;
  }

  /** Of this form, or of none where it is null. */
  static Products products(Quantisation quantise) {
    return quantise == null ? Products.FLOATS : quantise.products;
  }

  /**
   * @throws UserError if the backend cannot compute this
   */
  static void requireProducts(Quantisation quantise, Backend backend) {
    if (products(quantise) != Products.FLOATS && !backend.hasInt8Products()) {
      throw new UserError(
          "the "
              + backend.name()
              + " backend does not multiply 8-bit integers: use --device cpu, or quantise to"
              + " something else than w8a8 and a8");
    }
  }

  /**
   * @throws UserError if blocks are to be multiplied and there are none
   */
  static void requireBlocks(Quantisation quantise, Path model, ParameterStore weights) {
    if (products(quantise) == Products.BLOCKS
        && weights.names().stream().noneMatch(name -> inBlocks(name, weights.get(name)))) {
      throw new UserError(
          model
              + ": a8 multiplies weights in Q8_0, Q4_0, Q4_K or Q6_K, and no layer of this model"
              + " has any: quantise to w8a8"
              + (quantise == A8 ? ", or a folder to q8_0_a8 or q4_0_a8" : ""));
    }
  }

  /** Whether a weight is a layer's matrix that {@link Products#BLOCKS} multiplies. */
  static boolean inBlocks(String name, Tensor tensor) {
    return Parameters.isLayerMatrix(name, tensor) && BlockInt8MatMulOp.takes(tensor.dtype());
  }

  /** Bytes of the panels that such a matrix is packed to: codes, and scales in F32. */
  static long blockBytes(Tensor tensor) {
    long elements = tensor.shape().elements();
    return switch (tensor.dtype()) {
      case Q4_0 -> elements / 2 + elements / 8;
      case Q4_K -> elements / 2 + elements / 4;
      case Q6_K -> elements + elements / 4;
      default -> elements + elements / 8;
    };
  }
}
