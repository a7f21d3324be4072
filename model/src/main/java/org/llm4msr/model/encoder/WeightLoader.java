package org.llm4msr.model.encoder;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.llm4msr.model.checkpoint.StoredTensor;
import org.llm4msr.model.checkpoint.TensorSource;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.model.family.ModelConfig.Wiring;
import org.llm4msr.model.family.TensorNames;
import org.llm4msr.model.family.TensorNames.Layout;
import org.llm4msr.model.family.TensorNames.Role;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.plan.ParameterStore;

/**
 * Brings a checkpoint's tensors into a parameter store, each checked against the config. Matrices
 * stay in their stored type and, where the device can, in the mapped file: fused ones are taken
 * apart by views of their rows. Vectors (norms, biases) are widened to F32.
 */
final class WeightLoader {
  private final TensorSource source;
  private final Map<String, String> aliases;
  private final ModelConfig config;
  private final TensorNames tensors;
  private final Backend backend;
  private final ParameterStore store;
  private final String prefix;
  private final Set<String> used = new HashSet<>();

  private WeightLoader(
      TensorSource source,
      Map<String, String> aliases,
      ModelConfig config,
      Backend backend,
      ParameterStore store) {
    this.source = source;
    this.aliases = aliases;
    this.config = config;
    this.tensors = config.tensors();
    this.backend = backend;
    this.store = store;
    this.prefix =
        tensors.prefixes().stream()
            .filter(candidate -> {
              String begin = candidate + tensors.layersBegin();
              return source.names().stream().anyMatch(name -> name.startsWith(begin));
            })
            .findFirst()
            .orElse(tensors.prefixes().get(0));
  }

  /**
   * Fills {@code store} with all that hidden states need; parameters are named as in {@link
   * Parameters}.
   *
   * @param source must outlive the store
   * @param aliases other names of tensors that are stored once, as safetensors metadata has them
   * @throws UserError if a tensor is missing, superfluous, or of another shape than the config says
   */
  static void load(
      TensorSource source,
      Map<String, String> aliases,
      ModelConfig config,
      Backend backend,
      ParameterStore store) {
    WeightLoader loader = new WeightLoader(source, aliases, config, backend, store);
    loader.loadEmbedding();
    for (int layer = 0; layer < config.layers(); layer++) {
      loader.loadAttention(layer);
      loader.loadMlp(layer);
    }
    if (config.norms().last()) {
      loader.norm(
          tensorName(config, Role.FINAL_NORM),
          Parameters.weight(Role.FINAL_NORM),
          Parameters.bias(Role.FINAL_NORM),
          config.hiddenSize(),
          "[hidden_size]");
    }
    loader.refuseUnusedLayers();
  }

  /**
   * Adds the output head, which hidden states do not need; nothing to do where it is the embedding
   * table.
   *
   * @throws UserError if the family has none or the file lacks it
   */
  static void loadHead(
      TensorSource source, ModelConfig config, Backend backend, ParameterStore store) {
    if (!config.head().present()) {
      throw new UserError(config.file() + ": a " + config.family() + " predicts no next token");
    }
    if (!config.head().tied() && !store.contains(Parameters.weight(Role.HEAD))) {
      WeightLoader loader = new WeightLoader(source, Map.of(), config, backend, store);
      loader.adopt(
          Parameters.weight(Role.HEAD),
          loader.checked(
              source.tensor(loader.headName()),
              Shape.of(config.vocabularySize(), config.hiddenSize()),
              "[vocab_size, hidden_size]"));
    }
  }

  private static String tensorName(ModelConfig config, Role role) {
    return config.tensors().names().get(role);
  }

  /** Where the head is: models of pictures and text put a prefix before it too. */
  private String headName() {
    String name = tensors.head() + ".weight";
    String bare = name.substring(name.lastIndexOf('.', name.length() - ".weight".length() - 1) + 1);
    return Stream.of(name, prefix + name, "language_model." + name, bare)
        .filter(source.names()::contains)
        .findFirst()
        .orElse(name);
  }

