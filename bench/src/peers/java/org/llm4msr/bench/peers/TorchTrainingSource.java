package org.llm4msr.bench.peers;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.llm4msr.bench.peers.TorchTraining.Routing;
import org.llm4msr.bench.peers.TorchTraining.Tables;
import org.llm4msr.bench.training.TrainingStep;
import org.llm4msr.bench.training.TrainingWorkload;

/**
 * Writes the training step as TorchScript: forward, {@code autograd.grad}, optimiser. Weights are
 * {@code w[i]}, in the order of their names.
 */
final class TorchTrainingSource {
  /**
   * All weights as leaves that want gradients; then, without, those of the network and of the
   * tables, each with Adam's moments and step numbers; what is not trained.
   */
  static final List<String> ATTRIBUTES =
      List.of("w", "net", "net_m", "net_v", "net_t", "tab", "tab_m", "tab_v", "tab_t", "frozen");

  private static final String INDENT = "    ";

  private final TrainingWorkload workload;
  private final List<String> trained;
  private final List<String> frozen;
  private final List<String> all;
  private final Tables tables;
  private final Routing routing;
  private final StringBuilder code = new StringBuilder();

  TorchTrainingSource(
      TrainingWorkload workload, List<String> names, Tables tables, Routing routing) {
    this.workload = workload;
    this.tables = tables;
    this.routing = routing;
    all = names;
    frozen = names.stream().filter(name -> name.startsWith("knowledge.")).toList();
    // Tables first: their gradients are then the first ones.
    List<String> ordered = new ArrayList<>();
    names.stream().filter(TorchTrainingSource::isTable).forEach(ordered::add);
    names.stream().filter(name -> !isTable(name) && !frozen.contains(name)).forEach(ordered::add);
    trained = ordered;
  }

  private static boolean isTable(String name) {
    return name.startsWith("embedding.");
  }

  /** The class. */
  String text() {
    line("class M(Module):", 0);
    line("__parameters__ = []", 1);
    line("__buffers__ = []", 1);
    line("training : bool", 1);
    ATTRIBUTES.forEach(name -> line(name + " : List[Tensor]", 1));
    load();
    line(
        "def step(self: __torch__.M, fields: Tensor, scenario: Tensor, users: Tensor,"
            + " labels: Tensor) -> Tensor:",
        1);
    forward();
    line("loss = torch.binary_cross_entropy_with_logits(y, labels, None, None, 1)", 2);
    line("gs = torch.grad([loss], self.w)", 2);
    line("g = annotate(List[Tensor], [])", 2);
    line("for gi in gs:", 2);
    line("_a = torch.append(g, unchecked_cast(Tensor, gi))", 3);
    int count = (int) trained.stream().filter(TorchTrainingSource::isTable).count();
    if (tables == Tables.DENSE) {
      fusedAdam("net", "g");
    } else {
      fusedAdam("net", "torch.slice(g, " + count + ")");
      line("_t = torch._foreach_add_(self.tab_t, 1)", 2);
      line("t = annotate(float, torch.item(self.tab_t[0]))", 2);
      line(
          "rate = torch.div(torch.sqrt(torch.sub(1., torch.pow(0.999, t))),"
              + " torch.sub(1., torch.pow(0.9, t)))",
          2);
      line("step_size = torch.neg(torch.mul(" + TrainingStep.LEARNING_RATE + ", rate))", 2);
      for (int i = 0; i < count; i++) {
        sparseAdam(i);
      }
    }
    line("return torch.detach(loss)", 2);
    return code.toString();
  }

  private void load() {
    line("def load(self: __torch__.M, initial: List[Tensor]) -> Tensor:", 1);
    ATTRIBUTES.forEach(name -> line(name + " = annotate(List[Tensor], [])", 2));
    for (String name : trained) {
      String list = isTable(name) && tables != Tables.DENSE ? "tab" : "net";
      line("p = torch.clone(initial[" + all.indexOf(name) + "])", 2);
      line("_0 = torch.append(" + list + ", p)", 2);
      line("_1 = torch.append(" + list + "_m, torch.zeros_like(p))", 2);
      line("_2 = torch.append(" + list + "_v, torch.zeros_like(p))", 2);
      line("_3 = torch.append(" + list + "_t, torch.sum(torch.zeros_like(p)))", 2);
      line("_4 = torch.append(w, torch.requires_grad_(torch.detach(p)))", 2);
    }
    for (String name : frozen) {
      line("_5 = torch.append(frozen, torch.clone(initial[" + all.indexOf(name) + "]))", 2);
    }
    ATTRIBUTES.forEach(name -> line("self." + name + " = " + name, 2));
    line("return torch.zeros_like(w[0][0])", 2);
  }

