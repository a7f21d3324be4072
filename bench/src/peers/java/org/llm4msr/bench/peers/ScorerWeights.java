package org.llm4msr.bench.peers;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.bench.scoring.ScoringWorkload;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.runtime.Tensor;

/**
 * A workload's weights as peers take them: STAR's are multiplied and the scenario's layers
 * generated beforehand.
 */
final class ScorerWeights {
  static final int WIDTH =
      (ScoringWorkload.USER_FIELDS + ScoringWorkload.ITEM_FIELDS) * ScoringWorkload.EMBEDDING_DIM;

  private final ScoringWorkload workload;
  private final int scenario;

  /** Row-major. */
  record Array(float[] elements, long... shape) {}

  ScorerWeights(ScoringWorkload workload, int scenario) {
    this.workload = workload;
    this.scenario = scenario;
  }

  int knowledgeWidth() {
    return workload.knowledgeWidth();
  }

  boolean hasMeta() {
    return knowledgeWidth() > 0;
  }

  Dataset dataset() {
    return workload.dataset();
  }

  private Tensor tensor(String name) {
    return workload.store().get(name);
  }

  private static float[] floats(Tensor tensor, long from, long count) {
    return tensor.segment().asSlice(from * Float.BYTES, count * Float.BYTES).toArray(JAVA_FLOAT);
  }

  private static Array whole(Tensor tensor) {
    return new Array(floats(tensor, 0, tensor.shape().elements()), tensor.shape().toArray());
  }

  /** A table for each field, those of the user first. */
  List<Array> tables() {
    List<Array> tables = new ArrayList<>();
    dataset()
        .fields()
        .forEach(
            field -> tables.add(whole(tensor("embedding.tables." + field.name() + ".weight"))));
    return tables;
  }

  /** W {@code [in, out]} and b of each layer. */
  List<Array> star() {
    List<Array> layers = new ArrayList<>();
    int in = WIDTH;
    for (int layer = 0; layer <= ScoringWorkload.HIDDEN.size(); layer++) {
      boolean last = layer == ScoringWorkload.HIDDEN.size();
      int out = last ? 1 : ScoringWorkload.HIDDEN.get(layer);
      layers.add(new Array(combined("w", layer, in * out, true), in, out));
      layers.add(new Array(combined("b", layer, out, false), out));
      in = out;
    }
    return layers;
  }

  /** Shared times own weights, or shared plus own biases. */
  private float[] combined(String kind, int layer, int size, boolean product) {
    float[] shared = floats(tensor("backbone.shared_" + kind + "." + layer), 0, size);
    float[] own =
        floats(tensor("backbone.spec_" + kind + ".*." + layer), (long) scenario * size, size);
    for (int i = 0; i < size; i++) {
      shared[i] = product ? shared[i] * own[i] : shared[i] + own[i];
    }
    return shared;
  }

  /** W and b of the scenario's two layers. */
  List<Array> scenarioLayers() {
    int width = knowledgeWidth();
    float[] h = floats(tensor("knowledge.scenario"), (long) scenario * width, width);
    float[] t = linear("scen_meta.trunk", h);
    for (int i = 0; i < t.length; i++) {
      t[i] = Math.max(0, t[i]);
    }
    int hidden = ScoringWorkload.META_HIDDEN;
    return List.of(
        new Array(linear("scen_meta.w.0", t), WIDTH, hidden),
        new Array(linear("scen_meta.b.0", t), hidden),
        new Array(linear("scen_meta.w.1", t), hidden, 1),
        new Array(linear("scen_meta.b.1", t), 1));
  }

  private float[] linear(String name, float[] x) {
    Tensor weight = tensor(name + ".weight");
    float[] w = floats(weight, 0, weight.shape().elements());
    float[] y = floats(tensor(name + ".bias"), 0, weight.shape().dim(0));
    for (int j = 0; j < y.length; j++) {
      for (int i = 0; i < x.length; i++) {
        y[j] += w[j * x.length + i] * x[i];
      }
    }
    return y;
  }

  /** Weight {@code [out, in]} and bias of the trunk and each generator of users' layers. */
  List<Array> userMeta() {
    List<Array> arrays = new ArrayList<>();
    for (String part : List.of("trunk", "w.0", "b.0", "w.1", "b.1")) {
      for (String kind : List.of("weight", "bias")) {
        arrays.add(whole(tensor("user_meta." + part + "." + kind)));
      }
    }
    return arrays;
  }

  /** The backbone's share of the logit. */
  float alpha() {
    return (float) (1 / (1 + Math.exp(-floats(tensor("alpha"), 0, 1)[0])));
  }

  long[] userIds(int user) {
    long[] ids = new long[ScoringWorkload.USER_FIELDS];
    for (int f = 0; f < ids.length; f++) {
      ids[f] = dataset().fields().get(f).id(user);
    }
    return ids;
  }

  /** {@code [fields, items]} */
  long[] itemIds(int[] items) {
    long[] ids = new long[ScoringWorkload.ITEM_FIELDS * items.length];
    for (int f = 0; f < ScoringWorkload.ITEM_FIELDS; f++) {
      for (int i = 0; i < items.length; i++) {
        ids[f * items.length + i] =
            dataset().fields().get(ScoringWorkload.USER_FIELDS + f).id(items[i]);
      }
    }
    return ids;
  }

  /** The user's vector; one 0 without knowledge. */
  float[] vector(int user) {
    int width = knowledgeWidth();
    return hasMeta() ? floats(tensor("knowledge.user"), (long) user * width, width) : new float[1];
  }
}
