package org.llm4msr.bench.peers;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import org.llm4msr.bench.scoring.ScoringWorkload;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.runtime.Tensor;

/**
 * The same model in PyTorch, in the fastest form we could write: STAR's weights are multiplied and
 * the scenario's layers generated beforehand, each request looks up, generates its user's layers and
 * runs the network on all items, without recording gradients.
 */
final class TorchScorer implements AutoCloseable {
  private static final int WIDTH =
      (ScoringWorkload.USER_FIELDS + ScoringWorkload.ITEM_FIELDS) * ScoringWorkload.EMBEDDING_DIM;

  private final NDManager manager;
  private final ScoringWorkload workload;
  private final TorchScript script;
  private final NDList weights = new NDList();
  private final boolean meta;

  TorchScorer(NDManager parent, ScoringWorkload workload, int scenario) {
    manager = parent.newSubManager();
    this.workload = workload;
    meta = workload.knowledgeWidth() > 0;
    script = new TorchScript(manager, source(), List.of("w"));
    for (String name : tables()) {
      Tensor table = tensor("embedding.tables." + name + ".weight");
      add(floats(table, 0, table.shape().elements()), table.shape().toArray());
    }
    int in = WIDTH;
    for (int layer = 0; layer <= ScoringWorkload.HIDDEN.size(); layer++) {
      boolean last = layer == ScoringWorkload.HIDDEN.size();
      int out = last ? 1 : ScoringWorkload.HIDDEN.get(layer);
      add(combined("w", layer, scenario, in * out, true), in, out);
      add(combined("b", layer, scenario, out, false), out);
      in = out;
    }
    if (meta) {
      addScenarioLayers(scenario);
      for (String part : List.of("trunk", "w.0", "b.0", "w.1", "b.1")) {
        for (String kind : List.of("weight", "bias")) {
          Tensor tensor = tensor("user_meta." + part + "." + kind);
          add(floats(tensor, 0, tensor.shape().elements()), tensor.shape().toArray());
        }
      }
      double alpha = floats(tensor("alpha"), 0, 1)[0];
      add(new float[] {(float) (1 / (1 + Math.exp(-alpha)))}, 1);
    }
    weights.forEach(array -> array.setName("initial[]"));
    script.call("load", false, weights).close();
  }

  private List<String> tables() {
    List<String> names = new ArrayList<>();
    workload.dataset().fields().forEach(field -> names.add(field.name()));
    return names;
  }

  private Tensor tensor(String name) {
    return workload.store().get(name);
  }

  private static float[] floats(Tensor tensor, long from, long count) {
    return tensor
        .segment()
        .asSlice(from * Float.BYTES, count * Float.BYTES)
        .toArray(JAVA_FLOAT);
  }

  private void add(float[] values, long... shape) {
    weights.add(manager.create(values, new Shape(shape)));
  }

  /** Shared times own weights, or shared plus own biases. */
  private float[] combined(String kind, int layer, int scenario, int size, boolean product) {
    float[] shared = floats(tensor("backbone.shared_" + kind + "." + layer), 0, size);
    float[] own =
        floats(
            tensor("backbone.spec_" + kind + ".*." + layer), (long) scenario * size, size);
    for (int i = 0; i < size; i++) {
      shared[i] = product ? shared[i] * own[i] : shared[i] + own[i];
    }
    return shared;
  }

