package org.llm4msr.model.encoder;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.llm4msr.model.checkpoint.Checkpoint;
import org.llm4msr.model.family.HfConfig;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.model.tokenizer.HfTokenizer;
import org.llm4msr.model.tokenizer.Tokenizer;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.memory.HostBuffer;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/**
 * A frozen large language model that turns prompts into vectors.
 *
 * <pre>{@code
 * try (FrozenEncoder encoder = FrozenEncoder.load(directory, EncoderOptions.defaults())) {
 *   float[][] vectors = encoder.encode(List.of("Likes science fiction.", "Likes cooking."));
 * }
 * }</pre>
 *
 * <p>Its weights stay in the memory-mapped files. One thread at a time may use it.
 */
public final class FrozenEncoder implements AutoCloseable {
  private final Path directory;
  private final EncoderOptions options;
  private final ModelConfig config;
  private final Checkpoint checkpoint;
  private final Backend backend;
  private final ParameterStore weights;
  private Tokenizer tokenizer;
  private String checksum;

  // Rebuilt when a prompt is longer than all before.
  private int capacity;
  private ForwardGraph graph;
  private Plan plan;
  private HostBuffer vectors;

  private FrozenEncoder(
      Path directory,
      EncoderOptions options,
      ModelConfig config,
      Checkpoint checkpoint,
      Backend backend) {
    this.directory = directory;
    this.options = options;
    this.config = config;
    this.checkpoint = checkpoint;
    this.backend = backend;
    this.weights = new ParameterStore(backend);
  }

  /**
   * Opens a Hugging Face directory: {@code config.json}, weights in safetensors, and for text
   * {@code tokenizer.json}.
   *
   * @throws UserError if a file is missing or broken, the model is of an unknown kind, or the
   *     backend is not available
   */
  public static FrozenEncoder load(Path directory, EncoderOptions options) {
    ModelConfig config = HfConfig.read(directory);
    if (options.layer() > config.layers()) {
      throw new UserError(
          directory
              + ": layer "
              + options.layer()
              + " is asked for, but the model has "
              + config.layers());
    }
    Checkpoint checkpoint = Checkpoint.open(directory);
    Backend backend = null;
    try {
      BackendOptions backendOptions = new BackendOptions(options.threads());
      backend =
          options.backend() == null
              ? Backends.openBest(backendOptions)
              : Backends.open(options.backend(), backendOptions);
      FrozenEncoder encoder = new FrozenEncoder(directory, options, config, checkpoint, backend);
      try {
        WeightLoader.load(checkpoint, checkpoint.metadata(), config, backend, encoder.weights);
        return encoder;
      } catch (RuntimeException | Error e) {
        encoder.weights.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      if (backend != null) {
        backend.close();
      }
      checkpoint.close();
      throw e;
    }
  }

  /** Numbers in a vector. */
  public int width() {
    return config.hiddenSize();
  }

  /** Longest prompt in tokens; longer ones lose their middle, see {@link #fitted}. */
  public int maxTokensPerPrompt() {
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
      checksum =
          ModelChecksum.of(
              Stream.concat(Stream.of(config.file()), checkpoint.files().stream()).toList());
    }
    return checksum;
  }

  /**
   * Tokenises texts in parallel.
   *
   * @throws UserError if {@code tokenizer.json} is missing, broken or does not fit the model
   */
  public List<int[]> tokenize(List<String> texts) {
    Tokenizer opened = tokenizer();
    int workers = Math.min(options.threads(), texts.size());
    if (workers <= 1) {
      return texts.stream().map(opened::encode).toList();
    }
    int[][] tokens = new int[texts.size()][];
    try (ExecutorService pool = Executors.newFixedThreadPool(workers)) {
      List<Future<?>> parts = new ArrayList<>();
      for (int worker = 0; worker < workers; worker++) {
        int first = worker;
        parts.add(
            pool.submit(() -> {
              for (int i = first; i < tokens.length; i += workers) {
                tokens[i] = opened.encode(texts.get(i));
              }
            }));
      }
      for (Future<?> part : parts) {
        part.get();
      }
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UserError("interrupted while tokenising", e);
    }
    return Arrays.asList(tokens);
  }

  private Tokenizer tokenizer() {
    if (tokenizer == null) {
      Tokenizer opened = HfTokenizer.open(directory);
      if (opened.vocabularySize() > config.vocabularySize()) {
        int size = opened.vocabularySize();
        opened.close();
        throw new UserError(
            directory.resolve("tokenizer.json")
                + ": its vocabulary has "
                + size
                + " tokens, but vocab_size in config.json is "
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
    if (tokens.length == 0) {
      throw new UserError("the prompt has no tokens, expected at least one");
    }
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i] < 0 || tokens[i] >= config.vocabularySize()) {
        throw new UserError(
            "token "
                + i
                + " has the id "
                + tokens[i]
                + ", but the model's ids end at "
                + (config.vocabularySize() - 1)
                + ": the tokenizer does not fit the model");
      }
    }
    int most = maxTokensPerPrompt();
    if (tokens.length <= most) {
      return tokens;
    }
    int[] shortened = Arrays.copyOf(tokens, most);
    int tail = most / 2;
    System.arraycopy(tokens, tokens.length - tail, shortened, most - tail, tail);
    return shortened;
  }

