package org.llm4msr.model.encoder;

import static org.llm4msr.model.encoder.DecoderFamily.inLayer;

import java.util.Arrays;
import org.llm4msr.model.checkpoint.HfConfig;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.GroupedSumOp;
import org.llm4msr.runtime.op.RopeOp;
import org.llm4msr.runtime.op.UnaryOp;
import org.llm4msr.runtime.plan.ParameterStore;

/**
 * The forward pass of a decoder-only transformer with pre-norms, rotary positions, grouped-query
 * attention and SwiGLU, over a packed batch of T tokens in N sequences.
 */
final class DecoderGraph {
  private final Graph graph = new Graph(DType.F32);
  private final HfConfig config;
  private final DecoderFamily family;
  private final ParameterStore weights;

  /** Tokens in the batch. */
  final Dim tokens;

  /** Sequences in the batch. */
  final Dim sequences;

  /** Sequences + 1. */
  final Dim bounds;

  /** I32 [T]. */
  final Value tokenIds;

  /** I32 [T], from 0 in each sequence. */
  final Value positions;

  /** I32 [N + 1]: where each sequence begins; the last is T. */
  final Value offsets;

  /** I32 [N] rows of the last tokens for LAST_PROMPT, I32 [T] all rows for MEAN_PROMPT. */
  final Value pooledRows;

  /** F32 [N, hidden]: one vector per sequence. */
  final Value vectors;

  /**
   * @param weights holds what {@link DecoderWeights#load} puts there
   * @param maxTokens most tokens in a batch
   */
  DecoderGraph(HfConfig config, ParameterStore weights, Pooling pooling, int maxTokens) {
    this.config = config;
    this.family = DecoderFamily.of(config);
    this.weights = weights;
    tokens = Dim.symbol("tokens", maxTokens);
    sequences = Dim.symbol("sequences", maxTokens);
    bounds = Dim.symbol("sequences + 1", maxTokens + 1L);
    tokenIds = ids("tokenIds", tokens);
    positions = ids("positions", tokens);
    offsets = ids("offsets", bounds);
    pooledRows = ids("pooledRows", pooling == Pooling.LAST_PROMPT ? sequences : tokens);
    vectors = build(pooling);
  }

  private Value ids(String name, Dim dim) {
    return graph.input(name, ValueType.of(DType.I32, dim));
  }

  Graph graph() {
    return graph;
  }

  private Value build(Pooling pooling) {
    double[] inverse = config.rope().inverseFrequencies(config.headDim());
    Value frequencies = graph.constant(inverse, inverse.length);
    Value x = Ops.gather(weight(family.embedding()), tokenIds);
    for (int layer = 0; layer < config.layers(); layer++) {
      Value attended = attention(x, layer, frequencies);
      if (pooling == Pooling.LAST_PROMPT && layer == config.layers() - 1) {
        // Nobody reads the other tokens' states after the last attention.
        attended = Ops.gather(attended, pooledRows);
        x = Ops.gather(x, pooledRows);
      }
      String output = inLayer(family.attentionOutput(), layer);
      x = Ops.linearResidual(attended, weight(output), bias(output, config.outputBias()), x);
      x = mlp(x, layer);
    }
    x = Ops.rmsNorm(x, weight(family.finalNorm()), config.rmsNormEps());
    return pooling == Pooling.LAST_PROMPT
        ? x
        : graph.apply(new GroupedSumOp(sequences, true), x, pooledRows, offsets).get(0);
  }

  /** Attention before its output projection: [T, heads * headDim]. */
  private Value attention(Value x, int layer, Value frequencies) {
    int heads = config.attentionHeads();
    int kvHeads = config.keyValueHeads();
    int headDim = config.headDim();
    Value normed =
        Ops.rmsNorm(x, weight(inLayer(family.attentionNorm(), layer)), config.rmsNormEps());
    Value q = linear(normed, family.query(), layer, config.attentionBias());
    Value k = linear(normed, family.key(), layer, config.attentionBias());
    Value v = linear(normed, family.value(), layer, config.attentionBias());
    return Ops.attention(
        new AttentionOp(heads, kvHeads, headDim, 1 / Math.sqrt(headDim), AttentionOp.Mask.causal()),
        Ops.rope(new RopeOp(heads, headDim, headDim, false, 1, false), q, positions, frequencies),
        Ops.rope(new RopeOp(kvHeads, headDim, headDim, false, 1, false), k, positions, frequencies),
        v,
        offsets);
  }

  private Value mlp(Value x, int layer) {
    Value normed = Ops.rmsNorm(x, weight(inLayer(family.mlpNorm(), layer)), config.rmsNormEps());
    Value gate = linear(normed, family.gate(), layer, config.mlpBias());
    Value up = linear(normed, family.up(), layer, config.mlpBias());
    String down = inLayer(family.down(), layer);
    return Ops.linearResidual(
        Ops.glu(UnaryOp.Kind.SILU, gate, up), weight(down), bias(down, config.mlpBias()), x);
  }

  private Value linear(Value x, String name, int layer, boolean hasBias) {
    String inLayer = inLayer(name, layer);
    return Ops.linear(x, weight(inLayer), bias(inLayer, hasBias), null);
  }

  private Value weight(String name) {
    return parameter(name + ".weight");
  }

  private Value bias(String name, boolean hasBias) {
    return hasBias ? parameter(name + ".bias") : null;
  }

  private Value parameter(String name) {
    Tensor tensor = weights.get(name);
    Dim[] dims = Arrays.stream(tensor.shape().toArray()).mapToObj(Dim::of).toArray(Dim[]::new);
    return graph.parameter(name, ValueType.of(tensor.dtype(), dims));
  }
}
