package org.llm4msr.runtime.plan;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AddRmsNormOp;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;
import org.llm4msr.runtime.op.FusedOp;
import org.llm4msr.runtime.op.GatedMatMulOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.GatheredMatMulOp;
import org.llm4msr.runtime.op.GatheredWeightGradientOp;
import org.llm4msr.runtime.op.GluOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.MatMulsOp;
import org.llm4msr.runtime.op.RmsNormOp;
import org.llm4msr.runtime.op.RowAttentionOp;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;

/**
 * Puts {@link FusedOp}s in the place of the nodes that they are made of, where the backend has a
 * kernel for them: of several nodes, the place of the last one, or of the first one if the others
 * read nothing but its operand and parameters.
 */
final class KernelFusion {
  private final Backend backend;
  private final List<Node> nodes;
  private final Map<Value, Integer> uses = new HashMap<>();
  private final Map<Value, Node> producers = new HashMap<>();
  private final Map<Node, Node> replaced = new HashMap<>();
  private final Set<Node> absorbed = new HashSet<>();

  private KernelFusion(Backend backend, List<Node> nodes, List<Value> kept) {
    this.backend = backend;
    this.nodes = nodes;
    Stream.concat(kept.stream(), nodes.stream().flatMap(node -> node.inputs().stream()))
        .forEach(value -> uses.merge(value, 1, Integer::sum));
    nodes.forEach(node -> node.outputs().forEach(output -> producers.put(output, node)));
  }

  /**
   * @param nodes in the order in which they run
   * @param kept values that are read after the run
   */
  static List<Node> fuse(Backend backend, List<Node> nodes, List<Value> kept) {
    KernelFusion fusion = new KernelFusion(backend, nodes, kept);
    nodes.forEach(fusion::fuseWithInputs);
    nodes.forEach(fusion::fuseWithReaders);
    for (int i = 0; i < nodes.size(); i++) {
      fusion.fuseProducts(i);
    }
    return nodes.stream()
        .filter(node -> !fusion.absorbed.contains(node))
        .map(node -> fusion.replaced.getOrDefault(node, node))
        .toList();
  }

  private void fuseWithInputs(Node node) {
    switch (node.op()) {
      case GluOp glu -> gatedMatMul(node, glu);
      case RmsNormOp norm -> addRmsNorm(node, norm);
      case AttentionOp attention when node.inputs().size() == 6 -> rowAttention(node, attention);
      case SparseAdamOp adam -> sparseRowAdam(node, adam);
      default -> {}
    }
  }

  private void gatedMatMul(Node node, GluOp glu) {
    Node gate = onlyRead(node.input(0));
    Node up = onlyRead(node.input(1));
    if (gate != null
        && up != null
        && gate != up
        && gate.op().equals(GatedMatMulOp.PRODUCT)
        && up.op().equals(GatedMatMulOp.PRODUCT)
        && gate.input(0) == up.input(0)
        && gate.input(1).type().equals(up.input(1).type())) {
      List<Value> inputs = List.of(gate.input(0), gate.input(1), up.input(1));
      replace(node, new GatedMatMulOp(glu.activation()), inputs, node.outputs(), gate, up);
    }
  }

  /** The sum may be read by others, before the norm too: both are made where the sum was. */
  private void addRmsNorm(Node node, RmsNormOp norm) {
    Node sum = producers.get(node.input(0));
    if (sum != null
        && sum.op() instanceof BinaryOp(BinaryOp.Kind kind)
        && kind == BinaryOp.Kind.ADD
        && sum.input(0).type().equals(sum.input(1).type())
        && sum.output().type().rank() == 2
        && isFixed(node.input(1))
        && !replaced.containsKey(sum)) {
      List<Value> inputs = List.of(sum.input(0), sum.input(1), node.input(1));
      List<Value> outputs = List.of(node.output(), sum.output());
      replace(sum, new AddRmsNormOp(norm.epsilon()), inputs, outputs, node);
    }
  }

  private void rowAttention(Node node, AttentionOp attention) {
    Node keys = onlyRead(node.input(1));
    Node values = onlyRead(node.input(2));
    if (keys != null
        && values != null
        && keys.op() instanceof GatherOp
        && values.op() instanceof GatherOp
        && keys.input(1) == values.input(1)
        && keys.input(0).type().dtype() == node.input(0).type().dtype()
        && keys.input(0).type().equals(values.input(0).type())) {
      List<Value> inputs = new ArrayList<>();
      inputs.add(node.input(0));
      inputs.addAll(List.of(keys.input(0), values.input(0), keys.input(1)));
      inputs.addAll(node.inputs().subList(3, 6));
      replace(node, new RowAttentionOp(attention), inputs, node.outputs(), keys, values);
    }
  }

