package org.llm4msr.bench.peers;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.model.ModelSupport;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.SafeTensorSupport;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import com.github.tjake.jlama.tensor.operations.TensorOperationsProvider;
import com.github.tjake.jlama.util.PhysicalCoreExecutor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.llm4msr.bench.Cosines;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.Rounds;
import org.llm4msr.bench.encoding.EncodingWorkload;
import org.llm4msr.bench.encoding.RandomCheckpoint;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Quantisation;

/**
 * Encoding in Jlama, which is written in Java with the Vector API and native products, and in ours,
 * round by round: weights in F32, and weights of 4 bits with activations of 8, as Jlama's own
 * models are. First the last tokens' states are compared.
 *
 * <p>Arguments: threads, prompts x tokens such as {@code 1x128}, rounds, a directory for the model
 * with random weights.
 */
public final class JlamaComparison {
  /**
   * Low: weights of 4 bits are coarse, and Jlama's native F32 products are not right everywhere.
   */
  private static final double LEAST_COSINE = 0.7;

  private JlamaComparison() {}

  public static void main(String[] args) {
    int threads = Integer.parseInt(args[0]);
    EncodingWorkload workload = EncodingWorkload.parse(args[1]);
    int rounds = Integer.parseInt(args[2]);
    Path directory = Path.of(args[3]);
    RandomCheckpoint.writeIfAbsent(directory);
    writeWhatJlamaWants(directory);
    List<int[]> prompts = workload.tokenIds();
    int tokens = workload.totalTokens();
    PhysicalCoreExecutor.overrideThreadCount(threads);
    EncoderOptions options = EncoderOptions.defaults().withThreads(threads);
    try (Peer exact = new Peer(directory, DType.F32);
        Peer small = new Peer(inFourBits(directory), DType.I8);
        FrozenEncoder ours = FrozenEncoder.load(directory, options);
        FrozenEncoder oursSmall =
            FrozenEncoder.load(directory, options.withQuantise(Quantisation.Q4_0_A8))) {
      System.out.println(
          Machine.describe(ours.description())
              + "; Jlama 0.8.4, "
              + TensorOperationsProvider.get().name());
      System.out.println(workload + ", threads " + threads);
      float[][] expected = ours.encodeTokens(prompts);
      compare("F32", expected, exact.lastStates(prompts));
      compare("Q4 x I8", expected, small.lastStates(prompts));
      System.out.println(
          "llm4msr q4_0_a8 to F32: " + Cosines.of(oursSmall.encodeTokens(prompts), expected));
      new Rounds(rounds, 1.0, rounds * 20.0)
          .add("Jlama F32", tokens, () -> exact.encode(prompts))
          .add("llm4msr F32", tokens, () -> ours.encodeTokens(prompts))
          .add("Jlama Q4 x I8", tokens, () -> small.encode(prompts))
          .add("llm4msr q4_0_a8", tokens, () -> oursSmall.encodeTokens(prompts))
          .run()
          .forEach(System.out::println);
    }
  }

  private static void compare(String form, float[][] ours, float[][] theirs) {
    Cosines cosines = Cosines.of(theirs, ours);
    System.out.println("Jlama " + form + " to our F32: " + cosines);
    if (!(cosines.least() >= LEAST_COSINE)) {
      throw new IllegalStateException("vectors are no nearer, so times would compare nothing");
    }
  }

  /** Jlama loads no model without a tokenizer and copies none without a README.md. */
  private static void writeWhatJlamaWants(Path directory) {
    try {
      Files.writeString(
          directory.resolve("tokenizer.json"),
          """
          {"added_tokens": [], "model": {"type": "BPE", "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2}, "merges": []}}
          """);
      Files.writeString(directory.resolve("tokenizer_config.json"), "{}");
      Files.writeString(directory.resolve("README.md"), "Random weights.");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Made in Jlama's own way, as the models that it offers are. */
  private static Path inFourBits(Path directory) {
    Path made = directory.resolveSibling(directory.getFileName() + "-jlama-q4");
    try {
      return Files.isDirectory(made)
          ? made
          : SafeTensorSupport.quantizeModel(directory, DType.Q4, null, null, Optional.of(made));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static final class Peer implements AutoCloseable {
    private final AbstractModel model;
    private final AbstractTensor<?, ?> norm;

    Peer(Path directory, DType activations) {
      model = ModelSupport.loadModel(directory.toFile(), DType.F32, activations);
      norm = model.getWeights().load("model.norm.weight");
    }

    void encode(List<int[]> prompts) {
      for (int[] prompt : prompts) {
        states(prompt).close();
      }
    }

    /** [tokens, hidden], before the last norm. */
    private AbstractTensor<?, ?> states(int[] prompt) {
      try (KvBufferCache.KvBuffer cache = new KvBufferCache(model).getEphemeralKvBuffer()) {
        return model.batchForward(prompt, 0, cache);
      }
    }

    float[][] lastStates(List<int[]> prompts) {
      float[][] last = new float[prompts.size()][RandomCheckpoint.HIDDEN];
      for (int p = 0; p < last.length; p++) {
        try (AbstractTensor<?, ?> states = states(prompts.get(p))) {
          // The length that the norm makes 1 does not matter to a cosine.
          for (int i = 0; i < RandomCheckpoint.HIDDEN; i++) {
            last[p][i] = states.get(prompts.get(p).length - 1, i) * norm.get(0, i);
          }
        }
      }
      return last;
    }

    @Override
    public void close() {
      norm.close();
      model.close();
    }
  }
}