  private void forward() {
    line("w = self.w", 2);
    for (int f = 0; f < TrainingWorkload.fields(); f++) {
      line(
          "e%d = torch.embedding(%s, torch.select(fields, 1, %d), -1, False, %s)"
              .formatted(
                  f,
                  w("embedding.tables.f" + f + ".weight"),
                  f,
                  tables == Tables.DENSE ? "False" : "True"),
          2);
    }
    line("x = torch.cat([" + list("e", TrainingWorkload.fields()) + "], 1)", 2);
    if (workload.knowledgeWidth() == 0) {
      line("z = x", 2);
      backbone();
      line("y = yb", 2);
      return;
    }
    line("uniq, inv, _c = torch._unique2(users, True, True)", 2);
    String table = "self.frozen[" + frozen.indexOf("knowledge.user") + "]";
    line("hu = torch.index_select(" + table + ", 0, uniq)", 2);
    int width = TrainingWorkload.fields() * TrainingWorkload.EMBEDDING_DIM;
    int hidden = TrainingWorkload.META_HIDDEN.get(0);
    meta("user_meta", "x", "hu", "inv", new int[] {width, hidden, width});
    line("z = q", 2);
    backbone();
    String scenarios = "self.frozen[" + frozen.indexOf("knowledge.scenario") + "]";
    meta("scen_meta", "z", scenarios, "scenario", new int[] {width, hidden, 1});
    line("ym = torch.squeeze(q, 1)", 2);
    line("a = torch.sigmoid(" + w("alpha") + ")", 2);
    line("y = torch.add(torch.mul(a, yb), torch.mul(torch.rsub(a, 1), ym))", 2);
  }

  /** From {@code z}; leaves the logits in {@code yb}. */
  private void backbone() {
    switch (workload.kind()) {
      case STAR -> perScenario(List.of("z"), this::star);
      case MMOE -> {
        for (int k = 0; k < TrainingWorkload.EXPERTS; k++) {
          mlp("backbone.experts." + k, "z", "ex" + k);
        }
        line("es = torch.stack([" + list("ex", TrainingWorkload.EXPERTS) + "], 1)", 2);
        perScenario(
            List.of("z", "es"),
            s -> {
              gate("backbone.gates." + s, "z_s", "es_s", "h");
              tower(s);
            });
      }
      case PLE -> ple();
    }
  }

  private void star(int s) {
    line("h = z_s", 2);
    int layers = TrainingWorkload.STAR_HIDDEN.size() + 1;
    for (int l = 0; l < layers; l++) {
      line(
          "h = torch.addmm(torch.add(%s, %s), h, torch.mul(%s, %s))"
              .formatted(
                  w("backbone.shared_b." + l),
                  w("backbone.spec_b." + s + "." + l),
                  w("backbone.shared_w." + l),
                  w("backbone.spec_w." + s + "." + l)),
          2);
      if (l < layers - 1) {
        line("h = torch.relu(h)", 2);
      }
    }
  }

  /** Two levels: the first sees every row, since what is shared mixes every scenario's experts. */
  private void ple() {
    String first = "backbone.cgc.0";
    String last = "backbone.cgc.1";
    for (int s = 0; s < TrainingWorkload.SCENARIOS; s++) {
      mlp(first + ".specific." + s, "z", "own" + s);
    }
    mlp(first + ".shared.0", "z", "common");
    line("all = torch.stack([" + list("own", TrainingWorkload.SCENARIOS) + ", common], 1)", 2);
    gate(first + ".gate_shared", "z", "all", "x0");
    List<String> inputs = new ArrayList<>();
    for (int s = 0; s < TrainingWorkload.SCENARIOS; s++) {
      line("pair = torch.stack([own" + s + ", common], 1)", 2);
      gate(first + ".gates." + s, "z", "pair", "x" + (s + 1));
      inputs.add("x" + (s + 1));
    }
    mlp(last + ".shared.0", "x0", "common1");
    inputs.add("common1");
    perScenario(
        inputs,
        s -> {
          String x = "x" + (s + 1) + "_s";
          mlp(last + ".specific." + s, x, "own");
          line("pair = torch.stack([own, common1_s], 1)", 2);
          gate(last + ".gates." + s, x, "pair", "h");
          tower(s);
        });
  }

  /** Runs a scenario's part on every row or on its own, on inputs named {@code …_s}. */
  private void perScenario(List<String> inputs, IntConsumer part) {
    boolean own = routing == Routing.OWN_TOWER;
    if (own) {
      line("yb = torch.zeros_like(labels)", 2);
    }
    for (int s = 0; s < TrainingWorkload.SCENARIOS; s++) {
      if (own) {
        line("rows = torch.squeeze(torch.nonzero(torch.eq(scenario, " + s + ")), 1)", 2);
      }
      for (String input : inputs) {
        boolean read = !input.startsWith("x") || input.equals("x" + (s + 1));
        if (read) {
          String rows = own ? "torch.index_select(" + input + ", 0, rows)" : input;
          line(input + "_s = " + rows, 2);
        }
      }
      part.accept(s);
      line("y" + s + " = torch.squeeze(h, 1)", 2);
      if (own) {
        line("yb = torch.index_add(yb, 0, rows, y" + s + ")", 2);
      }
    }
    if (!own) {
      line("ys = torch.stack([" + list("y", TrainingWorkload.SCENARIOS) + "], 1)", 2);
      line("yb = torch.squeeze(torch.gather(ys, 1, torch.unsqueeze(scenario, 1)), 1)", 2);
    }
  }

