package org.llm4msr.bench.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.Rounds;
import org.llm4msr.bench.encoding.EncodingWorkload;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Pooling;

/**
 * A trained BERT's mean states, ours and ONNX Runtime's, round by round; first both must agree.
 *
 * <p>Arguments: threads, prompts x tokens such as {@code 8x128}, rounds, MODEL.onnx, the directory
 * that {@code bench/onnx_bert.py} made of it.
 */
public final class OnnxComparison {
  private static final double TOLERANCE = 1e-4;

  /** Of the original uncased BERT, which its small descendants share. */
  private static final int VOCABULARY = 30_522;

  private OnnxComparison() {}

  public static void main(String[] args) throws OrtException {
    int threads = Integer.parseInt(args[0]);
    EncodingWorkload workload = EncodingWorkload.parse(args[1]);
    int rounds = Integer.parseInt(args[2]);
    List<int[]> prompts =
        workload.tokenIds().stream()
            .map(ids -> Arrays.stream(ids).map(id -> id % VOCABULARY).toArray())
            .toList();
    EncoderOptions options =
        EncoderOptions.defaults().withThreads(threads).withPooling(Pooling.MEAN_PROMPT);
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession.SessionOptions settings = new OrtSession.SessionOptions()) {
      settings.setIntraOpNumThreads(threads);
      try (OrtSession session = environment.createSession(args[3], settings);
          OnnxTensor ids = ids(environment, prompts);
          OnnxTensor ones = filled(environment, workload, 1);
          OnnxTensor zeros = filled(environment, workload, 0);
          FrozenEncoder encoder = FrozenEncoder.load(Path.of(args[4]), options)) {
        Map<String, OnnxTensor> inputs =
            Map.of("input_ids", ids, "attention_mask", ones, "token_type_ids", zeros);
        System.out.println(
            Machine.describe(encoder.description()) + "; ONNX Runtime " + environment.getVersion());
        System.out.println(workload + ", threads " + threads);
        check(encoder.encodeTokens(prompts), states(session, inputs));
        int tokens = workload.totalTokens();
        new Rounds(rounds, 1.0, rounds * 10.0)
            .add("ONNX Runtime", tokens, () -> run(session, inputs))
            .add("llm4msr mean_prompt", tokens, () -> encoder.encodeTokens(prompts))
            .run()
            .forEach(System.out::println);
      }
    }
  }

  private static OnnxTensor ids(OrtEnvironment environment, List<int[]> prompts)
      throws OrtException {
    long[][] ids =
        prompts.stream().map(p -> Arrays.stream(p).asLongStream().toArray()).toArray(long[][]::new);
    return OnnxTensor.createTensor(environment, ids);
  }

  private static OnnxTensor filled(OrtEnvironment environment, EncodingWorkload workload, long value)
      throws OrtException {
    long[][] values = new long[workload.prompts()][workload.tokens()];
    for (long[] row : values) {
      Arrays.fill(row, value);
    }
    return OnnxTensor.createTensor(environment, values);
  }

  private static void run(OrtSession session, Map<String, OnnxTensor> inputs) {
    try (OrtSession.Result result = session.run(inputs)) {
      result.get(0);
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  /** {@code [prompts][tokens][width]} */
  private static float[][][] states(OrtSession session, Map<String, OnnxTensor> inputs)
      throws OrtException {
    try (OrtSession.Result result = session.run(inputs)) {
      return (float[][][]) result.get(0).getValue();
    }
  }

  private static void check(float[][] ours, float[][][] states) {
    double largest = 0;
    for (int p = 0; p < ours.length; p++) {
      for (int i = 0; i < ours[p].length; i++) {
        double mean = 0;
        for (float[] state : states[p]) {
          mean += state[i] / (double) states[p].length;
        }
        largest = Math.max(largest, Math.abs(ours[p][i] - mean));
      }
    }
    System.out.printf("largest difference of a mean state %.2g%n", largest);
    if (!(largest <= TOLERANCE)) {
      throw new IllegalStateException("mean states differ by more than " + TOLERANCE);
    }
  }
}