  private void sparseRowAdam(Node node, SparseAdamOp adam) {
    Node gradient = onlyRead(node.input(5));
    if (gradient != null
        && gradient.op() instanceof SparseRowGradientOp op
        && gradient.outputs().equals(node.inputs().subList(3, 6))
        && gradient.outputs().stream().allMatch(value -> uses.get(value) == 1)) {
      List<Value> inputs = new ArrayList<>(node.inputs().subList(0, 3));
      inputs.addAll(gradient.inputs());
      inputs.add(node.input(6));
      replace(node, new SparseRowAdamOp(op, adam), inputs, List.of(), gradient);
    }
  }

  /** Rows of a frozen table that only products read need not be copied out of it. */
  private void fuseWithReaders(Node node) {
    if (!(node.op() instanceof GatherOp)
        || absorbed.contains(node)
        || node.input(0).kind() != Value.Kind.PARAMETER
        || isUpdated(node.input(0))) {
      return;
    }
    Map<Node, FusedOp> fused = new LinkedHashMap<>();
    for (Node reader : nodes) {
      if (reader.inputs().contains(node.output())) {
        FusedOp op = gathered(reader, node.output());
        if (op == null || replaced.containsKey(reader) || absorbed.contains(reader)) {
          return;
        }
        fused.put(reader, op);
      }
    }
    boolean wanted =
        uses.get(node.output()) == fused.size()
            && fused.entrySet().stream()
                .allMatch(entry ->
                    backend.fuses(entry.getValue(), types(readFrom(node, entry.getKey()))));
    if (wanted) {
      fused.forEach(
          (reader, op) -> replace(reader, op, readFrom(node, reader), reader.outputs(), node));
    }
  }

  private boolean isUpdated(Value table) {
    return nodes.stream().anyMatch(node -> node.op().hasEffect() && node.inputs().contains(table));
  }

  /** What a node is that has {@code rows} for its first operand only; null for other nodes. */
  private static FusedOp gathered(Node node, Value rows) {
    if (node.input(0) != rows) {
      return null;
    }
    return switch (node.op()) {
      case MatMulOp product when !product.transposeA() && !product.hasResidual() ->
          new GatheredMatMulOp(product);
      case BlockWeightGradientOp gradient when gradient.groups() == 1 ->
          new GatheredWeightGradientOp(gradient);
      default -> null;
    };
  }

  /** The inputs of a reader of gathered rows, with table and ids in the place of the rows. */
  private static List<Value> readFrom(Node gather, Node reader) {
    List<Value> inputs = new ArrayList<>(gather.inputs());
    inputs.addAll(reader.inputs().subList(1, reader.inputs().size()));
    return inputs;
  }

  /** Products of one left operand that follow each other from node {@code first} on. */
  private void fuseProducts(int first) {
    Node node = nodes.get(first);
    Set<Node> products = new LinkedHashSet<>();
    for (int i = first; i < nodes.size() && isProductOf(node, nodes.get(i)); i++) {
      products.add(nodes.get(i));
    }
    if (products.size() < 2) {
      return;
    }
    List<MatMulOp> ops = new ArrayList<>();
    List<Value> inputs = new ArrayList<>(List.of(node.input(0)));
    List<Value> outputs = new ArrayList<>();
    for (Node product : products) {
      ops.add((MatMulOp) product.op());
      inputs.addAll(product.inputs().subList(1, product.inputs().size()));
      outputs.add(product.output());
    }
    Node[] others = products.stream().skip(1).toArray(Node[]::new);
    replace(node, new MatMulsOp(ops), inputs, outputs, others);
  }

  private static List<ValueType> types(List<Value> values) {
    return values.stream().map(Value::type).toList();
  }

  private boolean isProductOf(Node first, Node node) {
    return node.op() instanceof MatMulOp op
        && !op.hasResidual()
        && node.input(0) == first.input(0)
        && node.inputs().stream().skip(1).allMatch(KernelFusion::isFixed)
        && !absorbed.contains(node)
        && !replaced.containsKey(node);
  }

  private static boolean isFixed(Value value) {
    return value.kind() == Value.Kind.PARAMETER || value.kind() == Value.Kind.CONSTANT;
  }

  /** What produces a value that a single node reads; null for others. */
  private Node onlyRead(Value value) {
    Node producer = uses.get(value) == 1 ? producers.get(value) : null;
    return absorbed.contains(producer) || replaced.containsKey(producer) ? null : producer;
  }

  private void replace(
      Node node, FusedOp op, List<Value> inputs, List<Value> outputs, Node... others) {
    List<ValueType> types = types(inputs);
    if (backend.fuses(op, types)) {
      op.infer(types);
      replaced.put(node, node.inPlaceOf(op, inputs, outputs));
      absorbed.addAll(List.of(others));
    }
  }
}
