package org.llm4msr.bench.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.bench.scoring.ScoringWorkload;

/** The same model in ONNX Runtime, as {@link TorchScorer} is in PyTorch; one thread. */
final class OnnxScorer implements ScoringPeer {
  private final ScorerWeights weights;
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OnnxRequests onnx;

  OnnxScorer(ScoringWorkload workload, int scenario) throws OrtException {
    weights = new ScorerWeights(workload, scenario);
    onnx = new OnnxRequests(model());
  }

  @Override
  public String name() {
    return onnx.name();
  }

  private OnnxModel model() {
    OnnxModel model = new OnnxModel();
    int users = ScoringWorkload.USER_FIELDS;
    int items = ScoringWorkload.ITEM_FIELDS;
    int dim = ScoringWorkload.EMBEDDING_DIM;
    String user = model.input("user", true, users);
    String item = model.input("items", true, items, -1);
    List<String> ofUser = new ArrayList<>();
    List<String> parts = new ArrayList<>();
    List<ScorerWeights.Array> tables = weights.tables();
    for (int f = 0; f < users; f++) {
      ofUser.add(embedded(model, tables.get(f), user, f));
    }
    String n = model.node("Gather", model.node("Shape", item), model.numbers(1));
    String shape = model.node("Concat", "axis", 0, n, model.numbers((long) users * dim));
    String together = model.node("Concat", "axis", 0, ofUser.toArray(String[]::new));
    parts.add(model.node("Expand", together, shape));
    for (int f = 0; f < items; f++) {
      parts.add(embedded(model, tables.get(users + f), item, f));
    }
    String x = model.node("Concat", "axis", 1, parts.toArray(String[]::new));
    if (weights.hasMeta()) {
      x = model.node("Add", x, userLayers(model, x));
    }
    String y = x;
    List<ScorerWeights.Array> star = weights.star();
    for (int layer = 0; layer < star.size(); layer += 2) {
      y = gemm(model, y, constant(model, star.get(layer)), constant(model, star.get(layer + 1)));
      if (layer + 2 < star.size()) {
        y = model.node("Relu", y);
      }
    }
    if (weights.hasMeta()) {
      y = fused(model, x, y);
    }
    String probabilities = model.node("Sigmoid", y);
    model.output(probabilities, -1, 1);
    return model;
  }

  /**
   * Rows of a table for the ids of a field: of the user {@code [dim]}, of items {@code [n, dim]}.
   */
  private static String embedded(
      OnnxModel model, ScorerWeights.Array table, String ids, int field) {
    // Gather with a scalar index takes the axis away.
    String index = scalar(model, field);
    return model.node("Gather", constant(model, table), model.node("Gather", ids, index));
  }

  private static String scalar(OnnxModel model, long number) {
    return model.node("Squeeze", model.numbers(number));
  }

  private static String constant(OnnxModel model, ScorerWeights.Array array) {
    return model.constant(array.elements(), array.shape());
  }

  private static String gemm(OnnxModel model, String x, String w, String bias) {
    return model.node("Gemm", x, w, bias);
  }

  private String userLayers(OnnxModel model, String x) {
    String h = model.input("h", false, 1, weights.knowledgeWidth());
    List<ScorerWeights.Array> meta = weights.userMeta();
    String t = model.node("Relu", generated(model, h, meta, 0));
    long width = ScorerWeights.WIDTH;
    long hidden = ScoringWorkload.META_HIDDEN;
    String w0 = model.node("Reshape", generated(model, t, meta, 2), model.numbers(width, hidden));
    String b0 = generated(model, t, meta, 4);
    String w1 = model.node("Reshape", generated(model, t, meta, 6), model.numbers(hidden, width));
    String b1 = generated(model, t, meta, 8);
    return gemm(model, model.node("Relu", gemm(model, x, w0, b0)), w1, b1);
  }

  /** {@code x W^T + b}. */
  private static String generated(
      OnnxModel model, String x, List<ScorerWeights.Array> arrays, int at) {
    return model.node(
        "Gemm",
        "transB",
        1,
        x,
        constant(model, arrays.get(at)),
        constant(model, arrays.get(at + 1)));
  }

  private String fused(OnnxModel model, String x, String y) {
    List<ScorerWeights.Array> s = weights.scenarioLayers();
    String hidden =
        model.node("Relu", gemm(model, x, constant(model, s.get(0)), constant(model, s.get(1))));
    String m = gemm(model, hidden, constant(model, s.get(2)), constant(model, s.get(3)));
    float alpha = weights.alpha();
    return model.node(
        "Add",
        model.node("Mul", y, model.constant(new float[] {alpha}, 1)),
        model.node("Mul", m, model.constant(new float[] {1 - alpha}, 1)));
  }

  @Override
  public void prepare(int user, int[] items) {
    long[] ofUser = weights.userIds(user);
    long[] ofItems = weights.itemIds(items);
    try {
      Map<String, OnnxTensor> inputs = new HashMap<>();
      inputs.put(
          "user",
          OnnxTensor.createTensor(
              environment, LongBuffer.wrap(ofUser), new long[] {ofUser.length}));
      inputs.put(
          "items",
          OnnxTensor.createTensor(
              environment,
              LongBuffer.wrap(ofItems),
              new long[] {ScoringWorkload.ITEM_FIELDS, items.length}));
      if (weights.hasMeta()) {
        float[] h = weights.vector(user);
        inputs.put(
            "h",
            OnnxTensor.createTensor(environment, FloatBuffer.wrap(h), new long[] {1, h.length}));
      }
      onnx.add(inputs);
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