  private void loadEmbedding() {
    int hidden = config.hiddenSize();
    adopt(
        Parameters.weight(Role.EMBEDDING),
        checked(
            embedding(), Shape.of(config.vocabularySize(), hidden), "[vocab_size, hidden_size]"));
    if (config.embedding().learnedPositions()) {
      adopt(
          Parameters.weight(Role.POSITIONS),
          checked(
              stored(tensors.names().get(Role.POSITIONS) + ".weight"),
              Shape.of(config.maxPositions(), hidden),
              "[positions, hidden_size]"));
    }
    if (config.embedding().tokenTypes() > 0) {
      StoredTensor types =
          checked(
              stored(tensors.names().get(Role.TOKEN_TYPES) + ".weight"),
              Shape.of(config.embedding().tokenTypes(), hidden),
              "[token types, hidden_size]");
      widen(Parameters.weight(Role.TOKEN_TYPES), types, hidden, 0);
    }
    if (config.embedding().norm()) {
      norm(
          tensors.names().get(Role.EMBEDDING_NORM),
          Parameters.weight(Role.EMBEDDING_NORM),
          Parameters.bias(Role.EMBEDDING_NORM),
          hidden,
          "[hidden_size]");
    }
  }

  /**
   * The embedding table. Where the output head shares it, a file may hold it under the head's name
   * only; its metadata then says so.
   */
  private StoredTensor embedding() {
    String name = tensors.names().get(Role.EMBEDDING) + ".weight";
    if (!source.names().contains(prefix + name)) {
      String alias = aliases.get(prefix + name);
      if (alias == null && config.head().tied() && tensors.head() != null) {
        alias = headName();
      }
      if (alias != null && source.names().contains(alias)) {
        return source.tensor(alias);
      }
    }
    return stored(name);
  }

  private void loadAttention(int layer) {
    ModelConfig.Attention attention = config.attention();
    int hidden = config.hiddenSize();
    int query = attention.queryWidth();
    int key = attention.keyWidth();
    if (layer > 0 || config.norms().inFirstLayer()) {
      layerNorm(layer, Role.ATTENTION_NORM);
    }
    if (tensors.has(Role.QUERY_KEY_VALUE)) {
      fusedAttention(layer, hidden, query, key);
    } else {
      linear(layer, Role.QUERY, query, hidden, attention.bias(), "[heads * head_dim, hidden_size]");
      String reason = "[kv heads * head_dim, hidden_size]";
      linear(layer, Role.KEY, key, hidden, attention.bias(), reason);
      linear(layer, Role.VALUE, key, hidden, attention.bias(), reason);
    }
    if (attention.headNorms()) {
      for (Role role : new Role[] {Role.QUERY_NORM, Role.KEY_NORM}) {
        norm(
            tensors.in(layer, role),
            Parameters.weight(layer, role),
            Parameters.bias(layer, role),
            attention.headDim(),
            "[head_dim]");
      }
    }
    linear(
        layer,
        Role.ATTENTION_OUTPUT,
        hidden,
        query,
        attention.outputBias(),
        "[hidden_size, heads * head_dim]");
    if (config.norms().wiring() == Wiring.AROUND) {
      layerNorm(layer, Role.ATTENTION_OUTPUT_NORM);
    }
  }

  /** q, k and v in one matrix become three, but where they lie beside each other. */
  private void fusedAttention(int layer, int hidden, int query, int key) {
    int all = query + 2 * key;
    boolean hasBias = config.attention().bias();
    if (tensors.layout() == Layout.COLUMNS) {
      linear(layer, Role.QUERY_KEY_VALUE, all, hidden, hasBias, "[hidden_size, 3 * hidden_size]");
      return;
    }
    String name = tensors.in(layer, Role.QUERY_KEY_VALUE);
    String reason = "[(heads + 2 * kv heads) * head_dim, hidden_size]";
    StoredTensor fused = checked(stored(name + ".weight"), Shape.of(all, hidden), reason);
    float[] bias = hasBias ? floats(checked(stored(name + ".bias"), Shape.of(all), reason)) : null;
    Role[] roles = {Role.QUERY, Role.KEY, Role.VALUE};
    int[] widths = {query, key, key};
    int row = 0;
    for (int part = 0; part < roles.length; part++) {
      String weight = Parameters.weight(layer, roles[part]);
      float[] partBias = new float[widths[part]];
      if (tensors.layout() == Layout.ROWS_BY_HEAD) {
        int headDim = config.attention().headDim();
        adoptRowsByHead(weight, fused, part, headDim);
        for (int i = 0; hasBias && i < partBias.length; i++) {
          partBias[i] = bias[(i / headDim * 3 + part) * headDim + i % headDim];
        }
      } else {
        adoptRows(weight, fused, row, widths[part]);
        if (hasBias) {
          partBias = Arrays.copyOfRange(bias, row, row + widths[part]);
        }
        row += widths[part];
      }
      if (hasBias) {
        vector(Parameters.bias(layer, roles[part]), partBias);
      }
    }
  }

