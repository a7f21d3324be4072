package org.llm4msr.runtime.graph;

/** An edge of a {@link Graph}: what one node produces, or what is fed in. Identity matters. */
public final class Value {
  /** Where a value comes from. */
  public enum Kind {
    /** Written by the caller before each run. */
    INPUT,
    /** Lives in a parameter store across runs and plans: weights, tables, optimiser state. */
    PARAMETER,
    /** Fixed when the graph was built. */
    CONSTANT,
    /** Output of a node. */
    COMPUTED
  }

  private final Graph graph;
  private final int id;
  private final Kind kind;
  private final String name;
  private final ValueType type;
  private final Node producer;
  private final double[] constant;

  Value(
      Graph graph,
      int id,
      Kind kind,
      String name,
      ValueType type,
      Node producer,
      double[] constant) {
    this.graph = graph;
    this.id = id;
    this.kind = kind;
    this.name = name;
    this.type = type;
    this.producer = producer;
    this.constant = constant;
  }

  public Graph graph() {
    return graph;
  }

  /** Position in the graph, from 0 without gaps. */
  public int id() {
    return id;
  }

  public Kind kind() {
    return kind;
  }

  public String name() {
    return name;
  }

  public ValueType type() {
    return type;
  }

  /** The node that computes this, or null if it is not {@link Kind#COMPUTED}. */
  public Node producer() {
    return producer;
  }

  /** Elements of a {@link Kind#CONSTANT}. */
  public double[] constant() {
    return constant.clone();
  }

  @Override
  public String toString() {
    return name + ":" + type;
  }
}
