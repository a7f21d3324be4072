package org.llm4msr.model.encoder;

import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.Set;
import org.llm4msr.model.checkpoint.Checkpoint;
import org.llm4msr.model.checkpoint.HfConfig;
import org.llm4msr.model.checkpoint.StoredTensor;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.plan.ParameterStore;

/**
 * Brings a checkpoint's tensors into a parameter store, each checked against the config. Matrices
 * stay in their stored type and, where the device can, in the mapped file; vectors (norms, biases)
 * are widened to F32.
 */
final class DecoderWeights {
  private final Checkpoint checkpoint;
  private final HfConfig config;
  private final DecoderFamily family;
  private final Backend backend;
  private final ParameterStore store;
  private final String prefix;
  private final Set<String> used = new HashSet<>();

  private DecoderWeights(
      Checkpoint checkpoint, HfConfig config, Backend backend, ParameterStore store) {
    this.checkpoint = checkpoint;
    this.config = config;
    this.family = DecoderFamily.of(config);
    this.backend = backend;
    this.store = store;
    boolean prefixed = checkpoint.names().stream().anyMatch(name -> name.startsWith("model."));
    this.prefix = prefixed ? "model." : "";
  }

  /**
   * Fills {@code store}; parameters are named as in {@link DecoderFamily}, with the layer's number
   * and {@code .weight} or {@code .bias}.
   *
   * @param checkpoint must outlive the store
   * @throws UserError if a tensor is missing, superfluous, or of another shape than the config says
   */
  static void load(Checkpoint checkpoint, HfConfig config, Backend backend, ParameterStore store) {
    DecoderWeights weights = new DecoderWeights(checkpoint, config, backend, store);
    weights.loadAll();
    weights.refuseUnusedLayers();
  }

  private void loadAll() {
    int hidden = config.hiddenSize();
    int queryWidth = config.attentionHeads() * config.headDim();
    int keyWidth = config.keyValueHeads() * config.headDim();
    int inner = config.intermediateSize();
    matrix(
        family.embedding() + ".weight",
        embedding(),
        Shape.of(config.vocabularySize(), hidden),
        "[vocab_size, hidden_size]");
    for (int layer = 0; layer < config.layers(); layer++) {
      norm(DecoderFamily.inLayer(family.attentionNorm(), layer));
      linear(family.query(), layer, queryWidth, hidden, "[heads * head_dim, hidden_size]");
      linear(family.key(), layer, keyWidth, hidden, "[kv heads * head_dim, hidden_size]");
      linear(family.value(), layer, keyWidth, hidden, "[kv heads * head_dim, hidden_size]");
      linear(
          family.attentionOutput(), layer, hidden, queryWidth, "[hidden_size, heads * head_dim]");
      norm(DecoderFamily.inLayer(family.mlpNorm(), layer));
      linear(family.gate(), layer, inner, hidden, "[intermediate_size, hidden_size]");
      linear(family.up(), layer, inner, hidden, "[intermediate_size, hidden_size]");
      linear(family.down(), layer, hidden, inner, "[hidden_size, intermediate_size]");
      if (config.attentionBias()) {
        bias(family.query(), layer, queryWidth);
        bias(family.key(), layer, keyWidth);
        bias(family.value(), layer, keyWidth);
      }
      if (config.outputBias()) {
        bias(family.attentionOutput(), layer, hidden);
      }
      if (config.mlpBias()) {
        bias(family.gate(), layer, inner);
        bias(family.up(), layer, inner);
        bias(family.down(), layer, hidden);
      }
    }
    norm(family.finalNorm());
  }

  /**
   * The embedding table. Where the output head shares it, a file may hold it under the head's name
   * only; its metadata then says so.
   */
  private StoredTensor embedding() {
    String name = prefix + family.embedding() + ".weight";
    if (!checkpoint.names().contains(name)) {
      String alias = checkpoint.metadata().get(name);
      if (alias == null && config.tiedEmbeddings()) {
        alias = "lm_head.weight";
      }
      if (alias != null && checkpoint.names().contains(alias)) {
        return checkpoint.tensor(alias);
      }
    }
    return stored(family.embedding() + ".weight");
  }

  private StoredTensor stored(String name) {
    used.add(prefix + name);
    return checkpoint.tensor(prefix + name);
  }

  private void linear(String name, int layer, int out, int in, String reason) {
    String weight = DecoderFamily.inLayer(name, layer) + ".weight";
    matrix(weight, stored(weight), Shape.of(out, in), reason);
  }

  private void bias(String name, int layer, int width) {
    vector(DecoderFamily.inLayer(name, layer) + ".bias", width, "a bias");
  }

  private void norm(String name) {
    vector(name + ".weight", config.hiddenSize(), "[hidden_size]");
  }

  private void matrix(String name, StoredTensor tensor, Shape shape, String reason) {
    checked(tensor, shape, reason);
    MemorySegment data = tensor.data();
    boolean aligned = data.address() % tensor.dtype().blockBytes() == 0;
    Buffer buffer = aligned ? backend.wrap(data, name) : copied(data, name);
    store.adopt(name, tensor.dtype(), shape, buffer);
  }

  private Buffer copied(MemorySegment data, String name) {
    Buffer buffer = backend.allocate(data.byteSize(), name);
    backend.upload(data, buffer, 0);
    return buffer;
  }

  private void vector(String name, int width, String reason) {
    StoredTensor tensor = stored(name);
    checked(tensor, Shape.of(width), reason);
    float[] widened = new float[width];
    for (int i = 0; i < width; i++) {
      widened[i] = (float) tensor.dtype().get(tensor.data(), i);
    }
    Buffer buffer = store.create(name, DType.F32, Shape.of(width)).buffer();
    backend.upload(MemorySegment.ofArray(widened), buffer, 0);
  }

  private void checked(StoredTensor tensor, Shape shape, String reason) {
    tensor.withShape(shape, reason + " of " + config.file().getFileName());
    DType dtype = tensor.dtype();
    if (dtype != DType.F32 && dtype != DType.F16 && dtype != DType.BF16) {
      throw new UserError(
          tensor.where() + ": element type is " + dtype + ", expected F32, F16 or BF16");
    }
  }

  /** Weights that the forward pass would ignore mean that it is not this model's. */
  private void refuseUnusedLayers() {
    for (String name : checkpoint.names()) {
      if (name.startsWith(prefix + "layers.")
          && !used.contains(name)
          // Frequencies that old files store, though they follow from the config.
          && !name.endsWith(".rotary_emb.inv_freq")) {
        throw new UserError(
            checkpoint.tensor(name).where()
                + ": not part of a "
                + config.modelType()
                + " as "
                + config.file().getFileName()
                + " describes it (layers, biases), and leaving it out would change the vectors");
      }
    }
  }
}
