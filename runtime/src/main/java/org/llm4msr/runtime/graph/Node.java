package org.llm4msr.runtime.graph;

import java.util.List;
import org.llm4msr.runtime.op.Op;

/** One application of an operator. */
public final class Node {
  private final int id;
  private final Op op;
  private final List<Value> inputs;
  private List<Value> outputs;

  Node(int id, Op op, List<Value> inputs) {
    this.id = id;
    this.op = op;
    this.inputs = List.copyOf(inputs);
  }

  void produces(List<Value> values) {
    outputs = List.copyOf(values);
  }

  /** The same results computed by another operator from other inputs; for plans that fuse nodes. */
  public Node replacedBy(Op other, List<Value> from) {
    Node node = new Node(id, other, from);
    node.produces(outputs);
    return node;
  }

  /** The results of several nodes computed by one operator; for plans that fuse nodes. */
  public Node inPlaceOf(Op fused, List<Value> from, List<Value> results) {
    Node node = new Node(id, fused, from);
    node.produces(results);
    return node;
  }

  /** Position in the graph; every input is produced by an earlier node. */
  public int id() {
    return id;
  }

  public Op op() {
    return op;
  }

  public List<Value> inputs() {
    return inputs;
  }

  public Value input(int index) {
    return inputs.get(index);
  }

  public List<Value> outputs() {
    return outputs;
  }

  public Value output() {
    return outputs.get(0);
  }

  @Override
  public String toString() {
    return op + inputs.toString() + " -> " + outputs;
  }
}
