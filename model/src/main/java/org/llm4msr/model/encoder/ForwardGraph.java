package org.llm4msr.model.encoder;

import static org.llm4msr.model.encoder.Parameters.bias;
import static org.llm4msr.model.encoder.Parameters.weight;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.model.family.ModelConfig.Layer;
import org.llm4msr.model.family.ModelConfig.Wiring;
import org.llm4msr.model.family.RopeConfig;
import org.llm4msr.model.family.TensorNames.Layout;
import org.llm4msr.model.family.TensorNames.Role;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.BlockInt8MatMulOp;
import org.llm4msr.runtime.op.GroupedSumOp;
import org.llm4msr.runtime.op.Int8MatMulOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.RopeOp;
import org.llm4msr.runtime.op.ScatterRowsOp;
import org.llm4msr.runtime.op.UnaryOp;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/**
 * The forward pass of a transformer of any family, over a packed batch of T tokens in S segments.
 * What differs between families the {@link ModelConfig} says.
 *
 * <p>In the last layer only those rows go beyond keys and values that somebody reads.
 */
final class ForwardGraph {
  /** Where the keys and values come from that a segment's tokens see. */
  enum Keys {
    /** Its own tokens. */
    OWN,
    /** Tokens of this batch that other segments may share, listed in {@link #keyRows}. */
    SHARED,
    /** A cache that this batch's tokens are written to first. */
    CACHED
  }

  /**
   * What to build.
   *
   * @param mean one vector per prompt as the mean over its tokens, else its last token's state
   * @param layer the layer whose output is read; 0 are the embeddings
   * @param finalNorm whether the state is normalised as after the last layer
   * @param logits whether the next token's logits are wanted; then not {@code mean}
   * @param products how the layers' matrices are multiplied
   */
  record Form(
      Keys keys,
      boolean mean,
      int layer,
      boolean finalNorm,
      boolean logits,
      Quantisation.Products products) {}

  /**
   * Largest extents.
   *
   * @param tokens in a batch, and segments with them
   * @param prompts in a batch; more than tokens where many are the same
   * @param keys rows of {@link #keyRows}, or of the cache
   */
  record Capacity(int tokens, int prompts, int keys) {}

  private final Graph graph = new Graph(DType.F32);
  private final ModelConfig config;
  private final ParameterStore weights;
  private final Form form;
  private final Map<RopeConfig, Value> frequencies = new HashMap<>();

  final Dim tokens;
  final Dim segments;

  /** Segments + 1. */
  final Dim segmentBounds;

  final Dim prompts;

  /** Prompts + 1. */
  final Dim promptBounds;

  /** Rows of {@link #keyRows}, or of the cache. */
  final Dim keys;

  /** Entries of {@link #chain}. */
  final Dim chains;

  /** I32 [T]. */
  final Value tokenIds;

  /** I32 [T], from 0 in each prompt. */
  final Value positions;

  /** I32 [S + 1]: where each segment begins; the last is T. */
  final Value offsets;

  /** I32 [K]: for {@link Keys#SHARED} the row of each key, for {@link Keys#CACHED} unused. */
  final Value keyRows;

  /** I32 [S]: where each segment's keys begin and, in {@link #keyEnds}, end. */
  final Value keyBegins;

  final Value keyEnds;

  /** I32 [T]: the row of the cache that each token's key and value go to. */
  final Value cacheRows;

  /** I32 [N]: each prompt's last row. */
  final Value pooledRows;

  /** I32 [N]: its position. */
  final Value pooledPositions;

  /** I32 [N + 1]: 0, 1, … N, or where each prompt begins in {@link #chain}. */
  final Value pooledOffsets;

  /** I32 [N]: as {@link #keyBegins} and {@link #keyEnds}, for the pooled rows. */
  final Value pooledKeyBegins;

  final Value pooledKeyEnds;

  /** I32 [T]: 0, 1, … T - 1. */
  final Value rowOrder;

  /** I32 [C]: the segments that make up each prompt. */
  final Value chain;

  /** I32 [C]: 0, 1, … C - 1. */
  final Value chainOrder;

  /** F32 [N, 1]: one over each prompt's length. */
  final Value inverseLengths;

  /** F32 [N, hidden]. */
  final Value vectors;

  /** F32 [N, vocabulary], or null. */
  final Value logits;

