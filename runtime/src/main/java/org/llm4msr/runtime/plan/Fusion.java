package org.llm4msr.runtime.plan;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.UnaryGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * Nodes that one kernel can do at once, which saves writing what lies between and reading it again:
 * a product that only the gradient of a ReLU reads is a gated product, and one that is only added
 * to something has that for its residual.
 */
final class Fusion {
  private final Map<Value, Integer> uses = new HashMap<>();
  private final Map<Value, Node> producers = new HashMap<>();
  private final Set<Value> absorbed = new HashSet<>();

  private Fusion(List<Node> nodes, List<Value> kept) {
    kept.forEach(value -> uses.merge(value, 1, Integer::sum));
    for (Node node : nodes) {
      node.inputs().forEach(input -> uses.merge(input, 1, Integer::sum));
    }
  }

  /**
   * @param nodes in the order in which they run
   * @param kept values that are read after the run
   */
  static List<Node> fuse(List<Node> nodes, List<Value> kept) {
    Fusion fusion = new Fusion(nodes, kept);
    List<Node> fused = new ArrayList<>();
    for (Node node : nodes) {
      Node done = fusion.fused(node);
      done.outputs().forEach(output -> fusion.producers.put(output, done));
      fused.add(done);
    }
    fused.removeIf(node -> !node.outputs().isEmpty() && fusion.absorbed.contains(node.output()));
    return fused;
  }

  private Node fused(Node node) {
    if (node.op() instanceof UnaryGradientOp(UnaryOp.Kind kind) && kind == UnaryOp.Kind.RELU) {
      return gated(node);
    }
    if (node.op() instanceof BinaryOp(BinaryOp.Kind kind) && kind == BinaryOp.Kind.ADD) {
      Node second = withResidual(node, node.input(1), node.input(0));
      return second == node ? withResidual(node, node.input(0), node.input(1)) : second;
    }
    return node;
  }

  private Node gated(Node node) {
    Node product = onlyRead(node.input(1));
    if (product == null || !(product.op() instanceof BlockMatMulOp op) || op.gated()) {
      return node;
    }
    Op gated = new BlockMatMulOp(op.transposeW(), op.hasBias(), op.activation(), true);
    return merged(node, product, gated, node.input(0));
  }

  private Node withResidual(Node node, Value value, Value residual) {
    Node product = onlyRead(value);
    if (product == null
        || !(product.op() instanceof MatMulOp op)
        || op.hasResidual()
        || op.activation() != null
        || !residual.type().equals(value.type())) {
      return node;
    }
    Op adding = new MatMulOp(op.transposeA(), op.transposeB(), op.hasBias(), true, null);
    return merged(node, product, adding, residual);
  }

  /** What produces a value that a single node reads; null for others. */
  private Node onlyRead(Value value) {
    return uses.get(value) == 1 ? producers.get(value) : null;
  }

  private Node merged(Node node, Node product, Op op, Value last) {
    List<Value> inputs = new ArrayList<>(product.inputs());
    inputs.add(last);
    absorbed.add(product.output());
    return node.replacedBy(op, inputs);
  }
}
