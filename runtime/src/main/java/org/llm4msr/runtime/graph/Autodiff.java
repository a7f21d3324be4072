package org.llm4msr.runtime.graph;

import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.SparseToDenseOp;

/**
 * Reverse-mode differentiation: appends to a graph the nodes that compute the gradients of a
 * scalar. Nodes that no wanted gradient passes through are not visited.
 */
public final class Autodiff {
  private final Graph graph;
  private final Set<Value> active = new HashSet<>();
  private final Map<Value, Gradient> gradients = new HashMap<>();

  private Autodiff(Graph graph) {
    this.graph = graph;
  }

  /**
   * Gradients of {@code loss} by each of {@code wanted}. A table that is only looked up gets {@link
   * Gradient.SparseRows}; everything else is dense. A value that does not influence the loss is
   * absent from the result.
   *
   * @param loss one element
   * @throws IllegalArgumentException if an operator on the way cannot be differentiated
   */
  public static Map<Value, Gradient> gradients(Value loss, List<Value> wanted) {
    if (loss.type().maxElements() != 1) {
      throw new IllegalArgumentException("the loss must be one number, not " + loss);
    }
    Autodiff autodiff = new Autodiff(loss.graph());
    autodiff.run(loss, wanted);
    Map<Value, Gradient> result = new LinkedHashMap<>();
    for (Value value : wanted) {
      Gradient gradient = autodiff.gradients.get(value);
      if (gradient != null) {
        result.put(value, gradient);
      }
    }
    return result;
  }

  /** The gradient as a dense value; scatters sparse rows into zeros. */
  public static Value dense(Gradient gradient, Value of) {
    return switch (gradient) {
      case Gradient.Dense(Value value) -> value;
      case Gradient.SparseRows(Value rows, Value count, Value values) ->
          of.graph()
              .apply(new SparseToDenseOp(of.type().dim(0).fixed()), rows, count, values)
              .get(0);
    };
  }

  private void run(Value loss, List<Value> wanted) {
    active.addAll(wanted);
    List<Node> forward = List.copyOf(graph.nodes());
    for (Node node : forward) {
      if (node.inputs().stream().anyMatch(active::contains)) {
        active.addAll(node.outputs());
      }
    }
    gradients.put(loss, new Gradient.Dense(graph.constant(loss.type(), 1)));
    for (int i = forward.size() - 1; i >= 0; i--) {
      Node node = forward.get(i);
      if (node.outputs().stream().anyMatch(gradients::containsKey)
          && node.inputs().stream().anyMatch(active::contains)) {
        propagate(node);
      }
    }
  }

  private void propagate(Node node) {
    Value[] outputGradients = new Value[node.outputs().size()];
    for (int i = 0; i < outputGradients.length; i++) {
      Value output = node.outputs().get(i);
      Gradient gradient = gradients.get(output);
      outputGradients[i] = gradient == null ? null : dense(gradient, output);
    }
    boolean[] needed = new boolean[node.inputs().size()];
    for (int i = 0; i < needed.length; i++) {
      needed[i] = active.contains(node.input(i));
    }
    Gradient[] inputGradients = node.op().gradient(graph, node, outputGradients, needed);
    for (int i = 0; i < needed.length; i++) {
      if (needed[i] && inputGradients[i] != null) {
        accumulate(node.input(i), inputGradients[i]);
      }
    }
  }

  private void accumulate(Value value, Gradient gradient) {
    Gradient before = gradients.get(value);
    if (before == null) {
      gradients.put(value, gradient);
    } else {
      Value sum =
          graph
              .apply(new BinaryOp(BinaryOp.Kind.ADD), dense(before, value), dense(gradient, value))
              .get(0);
      gradients.put(value, new Gradient.Dense(sum));
    }
  }
}