  private void loadMlp(int layer) {
    ModelConfig.Mlp mlp = config.mlp();
    int hidden = config.hiddenSize();
    String reason = "[intermediate_size, hidden_size]";
    layerNorm(layer, Role.MLP_NORM);
    if (tensors.has(Role.GATE_UP)) {
      String name = tensors.in(layer, Role.GATE_UP);
      StoredTensor fused =
          checked(
              stored(name + ".weight"),
              Shape.of(2L * mlp.width(), hidden),
              "[2 * intermediate_size, hidden_size]");
      adoptRows(Parameters.weight(layer, Role.GATE), fused, 0, mlp.width());
      adoptRows(Parameters.weight(layer, Role.UP), fused, mlp.width(), mlp.width());
      if (mlp.bias()) {
        float[] bias =
            floats(checked(stored(name + ".bias"), Shape.of(2L * mlp.width()), "a bias"));
        vector(Parameters.bias(layer, Role.GATE), Arrays.copyOf(bias, mlp.width()));
        vector(Parameters.bias(layer, Role.UP), Arrays.copyOfRange(bias, mlp.width(), bias.length));
      }
    } else {
      if (mlp.gated()) {
        linear(layer, Role.GATE, mlp.width(), hidden, mlp.bias(), reason);
      }
      linear(layer, Role.UP, mlp.width(), hidden, mlp.bias(), reason);
    }
    linear(layer, Role.DOWN, hidden, mlp.width(), mlp.bias(), "[hidden_size, intermediate_size]");
    if (config.norms().wiring() == Wiring.AROUND) {
      layerNorm(layer, Role.MLP_OUTPUT_NORM);
    }
  }

  private StoredTensor stored(String name) {
    used.add(prefix + name);
    return source.tensor(prefix + name);
  }

  private void linear(int layer, Role role, int out, int in, boolean hasBias, String reason) {
    String name = tensors.in(layer, role);
    Shape shape = tensors.layout() == Layout.COLUMNS ? Shape.of(in, out) : Shape.of(out, in);
    adopt(Parameters.weight(layer, role), checked(stored(name + ".weight"), shape, reason));
    store.freeze(Parameters.weight(layer, role));
    if (hasBias) {
      StoredTensor bias = checked(stored(name + ".bias"), Shape.of(out), "a bias");
      widen(Parameters.bias(layer, role), bias, out, 0);
    }
  }

  private void layerNorm(int layer, Role role) {
    norm(
        tensors.in(layer, role),
        Parameters.weight(layer, role),
        Parameters.bias(layer, role),
        config.hiddenSize(),
        "[hidden_size]");
  }

  /** A norm's factors and, for layer norms, its bias: zeros where there is none. */
  private void norm(String name, String weight, String bias, int width, String reason) {
    double offset = config.norms().onePlusWeight() ? 1 : 0;
    StoredTensor factors = stored(oldNormName(name, ".weight", ".gamma"));
    widen(weight, checked(factors, Shape.of(width), reason), width, offset);
    if (config.norms().bias()) {
      StoredTensor shift = stored(oldNormName(name, ".bias", ".beta"));
      widen(bias, checked(shift, Shape.of(width), reason), width, 0);
    } else if (config.norms().layerNorm()) {
      vector(bias, new float[width]);
    }
  }

