package org.llm4msr.bench.peers;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;
import ai.onnxruntime.OrtException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.bench.Cosines;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.Rounds;
import org.llm4msr.bench.encoding.EncodingWorkload;
import org.llm4msr.bench.encoding.RandomCheckpoint;
import org.llm4msr.bench.peers.TorchEncoder.Linear;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Pooling;
import org.llm4msr.model.encoder.Quantisation;

/**
 * Encoding in PyTorch, ONNX Runtime and ours, round by round, with F32 weights and, the latter two,
 * in 8 bits. First all encode the same prompts with the same weights, and the vectors in F32 must
 * agree.
 *
 * <p>Ours runs twice: with {@code mean_prompt}, which like PyTorch computes every token's state in
 * every layer, and with the default {@code last_prompt}, which in the last layer computes only what
 * is asked for.
 *
 * <p>Arguments: backend, threads, prompts x tokens such as {@code 8x128}, rounds, a directory of a
 * llama or qwen2 in F32; one of 110 M random weights is made where there is none.
 */
public final class EncodingComparison {
  private static final double TOLERANCE = 1e-3;

  private EncodingComparison() {}

  public static void main(String[] args) throws OrtException {
    int threads = Integer.parseInt(args[1]);
    EncodingWorkload workload = EncodingWorkload.parse(args[2]);
    int tokens = workload.totalTokens();
    int rounds = Integer.parseInt(args[3]);
    Path model = Path.of(args[4]);
    if (!Files.exists(model)) {
      RandomCheckpoint.writeIfAbsent(model);
    }
    Engine engine = Engine.getInstance();
    JniUtils.setNumThreads(threads);
    EncoderOptions options = EncoderOptions.defaults().withBackend(args[0]).withThreads(threads);
    try (NDManager manager = NDManager.newBaseManager();
        TorchEncoder torch = new TorchEncoder(manager, model, Linear.EAGER, tokens);
        TorchEncoder packed = new TorchEncoder(manager, model, Linear.ONE_DNN_PACKED, tokens);
        FrozenEncoder last = FrozenEncoder.load(model, options.withPooling(Pooling.LAST_PROMPT));
        FrozenEncoder mean = FrozenEncoder.load(model, options.withPooling(Pooling.MEAN_PROMPT));
        FrozenEncoder w8a8 = FrozenEncoder.load(model, options.withQuantise(Quantisation.W8A8));
        OnnxLlama onnx = new OnnxLlama(model, OnnxLlama.Linear.F32, workload, threads);
        OnnxLlama onnxInt8 = new OnnxLlama(model, OnnxLlama.Linear.INT8, workload, threads)) {
      System.out.println(Machine.describe(last.description()) + "; " + engine);
      System.out.println(workload + ", threads " + threads);
      List<int[]> prompts = workload.tokenIds();
      NDArray ids = torch.ids(workload);
      for (TorchEncoder peer : List.of(torch, packed)) {
        try (NDArray states = peer.encode(ids)) {
          Agreement.check(
              "last_prompt", last.encodeTokens(prompts), rows(states.get(":, -1")), TOLERANCE);
          Agreement.check(
              "mean_prompt",
              mean.encodeTokens(prompts),
              rows(states.mean(new int[] {1})),
              TOLERANCE);
        }
      }
      float[][] exact = last.encodeTokens(prompts);
      Agreement.check("ONNX Runtime", exact, onnx.lastStates(), TOLERANCE);
      System.out.println(
          "cosines to F32 of ONNX Runtime int8: " + Cosines.of(onnxInt8.lastStates(), exact));
      System.out.println(
          "cosines to F32 of llm4msr w8a8: " + Cosines.of(w8a8.encodeTokens(prompts), exact));
      new Rounds(rounds, 1.0, rounds * 20.0)
          .add("PyTorch", tokens, () -> torch.encode(ids).close())
          .add("PyTorch, oneDNN, packed", tokens, () -> packed.encode(ids).close())
          .add("ONNX Runtime", tokens, onnx::run)
          .add("llm4msr mean_prompt", tokens, () -> mean.encodeTokens(prompts))
          .add("llm4msr last_prompt", tokens, () -> last.encodeTokens(prompts))
          .add("ONNX Runtime int8", tokens, onnxInt8::run)
          .add("llm4msr w8a8 last_prompt", tokens, () -> w8a8.encodeTokens(prompts))
          .run()
          .forEach(System.out::println);
    }
  }

  private static float[][] rows(NDArray states) {
    float[] elements = states.toFloatArray();
    int width = Math.toIntExact(states.getShape().tail());
    float[][] rows = new float[elements.length / width][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = Arrays.copyOfRange(elements, i * width, (i + 1) * width);
    }
    return rows;
  }
}
