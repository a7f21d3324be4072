package org.llm4msr.runtime.plan;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.UnaryGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * Nodes that one kernel can do at once: a product followed by the gradient of a ReLU, if nobody
 * else reads the product, is a gated product. It saves writing the product and reading it again.
 */
final class Fusion {
  private Fusion() {}

  /**
   * @param nodes in the order in which they run
   * @param kept values that are read after the run
   */
  static List<Node> fuse(List<Node> nodes, List<Value> kept) {
    Map<Value, Integer> uses = new HashMap<>();
    kept.forEach(value -> uses.merge(value, 1, Integer::sum));
    Map<Value, Node> producers = new HashMap<>();
    for (Node node : nodes) {
      node.inputs().forEach(input -> uses.merge(input, 1, Integer::sum));
      node.outputs().forEach(output -> producers.put(output, node));
    }
    Set<Node> absorbed = new HashSet<>();
    List<Node> fused = new ArrayList<>();
    for (Node node : nodes) {
      Node product = isReluGradient(node) ? producers.get(node.input(1)) : null;
      if (product != null
          && uses.get(node.input(1)) == 1
          && product.op() instanceof BlockMatMulOp op
          && !op.gated()) {
        List<Value> inputs = new ArrayList<>(product.inputs());
        inputs.add(node.input(0));
        absorbed.add(product);
        fused.add(
            node.replacedBy(
                new BlockMatMulOp(op.transposeW(), op.hasBias(), op.activation(), true), inputs));
      } else {
        fused.add(node);
      }
    }
    fused.removeIf(absorbed::contains);
    return fused;
  }

  private static boolean isReluGradient(Node node) {
    return node.op() instanceof UnaryGradientOp(UnaryOp.Kind kind) && kind == UnaryOp.Kind.RELU;
  }
}
