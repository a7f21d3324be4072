package org.llm4msr.bench.peers;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.llm4msr.bench.scoring.MlpWorkload;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.runtime.Tensor;

/**
 * The network of {@link MlpWorkload} in ONNX Runtime, one thread. Requests are matrices of 200
 * numbers for each item: nothing is looked up.
 */
final class OnnxMlp implements ScoringPeer {
  private static final int WIDTH =
      (MlpWorkload.USER_FIELDS + MlpWorkload.ITEM_FIELDS) * MlpWorkload.EMBEDDING_DIM;

  private final MlpWorkload workload;
  private final int scenario;
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OnnxRequests onnx;
  private final List<float[]> tables = new ArrayList<>();

  OnnxMlp(MlpWorkload workload, int scenario) throws OrtException {
    this.workload = workload;
    this.scenario = scenario;
    workload
        .dataset()
        .fields()
        .forEach(
            field -> tables.add(floats("embedding.tables." + field.name() + ".weight", false)));
    onnx = new OnnxRequests(model());
  }

  @Override
  public String name() {
    return onnx.name();
  }

  /** A parameter, or the scenario's part of one. */
  private float[] floats(String name, boolean ofScenario) {
    Tensor tensor = workload.store().get(name);
    float[] all = tensor.segment().toArray(JAVA_FLOAT);
    int scenarios = workload.dataset().scenarios().size();
    int part = all.length / scenarios;
    return ofScenario ? Arrays.copyOfRange(all, scenario * part, (scenario + 1) * part) : all;
  }

  private OnnxModel model() {
    OnnxModel model = new OnnxModel();
    String y = model.input("x", false, -1, WIDTH);
    y = model.node("Relu", layer(model, y, "backbone.bottom.lin.0", false));
    y = model.node("Relu", layer(model, y, "backbone.bottom.lin.1", false));
    y = model.node("Relu", layer(model, y, "backbone.towers.*.lin.0", true));
    y = layer(model, y, "backbone.towers.*.out", true);
    model.output(model.node("Sigmoid", y), -1, 1);
    return model;
  }

  private String layer(OnnxModel model, String x, String name, boolean ofScenario) {
    float[] weight = floats(name + ".weight", ofScenario);
    float[] bias = floats(name + ".bias", ofScenario);
    long out = bias.length;
    String w = model.constant(weight, out, weight.length / out);
    return model.node("Gemm", "transB", 1, x, w, model.constant(bias, out));
  }

  @Override
  public void prepare(int user, int[] items) {
    int dim = MlpWorkload.EMBEDDING_DIM;
    Dataset dataset = workload.dataset();
    float[] x = new float[items.length * WIDTH];
    for (int i = 0; i < items.length; i++) {
      for (int f = 0; f < tables.size(); f++) {
        int id = dataset.fields().get(f).id(f < MlpWorkload.USER_FIELDS ? user : items[i]);
        System.arraycopy(tables.get(f), id * dim, x, i * WIDTH + f * dim, dim);
      }
    }
    try {
      onnx.add(
          Map.of(
              "x",
              OnnxTensor.createTensor(
                  environment, FloatBuffer.wrap(x), new long[] {items.length, WIDTH})));
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public float[] score(int request) {
    return onnx.score(request);
  }

  @Override
  public void run(int request) {
    onnx.run(request);
  }

  @Override
  public void close() {
    onnx.close();
  }
}