  /** The first BERT files call a norm's weight and bias gamma and beta. */
  private String oldNormName(String name, String today, String old) {
    return source.names().contains(prefix + name + today)
            || !source.names().contains(prefix + name + old)
        ? name + today
        : name + old;
  }

  private void adopt(String name, StoredTensor tensor) {
    adopt(name, tensor, tensor.shape(), tensor.data());
  }

  private void adoptRows(String name, StoredTensor tensor, long from, long rows) {
    long in = tensor.shape().dim(1);
    long rowBytes = tensor.dtype().byteSize(in);
    adopt(
        name, tensor, Shape.of(rows, in), tensor.data().asSlice(from * rowBytes, rows * rowBytes));
    store.freeze(name);
  }

  private void adopt(String name, StoredTensor tensor, Shape shape, MemorySegment data) {
    DType dtype = tensor.dtype();
    boolean aligned = dtype.isQuantised() || data.address() % dtype.blockBytes() == 0;
    Buffer buffer = aligned ? backend.wrap(data, name) : copied(data, name);
    store.adopt(name, dtype, shape, buffer);
  }

  private Buffer copied(MemorySegment data, String name) {
    Buffer buffer = backend.allocate(data.byteSize(), name);
    backend.upload(data, buffer, 0);
    return buffer;
  }

  /** Every third block of headDim rows, copied together. */
  private void adoptRowsByHead(String name, StoredTensor fused, int part, int headDim) {
    long in = fused.shape().dim(1);
    int heads = config.attention().heads();
    long blockBytes = fused.dtype().byteSize(headDim * in);
    Buffer buffer = backend.allocate(heads * blockBytes, name);
    for (int head = 0; head < heads; head++) {
      MemorySegment block = fused.data().asSlice((head * 3L + part) * blockBytes, blockBytes);
      backend.upload(block, buffer, head * blockBytes);
    }
    store.adopt(name, fused.dtype(), Shape.of((long) heads * headDim, in), buffer);
    store.freeze(name);
  }

  /** The first {@code width} elements, in F32, each plus {@code offset}. */
  private void widen(String name, StoredTensor tensor, int width, double offset) {
    if (tensor.dtype().isQuantised()) {
      throw new UserError(
          tensor.where() + ": element type is " + tensor.dtype() + ", expected F32, F16 or BF16");
    }
    float[] widened = new float[width];
    for (int i = 0; i < width; i++) {
      widened[i] = (float) (tensor.dtype().get(tensor.data(), i) + offset);
    }
    vector(name, widened);
  }

  private static float[] floats(StoredTensor tensor) {
    float[] widened = new float[Math.toIntExact(tensor.shape().elements())];
    for (int i = 0; i < widened.length; i++) {
      widened[i] = (float) tensor.dtype().get(tensor.data(), i);
    }
    return widened;
  }

  private void vector(String name, float[] elements) {
    Buffer buffer = store.create(name, DType.F32, Shape.of(elements.length)).buffer();
    backend.upload(MemorySegment.ofArray(elements), buffer, 0);
  }

  private StoredTensor checked(StoredTensor tensor, Shape shape, String reason) {
    tensor.withShape(shape, reason + " of " + config.file().getFileName());
    DType dtype = tensor.dtype();
    boolean single = dtype == DType.F32 || dtype == DType.F16 || dtype == DType.BF16;
    boolean matrix = shape.rank() == 2 && dtype.isQuantised();
    if (!single && !(matrix && tensors.layout() != Layout.COLUMNS)) {
      throw new UserError(
          tensor.where() + ": element type is " + dtype + ", expected F32, F16 or BF16");
    }
    return tensor;
  }

  /** Weights that the forward pass would ignore mean that it is not this model's. */
  private void refuseUnusedLayers() {
    String begin = prefix + tensors.layersBegin();
    for (String name : source.names()) {
      if (name.startsWith(begin)
          && !used.contains(name)
          && tensors.ignored().stream().noneMatch(name::endsWith)) {
        throw new UserError(
            source.tensor(name).where()
                + ": not part of a "
                + config.family()
                + " as "
                + config.file().getFileName()
                + " describes it (layers, biases), and leaving it out would change the vectors");
      }
    }
  }
}
