package org.llm4msr.bench.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import org.llm4msr.bench.scoring.ScoringWorkload;

/**
 * The same model in PyTorch, in the fastest form we could write: STAR's weights are multiplied and
 * the scenario's layers generated beforehand, each request looks up, generates its user's layers
 * and runs the network on all items, without recording gradients.
 */
final class TorchScorer implements ScoringPeer {
  private static final int WIDTH = ScorerWeights.WIDTH;

  private final NDManager manager;
  private final ScorerWeights source;
  private final TorchScript script;
  private final boolean meta;
  private final List<NDList> requests = new ArrayList<>();

  TorchScorer(NDManager parent, ScoringWorkload workload, int scenario) {
    manager = parent.newSubManager();
    source = new ScorerWeights(workload, scenario);
    meta = source.hasMeta();
    script = new TorchScript(manager, source(), List.of("w"));
    List<ScorerWeights.Array> arrays = new ArrayList<>(source.tables());
    arrays.addAll(source.star());
    if (meta) {
      arrays.addAll(source.scenarioLayers());
      arrays.addAll(source.userMeta());
      arrays.add(new ScorerWeights.Array(new float[] {source.alpha()}, 1));
    }
    NDList weights = new NDList();
    for (ScorerWeights.Array array : arrays) {
      weights.add(manager.create(array.elements(), new Shape(array.shape())));
    }
    weights.forEach(array -> array.setName("initial[]"));
    script.call("load", false, weights).close();
  }

  @Override
  public String name() {
    return "PyTorch";
  }

  @Override
  public void prepare(int user, int[] items) {
    float[] h = source.vector(user);
    requests.add(
        new NDList(
            manager.create(source.userIds(user)),
            manager.create(
                source.itemIds(items), new Shape(ScoringWorkload.ITEM_FIELDS, items.length)),
            manager.create(h, new Shape(1, h.length))));
  }

  @Override
  public float[] score(int request) {
    try (NDArray probabilities = script.call("score", false, requests.get(request))) {
      return probabilities.toFloatArray();
    }
  }

  @Override
  public void run(int request) {
    script.call("score", false, requests.get(request)).close();
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
      parts.append(", torch.embedding(w[%d], torch.select(items, 0, %d))".formatted(users + f, f));
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
