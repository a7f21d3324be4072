package org.llm4msr.model.encoder;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.memory.HostBuffer;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/**
 * Continues prompts token by token. Keys and values of earlier tokens stay in a cache; prompts of a
 * group take their steps together.
 */
final class Generator implements AutoCloseable {
  /** Prompts that are continued together. */
  static final int GROUP = 32;

  private final ModelConfig config;
  private final ForwardGraph.Capacity capacity;
  private final ForwardGraph graph;
  private final Plan plan;
  private final HostBuffer states;
  private final HostBuffer logits;

  /** One prompt on its way. */
  private static final class Sequence {
    private final int index;
    private final int[] prompt;
    private final int cacheBegin;
    private final Sampler sampler;
    private final List<Integer> generated = new ArrayList<>();
    private int cached;
    private int next;
    private float[] lastState;
    private float[] logits;
    private double[] stateSum;

    Sequence(int index, int[] prompt, int cacheBegin, GenerationOptions options) {
      this.index = index;
      this.prompt = prompt;
      this.cacheBegin = cacheBegin;
      this.sampler = new Sampler(options, prompt);
    }

    /** The prompt and what was generated. */
    int[] tokens() {
      int[] tokens = Arrays.copyOf(prompt, prompt.length + generated.size());
      for (int i = 0; i < generated.size(); i++) {
        tokens[prompt.length + i] = generated.get(i);
      }
      return tokens;
    }
  }

  /**
   * A continuation.
   *
   * @param tokens what was generated, without the token that ended it
   * @param last the state of the last token; of the prompt's last one if nothing was generated
   * @param mean the mean over the generated tokens' states; {@code last} if there are none
   * @param logits what comes after the last token that was read
   */
  record Continuation(int[] tokens, float[] last, float[] mean, float[] logits) {}

  /** Hears of tokens as they are chosen. */
  @FunctionalInterface
  interface TokenListener {
    /**
     * @param prompt index into the prompts given
     */
    void chosen(int prompt, int token);
  }

  /**
   * @param form as {@link #form} makes it
   * @param capacity tokens of a step, prompts of a group, rows of the cache
   */
  Generator(
      Backend backend,
      ModelConfig config,
      ParameterStore weights,
      ForwardGraph.Form form,
      ForwardGraph.Capacity capacity) {
    this.config = config;
    this.capacity = capacity;
    this.graph = new ForwardGraph(config, weights, form, capacity);
    long prompts = capacity.prompts();
    states = HostBuffer.allocate(DType.F32.byteSize(prompts * config.hiddenSize()), "states");
    logits = HostBuffer.allocate(DType.F32.byteSize(prompts * config.vocabularySize()), "logits");
    try {
      plan = new Plan(backend, graph.graph(), weights, graph.outputs());
    } catch (RuntimeException | Error e) {
      states.close();
      logits.close();
      throw e;
    }
  }

  /** Bytes that a generator would take, without taking them. */
  static long requiredBytes(
      Backend backend,
      ModelConfig config,
      ParameterStore weights,
      ForwardGraph.Form form,
      ForwardGraph.Capacity capacity) {
    ForwardGraph graph = new ForwardGraph(config, weights, form, capacity);
    long row = (long) config.hiddenSize() + config.vocabularySize();
    return Plan.workspaceBytes(backend, graph.graph(), graph.outputs())
        + DType.F32.byteSize(capacity.prompts() * row);
  }

  /**
   * What a generator builds.
   *
   * @param layer the layer whose output is read
   */
  static ForwardGraph.Form form(int layer, EncoderOptions options) {
    return new ForwardGraph.Form(
        ForwardGraph.Keys.CACHED,
        false,
        layer,
        options.finalNorm(),
        true,
        Quantisation.products(options.quantise()));
  }

  /** Whether a group of prompts fits. */
  boolean takes(ForwardGraph.Capacity needed) {
    return needed.tokens() <= capacity.tokens()
        && needed.prompts() <= capacity.prompts()
        && needed.keys() <= capacity.keys();
  }

  /**
   * Continues a group of prompts.
   *
   * @param withStates whether the last token is read too, only for its state
   * @throws UserError if logits are not finite
   */
  List<Continuation> run(
      List<int[]> prompts, GenerationOptions options, boolean withStates, TokenListener listener) {
    List<Sequence> all = new ArrayList<>();
    int row = 0;
    for (int i = 0; i < prompts.size(); i++) {
      all.add(new Sequence(i, prompts.get(i), row, options));
      row = Math.addExact(row, prompts.get(i).length + options.maxNewTokens());
    }
    readPrompts(all);
    List<Sequence> active = new ArrayList<>(all);
    while (!active.isEmpty()) {
      List<Sequence> reading = new ArrayList<>();
      for (Sequence sequence : active) {
        if (!choose(sequence, options)) {
          continue;
        }
        listener.chosen(sequence.index, sequence.next);
        if (withStates || sequence.generated.size() < options.maxNewTokens()) {
          reading.add(sequence);
        }
      }
      read(reading);
      active = reading;
      active.removeIf(sequence -> sequence.generated.size() >= options.maxNewTokens());
    }
    return all.stream().map(Generator::continuation).toList();
  }

