package org.llm4msr.model.encoder;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.model.tokenizer.ChatTemplate;
import org.llm4msr.model.tokenizer.Tokenizer;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.plan.ParameterStore;

/**
 * A frozen large language model that turns prompts into vectors.
 *
 * <pre>{@code
 * try (FrozenEncoder encoder = FrozenEncoder.load(directory, EncoderOptions.defaults())) {
 *   float[][] vectors = encoder.encode(List.of("Likes science fiction.", "Likes cooking."));
 * }
 * }</pre>
 *
 * <p>Its weights stay in the memory-mapped files, or are packed once in place of their pages. One
 * thread at a time may use it.
 */
public final class FrozenEncoder implements AutoCloseable {
  private static final int MOST_TOKENS = 1 << 20;

  private final ModelFiles files;
  private final EncoderOptions options;
  private final ModelConfig config;
  private final Backend backend;
  private final ParameterStore weights;
  private Tokenizer tokenizer;
  private String checksum;

  // Made anew when a batch is larger than all before, or the first whose prompts begin alike.
  private BatchPlan plan;
  private final Continuations continuations;

  private FrozenEncoder(
      ModelFiles files, EncoderOptions options, ModelConfig config, Backend backend) {
    this.files = files;
    this.options = options;
    this.config = config;
    this.backend = backend;
    this.weights = new ParameterStore(backend);
    this.continuations = new Continuations(files.path(), options, config, backend, weights);
  }