  /**
   * @param weights holds what {@link WeightLoader} puts there
   */
  ForwardGraph(ModelConfig config, ParameterStore weights, Form form, Capacity capacity) {
    this.config = config;
    this.weights = weights;
    this.form = form;
    int most = capacity.tokens();
    tokens = Dim.symbol("tokens", most);
    segments = Dim.symbol("segments", most);
    segmentBounds = Dim.symbol("segments + 1", most + 1L);
    prompts = Dim.symbol("prompts", capacity.prompts());
    promptBounds = Dim.symbol("prompts + 1", capacity.prompts() + 1L);
    keys =
        form.keys() == Keys.CACHED ? Dim.of(capacity.keys()) : Dim.symbol("keys", capacity.keys());
    chains = Dim.symbol("segments of prompts", capacity.keys());
    tokenIds = ids("tokenIds", tokens);
    positions = ids("positions", tokens);
    offsets = ids("offsets", segmentBounds);
    keyRows = ids("keyRows", keys);
    keyBegins = ids("keyBegins", segments);
    keyEnds = ids("keyEnds", segments);
    cacheRows = ids("cacheRows", tokens);
    pooledRows = ids("pooledRows", prompts);
    pooledPositions = ids("pooledPositions", prompts);
    pooledOffsets = ids("pooledOffsets", promptBounds);
    pooledKeyBegins = ids("pooledKeyBegins", prompts);
    pooledKeyEnds = ids("pooledKeyEnds", prompts);
    rowOrder = ids("rowOrder", tokens);
    chain = ids("chain", chains);
    chainOrder = ids("chainOrder", chains);
    inverseLengths = graph.input("inverseLengths", prompts, Dim.of(1));
    List<Value> outputs = build();
    vectors = outputs.get(0);
    logits = outputs.size() > 1 ? outputs.get(1) : null;
  }

  private Value ids(String name, Dim dim) {
    return graph.input(name, ValueType.of(DType.I32, dim));
  }

  Graph graph() {
    return graph;
  }