  /** Each sequence its chosen token; sequences of different frequencies apart. */
  private void read(List<Sequence> sequences) {
    int switchLength = config.attention().switchLength();
    for (Sequence sequence : sequences) {
      if (sequence.cached == switchLength) {
        // What it has seen was turned as in a shorter sequence: it is read anew.
        sequence.cached = 0;
        step(List.of(sequence), List.of(sequence.tokens()));
      }
    }
    for (boolean beyond : new boolean[] {false, true}) {
      List<Sequence> side =
          sequences.stream()
              .filter(s -> s.cached < s.prompt.length + s.generated.size())
              .filter(s -> s.cached > switchLength == beyond)
              .toList();
      if (!side.isEmpty()) {
        step(side, side.stream().map(s -> new int[] {s.next}).toList());
      }
    }
  }

  /** As many prompts at a time as a step takes. */
  private void readPrompts(List<Sequence> all) {
    int begin = 0;
    while (begin < all.size()) {
      int end = begin;
      long total = 0;
      while (end < all.size() && total + all.get(end).prompt.length <= capacity.tokens()) {
        total += all.get(end++).prompt.length;
      }
      List<Sequence> part = all.subList(begin, end);
      step(part, part.stream().map(sequence -> sequence.prompt).toList());
      begin = end;
    }
  }

  /** Chooses a token from the logits of the last step; false if it ends the text. */
  private boolean choose(Sequence sequence, GenerationOptions options) {
    if (options.stop() && config.stopTokens().contains(sequence.next)) {
      return false;
    }
    sequence.generated.add(sequence.next);
    return true;
  }

  /** Feeds each sequence its tokens; afterwards each knows what comes next. */
  private void step(List<Sequence> sequences, List<int[]> tokens) {
    int rows = 0;
    for (int i = 0; i < sequences.size(); i++) {
      Sequence sequence = sequences.get(i);
      put(graph.offsets, i, rows);
      put(graph.pooledOffsets, i, i);
      for (int token : tokens.get(i)) {
        put(graph.tokenIds, rows, token);
        put(graph.positions, rows, sequence.cached);
        put(graph.cacheRows, rows, sequence.cacheBegin + sequence.cached++);
        rows++;
      }
      int keyEnd = sequence.cacheBegin + sequence.cached;
      put(graph.keyBegins, i, sequence.cacheBegin);
      put(graph.keyEnds, i, keyEnd);
      put(graph.pooledKeyBegins, i, sequence.cacheBegin);
      put(graph.pooledKeyEnds, i, keyEnd);
      put(graph.pooledRows, i, rows - 1);
      put(graph.pooledPositions, i, sequence.cached - 1);
    }
    int count = sequences.size();
    put(graph.offsets, count, rows);
    put(graph.pooledOffsets, count, count);
    plan.setExtent(graph.tokens, rows);
    plan.setExtent(graph.segments, count);
    plan.setExtent(graph.segmentBounds, count + 1L);
    plan.setExtent(graph.prompts, count);
    plan.setExtent(graph.promptBounds, count + 1L);
    graph.putFrequencies(plan, sequences.get(0).cached);
    plan.run();
    plan.read(graph.vectors, states.segment());
    plan.read(graph.logits, logits.segment());
    for (int i = 0; i < count; i++) {
      read(sequences.get(i), i);
    }
  }

  private void read(Sequence sequence, int row) {
    sequence.lastState = row(states.segment(), row, config.hiddenSize());
    if (!sequence.generated.isEmpty()) {
      if (sequence.stateSum == null) {
        sequence.stateSum = new double[sequence.lastState.length];
      }
      for (int i = 0; i < sequence.stateSum.length; i++) {
        sequence.stateSum[i] += sequence.lastState[i];
      }
    }
    sequence.logits = row(logits.segment(), row, config.vocabularySize());
    float[] next = sequence.logits;
    for (float logit : next) {
      if (!Float.isFinite(logit)) {
        throw new UserError(
            config.file().getParent()
                + ": the model gives numbers that are not finite: its weights are damaged or"
                + " overflow single precision");
      }
    }
    sequence.next = sequence.sampler.choose(next);
  }

  private static float[] row(MemorySegment matrix, int row, int width) {
    long bytes = DType.F32.byteSize(width);
    return matrix.asSlice(row * bytes, bytes).toArray(ValueLayout.JAVA_FLOAT);
  }

  private static Continuation continuation(Sequence sequence) {
    int count = sequence.generated.size();
    float[] mean = sequence.lastState.clone();
    if (sequence.stateSum != null) {
      for (int i = 0; i < mean.length; i++) {
        mean[i] = (float) (sequence.stateSum[i] / count);
      }
    }
    int[] tokens = sequence.generated.stream().mapToInt(Integer::intValue).toArray();
    return new Continuation(tokens, sequence.lastState, mean, sequence.logits);
  }

  private void put(Value input, int index, int value) {
    if (plan.uses(input)) {
      plan.input(input).setAtIndex(ValueLayout.JAVA_INT, index, value);
    }
  }

  @Override
  public void close() {
    plan.close();
    states.close();
    logits.close();
  }
}
