package org.llm4msr.model.encoder;

import java.nio.file.Path;
import java.util.List;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.plan.ParameterStore;

/** Keeps the generator that fits the present work; made anew for larger groups of prompts. */
final class Continuations implements AutoCloseable {
  private final Path model;
  private final EncoderOptions options;
  private final ModelConfig config;
  private final Backend backend;
  private final ParameterStore weights;
  private Generator generator;

  Continuations(
      Path model,
      EncoderOptions options,
      ModelConfig config,
      Backend backend,
      ParameterStore weights) {
    this.model = model;
    this.options = options;
    this.config = config;
    this.backend = backend;
    this.weights = weights;
  }

  /** For a group of prompts that fill a batch. */
  ForwardGraph.Capacity capacity() {
    int tokens = options.maxTokensPerBatch();
    long keys = tokens + (long) Generator.GROUP * options.maxNewTokens();
    return new ForwardGraph.Capacity(tokens, Generator.GROUP, Math.toIntExact(keys));
  }

  /** Bytes that a generator of this capacity takes. */
  long requiredBytes(ForwardGraph.Capacity capacity) {
    return Generator.requiredBytes(backend, config, weights, form(), capacity);
  }

  private ForwardGraph.Form form() {
    int layer = options.layer() == EncoderOptions.LAST_LAYER ? config.layers() : options.layer();
    return Generator.form(layer, options);
  }

  List<Generator.Continuation> run(
      List<int[]> prompts,
      GenerationOptions generation,
      boolean withStates,
      Generator.TokenListener listener) {
    ForwardGraph.Capacity needed = capacity(prompts, generation);
    if (generator == null || !generator.takes(needed)) {
      close();
      new MemoryNeed(0, requiredBytes(needed), MemoryNeed.free()).require(model);
      generator = new Generator(backend, config, weights, form(), needed);
    }
    return generator.run(prompts, generation, withStates, listener);
  }

  private ForwardGraph.Capacity capacity(List<int[]> prompts, GenerationOptions generation) {
    int longest = 0;
    long total = 0;
    for (int[] prompt : prompts) {
      longest = Math.max(longest, prompt.length);
      total += prompt.length;
    }
    // Every step takes the longest prompt, and one token of each.
    long tokens = Math.min(total, options.maxTokensPerBatch());
    tokens = Math.max(tokens, Math.max(longest, prompts.size()));
    if (longest <= config.attention().switchLength()) {
      // One that grows beyond it is read anew.
      int most = longest + generation.maxNewTokens();
      tokens = most > config.attention().switchLength() ? Math.max(tokens, most) : tokens;
    }
    int count = prompts.size();
    long keys = total + (long) count * generation.maxNewTokens();
    if (options.pooling().generated()) {
      // Other groups of the same work follow.
      tokens = Math.max(tokens, capacity().tokens());
      count = Math.max(count, capacity().prompts());
      keys = Math.max(keys, capacity().keys());
    }
    return new ForwardGraph.Capacity(Math.toIntExact(tokens), count, Math.toIntExact(keys));
  }

  @Override
  public void close() {
    if (generator != null) {
      generator.close();
      generator = null;
    }
  }
}
