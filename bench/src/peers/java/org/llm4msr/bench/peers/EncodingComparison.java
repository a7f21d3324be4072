package org.llm4msr.bench.peers;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;
import java.nio.file.Path;
import java.util.List;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.Rounds;
import org.llm4msr.bench.peers.TorchEncoder.Linear;
import org.llm4msr.bench.encoding.EncodingWorkload;
import org.llm4msr.bench.encoding.RandomCheckpoint;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Pooling;

/**
 * Encoding with F32 weights, ours and PyTorch's, round by round. First both encode the same prompts
 * with the same weights, and the vectors must agree.
 *
 * <p>Ours runs twice: with {@code mean_prompt}, which like PyTorch computes every token's state in
 * every layer, and with the default {@code last_prompt}, which in the last layer computes only what
 * is asked for.
 *
 * <p>Arguments: backend, threads, prompts x tokens such as {@code 8x128}, rounds, a directory for the
 * model with random weights.
 */
public final class EncodingComparison {
  private static final double TOLERANCE = 1e-3;

  private EncodingComparison() {}

  public static void main(String[] args) {
    int threads = Integer.parseInt(args[1]);
    EncodingWorkload workload = EncodingWorkload.parse(args[2]);
    int tokens = workload.totalTokens();
    int rounds = Integer.parseInt(args[3]);
    Path model = Path.of(args[4]);
    RandomCheckpoint.writeIfAbsent(model);
    Engine engine = Engine.getInstance();
    JniUtils.setNumThreads(threads);
    EncoderOptions options =
        EncoderOptions.defaults().withBackend(args[0]).withThreads(threads);
    try (NDManager manager = NDManager.newBaseManager();
        TorchEncoder torch = new TorchEncoder(manager, model, Linear.EAGER, tokens);
        TorchEncoder packed = new TorchEncoder(manager, model, Linear.ONE_DNN_PACKED, tokens);
        FrozenEncoder last = FrozenEncoder.load(model, options.withPooling(Pooling.LAST_PROMPT));
        FrozenEncoder mean = FrozenEncoder.load(model, options.withPooling(Pooling.MEAN_PROMPT))) {
      System.out.println(Machine.describe(last.description()) + "; " + engine);
      System.out.println(workload + ", threads " + threads);
      List<int[]> prompts = workload.tokenIds();
      NDArray ids = torch.ids(workload);
      for (TorchEncoder peer : List.of(torch, packed)) {
        try (NDArray states = peer.encode(ids)) {
          check("last_prompt", last.encodeTokens(prompts), states.get(":, -1"));
          check("mean_prompt", mean.encodeTokens(prompts), states.mean(new int[] {1}));
        }
      }
      new Rounds(rounds, 1.0, rounds * 10.0)
          .add("PyTorch", tokens, () -> torch.encode(ids).close())
          .add("PyTorch, oneDNN, packed", tokens, () -> packed.encode(ids).close())
          .add("llm4msr mean_prompt", tokens, () -> mean.encodeTokens(prompts))
          .add("llm4msr last_prompt", tokens, () -> last.encodeTokens(prompts))
          .run()
          .forEach(System.out::println);
    }
  }

  private static void check(String pooling, float[][] ours, NDArray theirs) {
    float[] expected = theirs.toFloatArray();
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      float[] vector = ours[i / RandomCheckpoint.HIDDEN];
      double difference = Math.abs(vector[i % RandomCheckpoint.HIDDEN] - expected[i]);
      largest = Math.max(largest, difference);
    }
    System.out.printf("%s: largest difference of a hidden state %.2g%n", pooling, largest);
    if (!(largest <= TOLERANCE)) {
      throw new IllegalStateException("hidden states differ by more than " + TOLERANCE);
    }
  }
}