  private void mlp(String name, String input, String output) {
    String h = input;
    for (int l = 0; l < TrainingWorkload.EXPERT.size(); l++) {
      line(output + " = torch.relu(" + linear(name + ".lin." + l, h) + ")", 2);
      h = output;
    }
  }

  /** {@code output = softmax(G x + c)} times the experts stacked along the second axis. */
  private void gate(String name, String x, String experts, String output) {
    line("g = torch.softmax(" + linear(name + ".lin", x) + ", 1)", 2);
    line(
        "%s = torch.squeeze(torch.bmm(torch.unsqueeze(g, 1), %s), 1)".formatted(output, experts),
        2);
  }

  /** Takes {@code h} and leaves the logits in it. */
  private void tower(int s) {
    String name = "backbone.towers." + s;
    for (int l = 0; l < TrainingWorkload.TOWER.size(); l++) {
      line("h = torch.relu(" + linear(name + ".lin." + l, "h") + ")", 2);
    }
    line("h = " + linear(name + ".out", "h"), 2);
  }

  private String linear(String name, String x) {
    return "torch.linear(%s, %s, %s)".formatted(x, w(name + ".weight"), w(name + ".bias"));
  }

  /** Leaves the meta layers' output in {@code q}. */
  private void meta(String net, String input, String h, String index, int[] widths) {
    line(
        "t = torch.relu(torch.linear(%s, %s, %s))"
            .formatted(h, w(net + ".trunk.weight"), w(net + ".trunk.bias")),
        2);
    line("q = " + input, 2);
    for (int k = 0; k + 1 < widths.length; k++) {
      String weight = net + ".w." + k;
      String bias = net + ".b." + k;
      line(
          "mw = torch.view(torch.linear(t, %s, %s), [-1, %d, %d])"
              .formatted(w(weight + ".weight"), w(weight + ".bias"), widths[k], widths[k + 1]),
          2);
      line("mb = torch.linear(t, %s, %s)".formatted(w(bias + ".weight"), w(bias + ".bias")), 2);
      line(
          "q = torch.add(torch.squeeze(torch.bmm(torch.unsqueeze(q, 1),"
              + " torch.index_select(mw, 0, %1$s)), 1), torch.index_select(mb, 0, %1$s))"
                  .formatted(index),
          2);
      if (k + 2 < widths.length) {
        line("q = torch.relu(q)", 2);
      }
    }
  }

  private void fusedAdam(String list, String gradients) {
    line("_s = torch._foreach_add_(self." + list + "_t, 1)", 2);
    line(
        "_f = torch._fused_adam_(self.%1$s, %2$s, self.%1$s_m, self.%1$s_v,"
                .formatted(list, gradients)
            + " annotate(List[Tensor], []), self.%1$s_t, lr=%2$s,"
                .formatted(list, TrainingStep.LEARNING_RATE)
            + " beta1=0.9, beta2=0.999, weight_decay=0., eps=1e-08, amsgrad=False,"
            + " maximize=False)",
        2);
  }

  /** The formula of {@code torch.optim._functional.sparse_adam} for one table. */
  private void sparseAdam(int table) {
    line("s = torch.coalesce(g[" + table + "])", 2);
    line("p = self.tab[" + table + "]", 2);
    line("m = self.tab_m[" + table + "]", 2);
    line("v = self.tab_v[" + table + "]", 2);
    line("i = torch._indices(s)", 2);
    line("d = torch._values(s)", 2);
    boolean rows = tables == Tables.SPARSE_ROWS;
    if (rows) {
      line("r = torch.select(i, 0, 0)", 2);
    }
    String before =
        rows ? "torch.index_select(%s, 0, r)" : "torch._values(torch.sparse_mask(%s, s))";
    String add =
        rows
            ? "torch.index_add_(%s, 0, r, %s)"
            : "torch.add_(%s, torch.sparse_coo_tensor(i, %s, torch.size(s)))";
    line("m0 = " + before.formatted("m"), 2);
    line("dm = torch.mul_(torch.sub(d, m0), 0.1)", 2);
    line("_m = " + add.formatted("m", "dm"), 2);
    line("v0 = " + before.formatted("v"), 2);
    line("dv = torch.mul_(torch.sub_(torch.pow(d, 2), v0), 0.001)", 2);
    line("_v = " + add.formatted("v", "dv"), 2);
    line("n = torch.add_(dm, m0)", 2);
    line("q = torch.add_(torch.sqrt_(torch.add_(dv, v0)), 1e-08)", 2);
    line("_p = " + add.formatted("p", "torch.mul_(torch.div_(n, q), step_size)"), 2);
  }

  private String w(String name) {
    return "w[" + trained.indexOf(name) + "]";
  }

  private static String list(String prefix, int count) {
    return IntStream.range(0, count).mapToObj(i -> prefix + i).collect(Collectors.joining(", "));
  }

  private void line(String text, int depth) {
    code.append(INDENT.repeat(depth)).append(text).append('\n');
  }
}
