package org.llm4msr.runtime.graph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.op.Op;

/**
 * A model as a list of operator applications in a valid order. It is built once; plans run it.
 * Shapes are checked while it is built. Real-valued results have {@link #computeType()}: F32 for
 * work, F64 on the reference backend for goldens and gradient checks.
 */
public final class Graph {
  private final DType computeType;
  private final List<Node> nodes = new ArrayList<>();
  private final List<Value> values = new ArrayList<>();
  private final Map<String, Value> named = new HashMap<>();

  public Graph(DType computeType) {
    if (!computeType.isCompute()) {
      throw new IllegalArgumentException("cannot compute in " + computeType);
    }
    this.computeType = computeType;
  }

  public DType computeType() {
    return computeType;
  }

  /** All nodes, inputs before users. */
  public List<Node> nodes() {
    return Collections.unmodifiableList(nodes);
  }

  public List<Value> values() {
    return Collections.unmodifiableList(values);
  }

  /** An input of the compute type. */
  public Value input(String name, Dim... dims) {
    return input(name, ValueType.of(computeType, dims));
  }

  /** A value that the caller writes before each run. */
  public Value input(String name, ValueType type) {
    return register(name, Value.Kind.INPUT, type);
  }

  /** A parameter of the compute type. */
  public Value parameter(String name, long... extents) {
    return parameter(name, ValueType.of(computeType, extents));
  }

  /**
   * A value that lives in a parameter store under {@code name}; asking again for the same name
   * gives the same value.
   *
   * @throws IllegalArgumentException if the name is taken by another kind or type
   */
  public Value parameter(String name, ValueType type) {
    Value known = named.get(name);
    if (known != null) {
      if (known.kind() != Value.Kind.PARAMETER || !known.type().equals(type)) {
        throw new IllegalArgumentException("'" + name + "' is already " + known);
      }
      return known;
    }
    if (type.dims().stream().anyMatch(Dim::isSymbol)) {
      throw new IllegalArgumentException("the parameter '" + name + "' needs fixed extents");
    }
    return register(name, Value.Kind.PARAMETER, type);
  }

  /** A constant of the compute type. */
  public Value constant(double[] elements, long... extents) {
    return constant(ValueType.of(computeType, extents), elements);
  }

  /**
   * @throws IllegalArgumentException if the count of elements does not match
   */
  public Value constant(ValueType type, double... elements) {
    if (type.maxElements() != elements.length) {
      throw new IllegalArgumentException(elements.length + " elements for " + type);
    }
    return add(Value.Kind.CONSTANT, "constant" + values.size(), type, null, elements.clone());
  }

  /**
   * Applies an operator.
   *
   * @return its outputs
   * @throws IllegalArgumentException if the inputs do not fit the operator's shape rule
   */
  public List<Value> apply(Op op, Value... inputs) {
    return apply(op, Arrays.asList(inputs));
  }

  /** See {@link #apply(Op, Value...)}. */
  public List<Value> apply(Op op, List<Value> inputs) {
    for (Value input : inputs) {
      if (input.graph() != this) {
        throw new IllegalArgumentException(input + " belongs to another graph");
      }
    }
    List<ValueType> types = op.infer(inputs.stream().map(Value::type).toList());
    Node node = new Node(nodes.size(), op, inputs);
    nodes.add(node);
    List<Value> outputs = new ArrayList<>();
    for (int i = 0; i < types.size(); i++) {
      String name = op.name() + node.id() + (types.size() == 1 ? "" : "." + i);
      outputs.add(add(Value.Kind.COMPUTED, name, types.get(i), node, null));
    }
    node.produces(outputs);
    return node.outputs();
  }

  private Value register(String name, Value.Kind kind, ValueType type) {
    if (named.containsKey(name)) {
      throw new IllegalArgumentException("the name '" + name + "' is taken");
    }
    Value value = add(kind, name, type, null, null);
    named.put(name, value);
    return value;
  }

  private Value add(
      Value.Kind kind, String name, ValueType type, Node producer, double[] constant) {
    Value value = new Value(this, values.size(), kind, name, type, producer, constant);
    values.add(value);
    return value;
  }
}