  /**
   * Opens a model: a Hugging Face directory ({@code config.json}, weights in safetensors, and for
   * text {@code tokenizer.json} or {@code tokenizer.model}), or a GGUF file.
   *
   * @throws UserError if a file is missing or broken, the model is of an unknown kind, or the
   *     backend is not available
   */
  public static FrozenEncoder load(Path model, EncoderOptions options) {
    ModelFiles files = ModelFiles.open(model, options.quantise());
    Backend backend = null;
    try {
      ModelConfig config = files.config();
      options.requirePossible(model, config);
      BackendOptions backendOptions = new BackendOptions(options.threads());
      backend =
          options.backend() == null
              ? Backends.openBest(backendOptions)
              : Backends.open(options.backend(), backendOptions);
      FrozenEncoder encoder = new FrozenEncoder(files, options, config, backend);
      try {
        Quantisation.requireProducts(options.quantise(), backend);
        if (Quantisation.products(options.quantise()) == Quantisation.Products.FLOATS) {
          encoder.requireMemory(files.weightBytes(), 0);
        }
        WeightLoader.load(files.weights(), files.aliases(), config, backend, encoder.weights);
        Quantisation.requireBlocks(options.quantise(), model, encoder.weights);
        if (options.pooling().generated()) {
          encoder.loadHead();
        }
        encoder.memory().require(model);
        return encoder;
      } catch (RuntimeException | Error e) {
        encoder.weights.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      if (backend != null) {
        backend.close();
      }
      files.close();
      throw e;
    }
  }

  private void requireMemory(long weightBytes, long workspaceBytes) {
    new MemoryNeed(weightBytes, workspaceBytes, MemoryNeed.free()).require(files.path());
  }

  /** What the weights and batches of the usual size need; computed, not measured. */
  public MemoryNeed memory() {
    ForwardGraph.Capacity capacity = capacity(1, 1, 0);
    long workspace = BatchPlan.requiredBytes(backend, config, weights, form(reuses()), capacity);
    if (options.pooling().generated()) {
      workspace += continuations.requiredBytes(continuations.capacity());
    }
    long weightBytes = MemoryNeed.weightBytes(weights, options.quantise());
    return new MemoryNeed(weightBytes, workspace, MemoryNeed.free());
  }

  /** Numbers in a vector. */
  public int width() {
    return config.hiddenSize();
  }

  /** Longest prompt in tokens; longer ones lose their middle, see {@link #fitted}. */
  public int maxTokensPerPrompt() {
    return config.maxPositions() - (options.pooling().generated() ? options.maxNewTokens() : 0);
  }

  /** Positions of the model: prompts and what is generated after them must not be longer. */
  public int positions() {
    return config.maxPositions();
  }

  public EncoderOptions options() {
    return options;
  }

  /** Family, size, backend and threads, for people. */
  public String description() {
    return config.family()
        + ", "
        + config.layers()
        + " layers of width "
        + config.hiddenSize()
        + ", on "
        + backend.name()
        + " ("
        + backend.description()
        + ")";
  }

  /** Hash of config and weights; reads all files the first time. */
  public String checksum() {
    if (checksum == null) {
      checksum = ModelChecksum.of(files.files());
    }
    return checksum;
  }

  /**
   * Tokenises texts in parallel.
   *
   * @throws UserError if the tokenizer is missing, broken or does not fit the model, or a chat is
   *     asked for and the model has no chat template of a known form
   */
  public List<int[]> tokenize(List<String> texts) {
    List<String> prompts = texts;
    if (options.chat()) {
      ChatTemplate template = files.chatTemplate();
      prompts = texts.stream().map(template::render).toList();
    }
    Tokenizer opened = tokenizer();
    return ParallelTokenizer.encode(
        options.chat() ? opened::encodeRendered : opened::encode, prompts, options.threads());
  }

  private Tokenizer tokenizer() {
    if (tokenizer == null) {
      Tokenizer opened = files.openTokenizer();
      if (opened.vocabularySize() > config.vocabularySize()) {
        int size = opened.vocabularySize();
        opened.close();
        throw new UserError(
            files.path()
                + ": the tokenizer's vocabulary has "
                + size
                + " tokens, but the model's "
                + config.vocabularySize()
                + ": the tokenizer does not belong to this model");
      }
      tokenizer = opened;
    }
    return tokenizer;
  }

  /**
   * Checks a prompt, and shortens it if it is longer than the model's positions: the first and the
   * last half stay, since prompts begin with what is asked and end with where the answer would
   * begin, and what lies between them is a list.
   *
   * @return {@code tokens} itself if it fits
   * @throws UserError if it is empty or holds an id outside the vocabulary
   */
  public int[] fitted(int[] tokens) {
    return fitted(tokens, maxTokensPerPrompt());
  }

  /**
   * As {@link #fitted(int[])}, for another length.
   *
   * @param most at least 1
   */
  public int[] fitted(int[] tokens, int most) {
    return Packing.fitted(tokens, most, config.vocabularySize());
  }

  /**
   * Packs prompts into batches of which at most {@link EncoderOptions#maxTokensPerBatch} tokens are
   * computed. Prompts that begin alike come together, if their beginnings are computed once. The
   * same prompts in any order give batches of the same content.
   *
   * @return indices into {@code prompts}, batch by batch
   */
  public List<int[]> pack(List<int[]> prompts) {
    if (options.pooling().generated()) {
      return groups(prompts);
    }
    int budget = options.maxTokensPerBatch();
    int length = config.attention().switchLength();
    return reuses()
        ? Packing.apart(prompts, length, side -> Packing.byBeginning(side, budget))
        : Packing.apart(prompts, length, side -> Packing.byLength(side, budget));
  }

  private List<int[]> groups(List<int[]> prompts) {
    int length = config.attention().switchLength();
    int budget = options.maxTokensPerBatch();
    return Packing.apart(prompts, length, s -> Packing.inGroups(s, budget, Generator.GROUP));
  }

  /** What a token sees must not depend on what follows, or a beginning is never the same. */
  private boolean reuses() {
    return options.prefixReuse() && config.attention().causal();
  }

  /** Receives vectors one by one. */
  @FunctionalInterface
  public interface VectorConsumer {
    /**
     * @param prompt index into the prompts given
     * @param vector F32 [width], valid during the call only
     */
    void accept(int prompt, MemorySegment vector);
  }

  /**
   * Encodes one batch.
   *
   * @param prompts token ids, each as {@link #fitted} returns them
   * @param batch indices into {@code prompts}, as {@link #pack} returns them
   * @return how many tokens were computed: all but those of beginnings that were computed already
   * @throws UserError if a vector is not finite
   * @throws IllegalArgumentException if a prompt is empty or too long, or an id out of range
   */
  public long encodeBatch(List<int[]> prompts, int[] batch, VectorConsumer consumer) {
    if (batch.length == 0) {
      return 0;
    }
    int switchLength = config.attention().switchLength();
    boolean beyond = prompts.get(batch[0]).length > switchLength;
    for (int prompt : batch) {
      int length = prompts.get(prompt).length;
      if (length == 0 || length > maxTokensPerPrompt() || length > switchLength != beyond) {
        throw new IllegalArgumentException(
            "prompt " + prompt + " has " + length + " tokens, too many or in the wrong batch");
      }
    }
    if (options.pooling().generated()) {
      return encodeByContinuing(prompts, batch, consumer);
    }
    PackedBatch packed = PackedBatch.of(prompts, batch, reuses());
    if (packed.rows() == packed.promptTokens) {
      packed = PackedBatch.of(prompts, batch, false);
    }
    reserve(packed);
    MemorySegment vectors = plan.run(packed);
    long vectorBytes = DType.F32.byteSize(width());
    for (int i = 0; i < batch.length; i++) {
      deliver(batch[i], vectors.asSlice(i * vectorBytes, vectorBytes), consumer);
    }
    return packed.rows();
  }

  private long encodeByContinuing(List<int[]> prompts, int[] batch, VectorConsumer consumer) {
    List<int[]> group = Arrays.stream(batch).mapToObj(prompts::get).toList();
    List<Generator.Continuation> continued =
        continuations.run(
            group, GenerationOptions.greedy(options.maxNewTokens()), true, (_, _) -> {});
    try (Arena arena = Arena.ofConfined()) {
      for (int i = 0; i < batch.length; i++) {
        Generator.Continuation one = continued.get(i);
        float[] state = options.pooling() == Pooling.LAST_GENERATED ? one.last() : one.mean();
        deliver(batch[i], arena.allocateFrom(ValueLayout.JAVA_FLOAT, state), consumer);
      }
    }
    return group.stream().mapToLong(prompt -> prompt.length).sum();
  }

  private void deliver(int prompt, MemorySegment vector, VectorConsumer consumer) {
    Vectors.requireFinite(vector, files.path());
    if (options.l2()) {
      Vectors.scaleToOne(vector);
    }
    consumer.accept(prompt, vector);
  }

  /** Makes a plan for the batch unless the present one takes it. */
  private void reserve(PackedBatch batch) {
    if (plan != null && plan.takes(batch)) {
      return;
    }
    closePlan();
    ForwardGraph.Form form = form(batch.shared);
    ForwardGraph.Capacity capacity =
        capacity(batch.rows(), batch.prompts, batch.shared ? batch.keyCount() : 0);
    requireMemory(0, BatchPlan.requiredBytes(backend, config, weights, form, capacity));
    plan = new BatchPlan(backend, config, weights, form, capacity);
  }

  private int layer() {
    return options.layer() == EncoderOptions.LAST_LAYER ? config.layers() : options.layer();
  }

  private ForwardGraph.Form form(boolean shared) {
    return new ForwardGraph.Form(
        shared ? ForwardGraph.Keys.SHARED : ForwardGraph.Keys.OWN,
        options.pooling() == Pooling.MEAN_PROMPT,
        layer(),
        options.finalNorm(),
        false,
        Quantisation.products(options.quantise()));
  }

  /** For batches of the usual size, and for this one. */
  private ForwardGraph.Capacity capacity(int rows, int prompts, long keys) {
    int tokens = Math.max(rows, Math.min(options.maxTokensPerBatch(), MOST_TOKENS));
    long most = reuses() ? Math.max(keys, (long) tokens * Packing.KEYS_PER_TOKEN) : tokens;
    return new ForwardGraph.Capacity(tokens, Math.max(tokens, prompts), Math.toIntExact(most));
  }

  /**
   * Encodes token ids as they are; prompts that are too long are shortened as {@link #fitted} says.
   *
   * @return [prompts, width], in the order of the prompts
   * @throws UserError if a prompt is empty or holds an id outside the vocabulary
   */
  public float[][] encodeTokens(List<int[]> prompts) {
    List<int[]> fitted = prompts.stream().map(this::fitted).toList();
    float[][] result = new float[prompts.size()][];
    for (int[] batch : pack(fitted)) {
      encodeBatch(
          fitted,
          batch,
          (prompt, vector) -> result[prompt] = vector.toArray(ValueLayout.JAVA_FLOAT));
    }
    return result;
  }

  /**
   * Tokenises and encodes texts.
   *
   * @return [texts, width], in the order of the texts
   * @throws UserError as {@link #tokenize} and {@link #encodeTokens} say
   */
  public float[][] encode(List<String> texts) {
    return encodeTokens(tokenize(texts));
  }

  private void loadHead() {
    WeightLoader.loadHead(files.weights(), config, backend, weights);
  }

  /** Hears of tokens as they are generated. */
  @FunctionalInterface
  public interface TokenListener {
    /**
     * @param prompt index into the prompts given
     */
    void generated(int prompt, int token);
  }

  /**
   * Continues prompts.
   *
   * @param prompts token ids; with the new tokens they must not be longer than the model's
   *     positions
   * @return the new tokens of each prompt, without the one that ends a text
   * @throws UserError if the family predicts no tokens, a prompt is empty, too long or holds an id
   *     outside the vocabulary, or the model is damaged
   */
  public List<int[]> generate(
      List<int[]> prompts, GenerationOptions generation, TokenListener listener) {
    loadHead();
    for (int[] prompt : prompts) {
      fitted(prompt);
      if ((long) prompt.length + generation.maxNewTokens() > config.maxPositions()) {
        throw new UserError(
            "the prompt has "
                + prompt.length
                + " tokens, with "
                + generation.maxNewTokens()
                + " new ones that is more than the model's "
                + config.maxPositions()
                + " positions");
      }
    }
    int[][] result = new int[prompts.size()][];
    for (int[] batch : groups(prompts)) {
      List<int[]> group = Arrays.stream(batch).mapToObj(prompts::get).toList();
      List<Generator.Continuation> continued =
          continuations.run(
              group,
              generation,
              false,
              (prompt, token) -> listener.generated(batch[prompt], token));
      for (int i = 0; i < batch.length; i++) {
        result[batch[i]] = continued.get(i).tokens();
      }
    }
    return Arrays.asList(result);
  }

  /**
   * Continues a text, and hands out the new text piece by piece as it comes.
   *
   * @return all of it
   * @throws UserError as {@link #tokenize} and {@link #generate(List, GenerationOptions,
   *     TokenListener)} say
   */
  public String generate(String text, GenerationOptions generation, Consumer<String> pieces) {
    Tokenizer opened = tokenizer();
    TextStream stream = new TextStream(opened, pieces);
    List<int[]> tokens =
        generate(tokenize(List.of(text)), generation, (_, token) -> stream.add(token));
    stream.finish();
    return opened.decode(tokens.get(0));
  }

  /**
   * Logits of the token that follows a prompt.
   *
   * @return [vocabulary]
   * @throws UserError as {@link #generate(List, GenerationOptions, TokenListener)} says
   */
  public float[] logits(int[] prompt) {
    loadHead();
    fitted(prompt);
    return continuations
        .run(List.of(prompt), GenerationOptions.greedy(1), false, (_, _) -> {})
        .get(0)
        .logits();
  }

  /** The text of tokens. */
  public String decode(int[] tokens) {
    return tokenizer().decode(tokens);
  }

  private void closePlan() {
    if (plan != null) {
      plan.close();
      plan = null;
    }
  }

  /** Frees everything; closing twice is harmless. */
  @Override
  public void close() {
    closePlan();
    continuations.close();
    weights.close();
    backend.close();
    files.close();
    if (tokenizer != null) {
      tokenizer.close();
      tokenizer = null;
    }
  }
}
