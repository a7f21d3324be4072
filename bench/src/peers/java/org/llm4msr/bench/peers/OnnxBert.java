package org.llm4msr.bench.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** A BERT in ONNX Runtime, on prompts of equal length. */
final class OnnxBert implements AutoCloseable {
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;

  OnnxBert(String file, int threads) throws OrtException {
    try (OrtSession.SessionOptions settings = new OrtSession.SessionOptions()) {
      settings.setIntraOpNumThreads(threads);
      session = environment.createSession(file, settings);
    }
  }

  String version() {
    return environment.getVersion();
  }

  /** A batch that is ready to run as often as wanted. */
  final class Batch implements AutoCloseable {
    private final Map<String, OnnxTensor> inputs;

    private Batch(List<int[]> prompts) throws OrtException {
      long[][] ids =
          prompts.stream()
              .map(p -> Arrays.stream(p).asLongStream().toArray())
              .toArray(long[][]::new);
      long[][] ones = new long[ids.length][ids[0].length];
      for (long[] row : ones) {
        Arrays.fill(row, 1);
      }
      inputs =
          Map.of(
              "input_ids", OnnxTensor.createTensor(environment, ids),
              "attention_mask", OnnxTensor.createTensor(environment, ones),
              "token_type_ids",
                  OnnxTensor.createTensor(environment, new long[ids.length][ids[0].length]));
    }

    void run() {
      try (OrtSession.Result result = session.run(inputs)) {
        result.get(0);
      } catch (OrtException e) {
        throw new IllegalStateException(e);
      }
    }

    /** Mean over the tokens' states, {@code [prompts][width]}. */
    float[][] means() throws OrtException {
      try (OrtSession.Result result = session.run(inputs)) {
        float[][][] states = (float[][][]) result.get(0).getValue();
        float[][] means = new float[states.length][states[0][0].length];
        for (int p = 0; p < means.length; p++) {
          for (int i = 0; i < means[p].length; i++) {
            double sum = 0;
            for (float[] state : states[p]) {
              sum += state[i];
            }
            means[p][i] = (float) (sum / states[p].length);
          }
        }
        return means;
      }
    }

    @Override
    public void close() {
      inputs.values().forEach(OnnxTensor::close);
    }
  }

  /**
   * @param prompts of one length
   */
  Batch batch(List<int[]> prompts) throws OrtException {
    return new Batch(prompts);
  }

  /** Mean states of prompts of any length, one by one. */
  float[][] means(List<int[]> prompts) throws OrtException {
    float[][] means = new float[prompts.size()][];
    for (int i = 0; i < means.length; i++) {
      try (Batch batch = batch(List.of(prompts.get(i)))) {
        means[i] = batch.means()[0];
      }
    }
    return means;
  }

  @Override
  public void close() throws OrtException {
    session.close();
  }
}
