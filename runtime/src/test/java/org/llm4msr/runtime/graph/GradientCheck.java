package org.llm4msr.runtime.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.DoubleStream;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.reference.ReferenceBackend;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/**
 * A graph in double on the reference backend whose derivatives are compared with central
 * differences. All values are parameters, so that each element can be moved.
 */
final class GradientCheck implements AutoCloseable {
  /** Truncation is of the order of its square, cancellation of 1e-16 divided by it. */
  private static final double STEP = 1e-5;

  private static final double TOLERANCE = 1e-7;

  final Graph graph = new Graph(DType.F64);
  final Random random = new Random(11);
  private final ReferenceBackend backend = new ReferenceBackend();
  private final ParameterStore store = new ParameterStore(backend);
  private final List<Value> wanted = new ArrayList<>();

  /** A parameter whose derivative is checked, normally distributed. */
  Value variable(long... extents) {
    Value value = fixed(DType.F64, null, extents);
    wanted.add(value);
    return value;
  }

  /** As {@link #variable(long...)}, but with elements between two bounds. */
  Value variableBetween(double from, double to, long... extents) {
    Value value = variable(extents);
    write(value, random.doubles(value.type().maxElements(), from, to).toArray());
    return value;
  }

  /** A value that is not differentiated; random if {@code elements} is null. */
  Value fixed(DType dtype, double[] elements, long... extents) {
    Value value = graph.parameter("p" + graph.values().size(), ValueType.of(dtype, extents));
    store.create(value);
    int count = Math.toIntExact(value.type().maxElements());
    write(
        value,
        elements != null
            ? elements
            : DoubleStream.generate(random::nextGaussian).limit(count).toArray());
    return value;
  }

  Value ints(double[] elements, long... extents) {
    return fixed(DType.I32, elements, extents);
  }

  void write(Value parameter, double... elements) {
    Tensor tensor = store.get(parameter.name());
    assertThat(elements).hasSize(Math.toIntExact(tensor.shape().elements()));
    for (int i = 0; i < elements.length; i++) {
      tensor.dtype().set(tensor.segment(), i, elements[i]);
    }
  }

  /** Compares the gradients of a randomly weighted sum of {@code output}'s elements. */
  void check(Value output) {
    long elements = output.type().maxElements();
    Value row = Ops.reshape(output, Dim.of(1), Dim.of(elements));
    double[] weights = DoubleStream.generate(random::nextGaussian).limit(elements).toArray();
    checkLoss(Ops.matmul(row, graph.constant(weights, elements, 1)));
  }

  void checkLoss(Value loss) {
    Map<Value, Gradient> gradients = Autodiff.gradients(loss, wanted);
    assertThat(gradients.keySet()).containsExactlyInAnyOrderElementsOf(wanted);
    Map<Value, Value> dense = new LinkedHashMap<>();
    gradients.forEach((value, gradient) -> dense.put(value, Autodiff.dense(gradient, value)));
    List<Value> outputs = new ArrayList<>(dense.values());
    outputs.add(loss);
    try (Plan plan = new Plan(backend, graph, store, outputs)) {
      plan.run();
      Map<Value, double[]> derivatives = new LinkedHashMap<>();
      dense.forEach((value, gradient) -> derivatives.put(value, read(plan, gradient)));
      derivatives.forEach((value, derivative) -> compare(plan, loss, value, derivative));
    }
  }

  private static double[] read(Plan plan, Value value) {
    double[] elements = new double[Math.toIntExact(value.type().maxElements())];
    Arrays.setAll(elements, i -> value.type().dtype().get(plan.output(value).segment(), i));
    return elements;
  }

  private void compare(Plan plan, Value loss, Value variable, double[] derivative) {
    Tensor tensor = store.get(variable.name());
    double largest = Arrays.stream(derivative).map(Math::abs).max().orElse(0);
    for (int i = 0; i < derivative.length; i++) {
      double before = tensor.dtype().get(tensor.segment(), i);
      tensor.dtype().set(tensor.segment(), i, before + STEP);
      plan.run();
      double above = plan.readScalar(loss);
      tensor.dtype().set(tensor.segment(), i, before - STEP);
      plan.run();
      double below = plan.readScalar(loss);
      tensor.dtype().set(tensor.segment(), i, before);
      assertThat(derivative[i])
          .as("derivative by element %d of %s", i, variable)
          .isCloseTo((above - below) / (2 * STEP), within(TOLERANCE * Math.max(1, largest)));
    }
  }

  @Override
  public void close() {
    store.close();
    backend.close();
  }
}