  private void addScenarioLayers(int scenario) {
    int width = workload.knowledgeWidth();
    float[] h = floats(tensor("knowledge.scenario"), (long) scenario * width, width);
    float[] t = linear("scen_meta.trunk", h);
    for (int i = 0; i < t.length; i++) {
      t[i] = Math.max(0, t[i]);
    }
    add(linear("scen_meta.w.0", t), WIDTH, ScoringWorkload.META_HIDDEN);
    add(linear("scen_meta.b.0", t), ScoringWorkload.META_HIDDEN);
    add(linear("scen_meta.w.1", t), ScoringWorkload.META_HIDDEN, 1);
    add(linear("scen_meta.b.1", t), 1);
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

  /** A request's inputs: ids of the user, ids of the items, and the user's vector. */
  NDList request(int user, int[] items) {
    Dataset dataset = workload.dataset();
    long[] ofUser = new long[ScoringWorkload.USER_FIELDS];
    for (int f = 0; f < ofUser.length; f++) {
      ofUser[f] = dataset.fields().get(f).id(user);
    }
    long[] ofItems = new long[ScoringWorkload.ITEM_FIELDS * items.length];
    for (int f = 0; f < ScoringWorkload.ITEM_FIELDS; f++) {
      for (int i = 0; i < items.length; i++) {
        ofItems[f * items.length + i] =
            dataset.fields().get(ScoringWorkload.USER_FIELDS + f).id(items[i]);
      }
    }
    int width = Math.max(1, workload.knowledgeWidth());
    float[] h =
        meta ? floats(tensor("knowledge.user"), (long) user * width, width) : new float[width];
    return new NDList(
        manager.create(ofUser),
        manager.create(ofItems, new Shape(ScoringWorkload.ITEM_FIELDS, items.length)),
        manager.create(h, new Shape(1, width)));
  }

  /** Probabilities {@code [items, 1]}; the caller closes them. */
  NDArray score(NDList request) {
    return script.call("score", false, request);
  }

  private String source() {
    StringBuilder code =
        new StringBuilder(
            """
            class M(Module):
                __parameters__ = []
                __buffers__ = []
                training : bool
                w : List[Tensor]
                def load(self: __torch__.M, initial: List[Tensor]) -> Tensor:
                    w = annotate(List[Tensor], [])
                    for p in initial:
                        _0 = torch.append(w, torch.clone(p))
                    self.w = w
                    return torch.clone(initial[1])
                def score(self: __torch__.M, user: Tensor, items: Tensor, h: Tensor) -> Tensor:
                    w = self.w
                    n = torch.size(items, 1)
            """);
    int users = ScoringWorkload.USER_FIELDS;
    StringBuilder parts = new StringBuilder();
    for (int f = 0; f < users; f++) {
      parts.append(", torch.embedding(w[%d], torch.select(user, 0, %d))".formatted(f, f));
    }
    code.append("        u = torch.cat([%s], 0)\n".formatted(parts.substring(2)));
    parts.setLength(0);
    for (int f = 0; f < ScoringWorkload.ITEM_FIELDS; f++) {
      parts.append(
          ", torch.embedding(w[%d], torch.select(items, 0, %d))".formatted(users + f, f));
    }
    code.append(
        "        x = torch.cat([torch.expand(torch.unsqueeze(u, 0), [n, %d])%s], 1)\n"
            .formatted(users * ScoringWorkload.EMBEDDING_DIM, parts));
    int star = users + ScoringWorkload.ITEM_FIELDS;
    int scenario = star + 2 * (ScoringWorkload.HIDDEN.size() + 1);
    int user = scenario + 4;
    if (meta) {
      code.append(
          """
                  t = torch.relu(torch.linear(h, w[%1$d], w[%2$d]))
                  w0 = torch.view(torch.linear(t, w[%3$d], w[%4$d]), [%11$d, %12$d])
                  b0 = torch.linear(t, w[%5$d], w[%6$d])
                  w1 = torch.view(torch.linear(t, w[%7$d], w[%8$d]), [%12$d, %11$d])
                  b1 = torch.linear(t, w[%9$d], w[%10$d])
                  x = torch.add(x, torch.addmm(b1, torch.relu(torch.addmm(b0, x, w0)), w1))
          """
              .formatted(
                  user,
                  user + 1,
                  user + 2,
                  user + 3,
                  user + 4,
                  user + 5,
                  user + 6,
                  user + 7,
                  user + 8,
                  user + 9,
                  WIDTH,
                  ScoringWorkload.META_HIDDEN));
    }
    code.append("        y = x\n");
    for (int layer = 0; layer <= ScoringWorkload.HIDDEN.size(); layer++) {
      String product =
          "torch.addmm(w[%d], y, w[%d])".formatted(star + 2 * layer + 1, star + 2 * layer);
      boolean last = layer == ScoringWorkload.HIDDEN.size();
      code.append("        y = %s\n".formatted(last ? product : "torch.relu(" + product + ")"));
    }
    if (meta) {
      code.append(
          """
                  m = torch.addmm(w[%2$d], torch.relu(torch.addmm(w[%1$d], x, w[%3$d])), w[%4$d])
                  y = torch.add(torch.mul(y, w[%5$d]), torch.mul(m, torch.rsub(w[%5$d], 1)))
          """
              .formatted(scenario + 1, scenario + 3, scenario, scenario + 2, user + 10));
    }
    return code.append("        return torch.sigmoid(y)\n").toString();
  }

  @Override
  public void close() {
    script.close();
    manager.close();
  }
}