  /**
   * Sorts prompts by length and packs them into batches of at most {@link
   * EncoderOptions#maxTokensPerBatch} tokens; the longest come first, so that memory is at its
   * largest from the beginning. The same prompts always give the same batches.
   *
   * @return indices into {@code prompts}, batch by batch
   */
  public List<int[]> pack(List<int[]> prompts) {
    int[] byLength =
        IntStream.range(0, prompts.size())
            .boxed()
            .sorted(Comparator.comparingInt(i -> -prompts.get(i).length))
            .mapToInt(Integer::intValue)
            .toArray();
    List<int[]> batches = new ArrayList<>();
    int begin = 0;
    while (begin < byLength.length) {
      int end = begin + 1;
      long total = prompts.get(byLength[begin]).length;
      while (end < byLength.length
          && total + prompts.get(byLength[end]).length <= options.maxTokensPerBatch()) {
        total += prompts.get(byLength[end++]).length;
      }
      batches.add(Arrays.copyOfRange(byLength, begin, end));
      begin = end;
    }
    return batches;
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
   * @throws UserError if a vector is not finite
   * @throws IllegalArgumentException if a prompt is empty or too long, or an id out of range
   */
  public void encodeBatch(List<int[]> prompts, int[] batch, VectorConsumer consumer) {
    int total = 0;
    for (int prompt : batch) {
      int length = prompts.get(prompt).length;
      if (length == 0 || length > maxTokensPerPrompt()) {
        throw new IllegalArgumentException("prompt " + prompt + " has " + length + " tokens");
      }
      total = Math.addExact(total, length);
    }
    if (total == 0) {
      return;
    }
    reserve(total);
    fillInputs(prompts, batch);
    plan.setExtent(graph.tokens, total);
    plan.setExtent(graph.segments, batch.length);
    plan.setExtent(graph.segmentBounds, batch.length + 1L);
    plan.setExtent(graph.prompts, batch.length);
    plan.setExtent(graph.promptBounds, batch.length + 1L);
    plan.run();
    plan.read(graph.vectors, vectors.segment());
    long vectorBytes = DType.F32.byteSize(width());
    for (int i = 0; i < batch.length; i++) {
      MemorySegment vector = vectors.segment().asSlice(i * vectorBytes, vectorBytes);
      requireFinite(vector);
      consumer.accept(batch[i], vector);
    }
  }

  /** Builds the plan for batches of {@code total} tokens unless the present one is large enough. */
  private void reserve(int total) {
    if (total <= capacity) {
      return;
    }
    closePlan();
    int wanted = Math.max(total, Math.min(options.maxTokensPerBatch(), 1 << 20));
    int layer = options.layer() == EncoderOptions.LAST_LAYER ? config.layers() : options.layer();
    ForwardGraph.Form form =
        new ForwardGraph.Form(
            ForwardGraph.Keys.OWN,
            options.pooling() == Pooling.MEAN_PROMPT,
            layer,
            options.finalNorm(),
            false);
    graph = new ForwardGraph(config, weights, form, new ForwardGraph.Capacity(wanted, wanted));
    vectors = HostBuffer.allocate(DType.F32.byteSize((long) wanted * width()), "vectors");
    plan = new Plan(backend, graph.graph(), weights, graph.outputs());
    capacity = wanted;
  }

  private void fillInputs(List<int[]> prompts, int[] batch) {
    int row = 0;
    for (int i = 0; i < batch.length; i++) {
      int[] tokens = prompts.get(batch[i]);
      put(graph.offsets, i, row);
      put(graph.pooledKeyBegins, i, row);
      put(graph.pooledOffsets, i, options.pooling() == Pooling.MEAN_PROMPT ? row : i);
      for (int position = 0; position < tokens.length; position++) {
        put(graph.tokenIds, row, tokens[position]);
        put(graph.positions, row, position);
        put(graph.rowOrder, row, row);
        row++;
      }
      put(graph.pooledRows, i, row - 1);
      put(graph.pooledPositions, i, tokens.length - 1);
      put(graph.pooledKeyEnds, i, row);
    }
    put(graph.offsets, batch.length, row);
    put(
        graph.pooledOffsets,
        batch.length,
        options.pooling() == Pooling.MEAN_PROMPT ? row : batch.length);
  }

  private void put(Value input, int index, int value) {
    if (plan.uses(input)) {
      plan.input(input).setAtIndex(ValueLayout.JAVA_INT, index, value);
    }
  }

  private void requireFinite(MemorySegment vector) {
    for (int i = 0; i < width(); i++) {
      if (!Float.isFinite(vector.getAtIndex(ValueLayout.JAVA_FLOAT, i))) {
        throw new UserError(
            directory
                + ": the model gives numbers that are not finite: its weights are damaged or"
                + " overflow single precision");
      }
    }
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

  private void closePlan() {
    if (plan != null) {
      plan.close();
      plan = null;
    }
    if (vectors != null) {
      vectors.close();
      vectors = null;
    }
    capacity = 0;
  }

  /** Frees everything; closing twice is harmless. */
  @Override
  public void close() {
    closePlan();
    weights.close();
    backend.close();
    checkpoint.close();
    if (tokenizer != null) {
      tokenizer.close();
      tokenizer = null;
    }
  }
}