  /**
   * Before each run: fills in what depends on the sequences' length.
   *
   * @param length of any of them: all are on one side of {@link
   *     ModelConfig.Attention#switchLength()}
   */
  void putFrequencies(Plan plan, int length) {
    frequencies.forEach((rope, input) -> {
      if (rope.switchLength() < Integer.MAX_VALUE && plan.uses(input)) {
        double[] values = rope.inverseFrequencies(length);
        for (int i = 0; i < values.length; i++) {
          plan.input(input).setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values[i]);
        }
      }
    });
  }

  /** What a plan has to compute. */
  List<Value> outputs() {
    return logits == null ? List.of(vectors) : List.of(vectors, logits);
  }

  private List<Value> build() {
    int layers = form.logits() ? config.layers() : form.layer();
    Value x = embeddings();
    Value state = form.layer() == 0 ? x : null;
    boolean fewRows = false;
    for (int layer = 0; layer < layers; layer++) {
      // Nobody reads the other tokens' states after the last attention.
      fewRows = layer == layers - 1 && !form.mean();
      x = layer(x, layer, fewRows);
      if (layer == form.layer() - 1) {
        state = x;
      }
    }
    boolean stateHasFewRows = fewRows && form.layer() == layers;
    if (!form.mean() && !stateHasFewRows) {
      state = Ops.gather(state, pooledRows);
    }
    Value normed = form.finalNorm() ? finalNorm(state) : state;
    if (form.mean()) {
      return List.of(mean(normed));
    }
    if (!form.logits()) {
      return List.of(normed);
    }
    Value last = form.finalNorm() && form.layer() == layers ? normed : finalNorm(x);
    return List.of(normed, logits(last));
  }

  private Value embeddings() {
    ModelConfig.Embedding embedding = config.embedding();
    Value x = Ops.gather(parameter(weight(Role.EMBEDDING)), tokenIds);
    if (embedding.scale() != 1) {
      x = Ops.scale(x, embedding.scale(), 0);
    }
    if (embedding.learnedPositions()) {
      x = Ops.add(x, Ops.gather(parameter(weight(Role.POSITIONS)), positions));
    }
    if (embedding.tokenTypes() > 0) {
      x = Ops.add(x, parameter(weight(Role.TOKEN_TYPES)));
    }
    return embedding.norm() ? norm(x, weight(Role.EMBEDDING_NORM), bias(Role.EMBEDDING_NORM)) : x;
  }

  /**
   * One layer.
   *
   * @param fewRows whether only the pooled rows go beyond keys and values
   * @return [T, hidden], or [N, hidden]
   */
  private Value layer(Value x, int layer, boolean fewRows) {
    Wiring wiring = config.norms().wiring();
    boolean normBefore = wiring != Wiring.AFTER && (layer > 0 || config.norms().inFirstLayer());
    Value input = normBefore ? norm(x, layer, Role.ATTENTION_NORM) : x;
    Value attended = attention(input, layer, fewRows);
    if (fewRows) {
      x = Ops.gather(x, pooledRows);
    }
    boolean outputBias = config.attention().outputBias();
    if (wiring == Wiring.AROUND) {
      Value branch = linear(attended, layer, Role.ATTENTION_OUTPUT, outputBias, null, null);
      x = Ops.add(x, norm(branch, layer, Role.ATTENTION_OUTPUT_NORM));
      branch = mlp(norm(x, layer, Role.MLP_NORM), layer, null);
      return Ops.add(x, norm(branch, layer, Role.MLP_OUTPUT_NORM));
    }
    Value sum = linear(attended, layer, Role.ATTENTION_OUTPUT, outputBias, null, x);
    return switch (wiring) {
      case AFTER -> {
        Value normed = norm(sum, layer, Role.ATTENTION_NORM);
        yield norm(mlp(normed, layer, normed), layer, Role.MLP_NORM);
      }
      case PARALLEL -> mlp(norm(x, layer, Role.MLP_NORM), layer, sum);
      default -> mlp(norm(sum, layer, Role.MLP_NORM), layer, sum);
    };
  }

  /** Attention before its output projection: [rows, heads * headDim]. */
  private Value attention(Value input, int layer, boolean fewRows) {
    ModelConfig.Attention attention = config.attention();
    Layer kind = attention.layers().get(layer);
    Value queries = fewRows ? Ops.gather(input, pooledRows) : input;
    Value q;
    Value k;
    Value v;
    boolean fused =
        config.tensors().layout() == Layout.COLUMNS && config.tensors().has(Role.QUERY_KEY_VALUE);
    if (fused) {
      Value all = linear(input, layer, Role.QUERY_KEY_VALUE, attention.bias(), null, null);
      long query = attention.queryWidth();
      long key = attention.keyWidth();
      q = Ops.slice(all, 0, query);
      q = fewRows ? Ops.gather(q, pooledRows) : q;
      k = Ops.slice(all, query, query + key);
      v = Ops.slice(all, query + key, query + 2 * key);
    } else {
      q = linear(queries, layer, Role.QUERY, attention.bias(), null, null);
      k = linear(input, layer, Role.KEY, attention.bias(), null, null);
      v = linear(input, layer, Role.VALUE, attention.bias(), null, null);
    }
    Value queryPositions = fewRows ? pooledPositions : positions;
    q = placed(q, layer, Role.QUERY_NORM, attention.heads(), kind, queryPositions);
    k = placed(k, layer, Role.KEY_NORM, attention.kvHeads(), kind, positions);
    AttentionOp op =
        new AttentionOp(
            attention.heads(),
            attention.kvHeads(),
            attention.headDim(),
            kind.scale(),
            kind.mask(),
            isCoarse(weight(layer, fused ? Role.QUERY_KEY_VALUE : Role.QUERY)));
    switch (form.keys()) {
      case OWN -> {
        if (!fewRows) {
          return Ops.attention(op, q, k, v, offsets);
        }
      }
      case SHARED -> {
        k = Ops.gather(k, keyRows);
        v = Ops.gather(v, keyRows);
      }
      case CACHED -> {
        k = cached("keyCache." + layer, k);
        v = cached("valueCache." + layer, v);
      }
    }
    return fewRows
        ? Ops.attention(op, q, k, v, pooledOffsets, pooledKeyBegins, pooledKeyEnds)
        : Ops.attention(op, q, k, v, offsets, keyBegins, keyEnds);
  }

  /** Whether a matrix is in BF16 or in a type that is coarser. */
  private boolean isCoarse(String matrix) {
    DType dtype = weights.get(matrix).dtype();
    return dtype == DType.BF16 || dtype.isQuantised();
  }

  /** A cache that has taken in these rows; it keeps its content from run to run. */
  private Value cached(String name, Value rows) {
    Value cache = graph.input(name, keys, rows.type().dim(1));
    graph.apply(new ScatterRowsOp(), cache, cacheRows, rows);
    return cache;
  }

  /** Queries or keys with their heads normalised and turned, where the family does so. */
  private Value placed(Value x, int layer, Role norm, int heads, Layer kind, Value at) {
    int headDim = config.attention().headDim();
    if (config.attention().headNorms()) {
      List<Dim> flat = x.type().dims();
      Value perHead = Ops.reshape(x, flat.get(0), Dim.of(heads), Dim.of(headDim));
      perHead = norm(perHead, layer, norm);
      x = Ops.reshape(perHead, flat.toArray(Dim[]::new));
    }
    RopeConfig rope = kind.rope();
    if (rope == null) {
      return x;
    }
    Value inverse =
        frequencies.computeIfAbsent(
            rope,
            config -> {
              if (config.switchLength() < Integer.MAX_VALUE) {
                return graph.input("inverseFrequencies", Dim.of(config.dims() / 2));
              }
              double[] values = config.inverseFrequencies(1);
              return graph.constant(values, values.length);
            });
    RopeOp op =
        new RopeOp(heads, headDim, rope.dims(), rope.interleaved(), rope.attentionFactor(), false);
    return Ops.rope(op, x, at, inverse);
  }

  /**
   * The MLP.
   *
   * @param residual added to its output, or null
   */
  private Value mlp(Value x, int layer, Value residual) {
    ModelConfig.Mlp mlp = config.mlp();
    Value inner;
    if (mlp.gated()) {
      Value gate = linear(x, layer, Role.GATE, mlp.bias(), null, null);
      Value up = linear(x, layer, Role.UP, mlp.bias(), null, null);
      inner = Ops.glu(mlp.activation(), gate, up);
    } else {
      inner = linear(x, layer, Role.UP, mlp.bias(), mlp.activation(), null);
    }
    return linear(inner, layer, Role.DOWN, mlp.bias(), null, residual);
  }

  private Value finalNorm(Value x) {
    return config.norms().last() ? norm(x, weight(Role.FINAL_NORM), bias(Role.FINAL_NORM)) : x;
  }

  /** The mean over each prompt's tokens, of which other prompts may share some. */
  private Value mean(Value x) {
    if (form.keys() == Keys.OWN) {
      return graph.apply(new GroupedSumOp(prompts, true), x, rowOrder, pooledOffsets).get(0);
    }
    Value sums = graph.apply(new GroupedSumOp(segments, false), x, rowOrder, offsets).get(0);
    Value parts = Ops.gather(sums, chain);
    Value totals =
        graph.apply(new GroupedSumOp(prompts, false), parts, chainOrder, pooledOffsets).get(0);
    return Ops.mul(totals, inverseLengths);
  }

  private Value logits(Value x) {
    Role head = config.head().tied() ? Role.EMBEDDING : Role.HEAD;
    Value logits = Ops.linear(x, parameter(weight(head)), null, null);
    double cap = config.head().softCap();
    if (cap == 0) {
      return logits;
    }
    Value inner = Ops.scale(logits, 1 / cap, 0);
    Value bent = graph.apply(new UnaryOp(UnaryOp.Kind.TANH), inner).get(0);
    return Ops.scale(bent, cap, 0);
  }

  private Value norm(Value x, int layer, Role role) {
    return norm(x, weight(layer, role), bias(layer, role));
  }

  private Value norm(Value x, String weight, String bias) {
    double epsilon = config.norms().epsilon();
    return config.norms().layerNorm()
        ? Ops.layerNorm(x, parameter(weight), parameter(bias), epsilon)
        : Ops.rmsNorm(x, parameter(weight), epsilon);
  }

  /**
   * {@code act(x W + b + residual)}.
   *
   * @param activation or null
   * @param residual or null
   */
  private Value linear(
      Value x, int layer, Role role, boolean hasBias, UnaryOp.Kind activation, Value residual) {
    List<Value> inputs = new ArrayList<>();
    inputs.add(x);
    inputs.add(parameter(weight(layer, role)));
    if (hasBias) {
      inputs.add(parameter(bias(layer, role)));
    }
    if (residual != null) {
      inputs.add(residual);
    }
    boolean rows = config.tensors().layout() != Layout.COLUMNS;
    boolean added = residual != null;
    boolean inBlocks = BlockInt8MatMulOp.takes(inputs.get(1).type().dtype());
    Op op =
        switch (form.products()) {
          case INT8 -> new Int8MatMulOp(rows, hasBias, added, activation);
          case BLOCKS ->
              inBlocks
                  ? new BlockInt8MatMulOp(hasBias, added, activation)
                  : new MatMulOp(false, rows, hasBias, added, activation);
          case FLOATS -> new MatMulOp(false, rows, hasBias, added, activation);
        };
    return graph.apply(op, inputs).get(0);
  }

  private Value parameter(String name) {
    Tensor tensor = weights.get(name);
    Dim[] dims = Arrays.stream(tensor.shape().toArray()).mapToObj(Dim::of).toArray(Dim[]::new);
    return graph.parameter(name, ValueType.of(tensor.dtype(), dims));
  }
}
