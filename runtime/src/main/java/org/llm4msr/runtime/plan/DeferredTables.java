package org.llm4msr.runtime.plan;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.op.AdamCatchUpOp;
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;

/**
 * The tables of a plan whose rows take exact Adam's steps when they are read, see {@link
 * DeferredAdamOp}: what is kept of their steps, and the kernels that go before, into and after the
 * plan's own.
 */
final class DeferredTables implements AutoCloseable {
  /**
   * Numbers of a table from which it pays: 12 MiB with its moments. Smaller ones stay in the caches
   * from step to step.
   */
  static final long WORTH_ELEMENTS = 1 << 20;

  /** Inputs of {@link SparseAdamOp}. */
  private static final int ROWS = 3;

  private static final int RATE_AND_STEP = 6;

  /** What reads a table, and what is kept of its steps. */
  private record Table(Node node, SparseAdamOp adam, Value ids, int column) {
    Value parameter() {
      return node.input(0);
    }
  }

  private final Backend backend;
  private final List<Buffer> buffers = new ArrayList<>();
  private final Map<Node, Table> tables = new LinkedHashMap<>();
  private final Map<Table, List<Operand>> operands = new LinkedHashMap<>();
  private final List<MemorySegment> done = new ArrayList<>();
  private final List<Kernel> settling = new ArrayList<>();
  private MemorySegment rateAndStep;
  private MemorySegment afterLast;
  private long lastStep;
  private boolean settled = true;

  /**
   * Finds them; none on a backend that does not ask for it.
   *
   * @param nodes in the order in which they run
   */
  DeferredTables(Backend backend, List<Node> nodes) {
    this.backend = backend;
    for (Node node : nodes) {
      Table table = find(node, nodes);
      if (table != null && backend.fuses(new DeferredAdamOp(table.adam), types(node))) {
        tables.put(node, table);
      }
    }
  }

  /**
   * A table that a single lookup reads, by ids that are known before the run; null for other nodes.
   */
  private Table find(Node node, List<Node> nodes) {
    if (!(node.op() instanceof SparseAdamOp adam)
        || adam.lazy()
        || node.input(0).type().maxElements() < WORTH_ELEMENTS
        || tables.values().stream()
            .anyMatch(other -> other.node.input(RATE_AND_STEP) != node.input(RATE_AND_STEP))) {
      return null;
    }
    Node producer = node.input(ROWS).producer();
    List<Node> readers =
        nodes.stream()
            .filter(other -> other != node && other.inputs().contains(node.input(0)))
            .toList();
    return producer != null
            && producer.op() instanceof SparseRowGradientOp gradient
            && producer.input(0).kind() == Value.Kind.INPUT
            && readers.size() == 1
            && idsOf(readers.getFirst()) == producer.input(0)
        ? new Table(node, adam, producer.input(0), gradient.column())
        : null;
  }

  private static Value idsOf(Node lookup) {
    return switch (lookup.op()) {
      case EmbeddingConcatOp _ -> lookup.input(0);
      case GatherOp _ -> lookup.input(1);
      default -> null;
    };
  }

  private static ValueType doneType(ValueType table) {
    return ValueType.of(DType.I32, table.dim(0));
  }

  private static ValueType ratesType(ValueType table) {
    return ValueType.of(table.dtype(), DeferredAdamOp.WINDOW, 2);
  }

  private static List<ValueType> types(Node node) {
    List<ValueType> types = new ArrayList<>(node.inputs().stream().map(Value::type).toList());
    ValueType table = types.getFirst();
    types.addAll(ROWS, List.of(doneType(table), ratesType(table)));
    return types;
  }

  boolean isEmpty() {
    return tables.isEmpty();
  }

  /** Whether a node's kernel is {@link #step}. */
  boolean contains(Node node) {
    return tables.containsKey(node);
  }

  /**
   * The kernels that bring a run's rows up to date, to run before all others, by name.
   *
   * @param slots the plan's memory of a value
   */
  Map<String, Kernel> catchingUp(Function<Value, Operand> slots) {
    if (tables.isEmpty()) {
      return Map.of();
    }
    Operand next = operand(ValueType.of(DType.F64, 2), "the step that settles tables");
    afterLast = next.segment();
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (Table table : tables.values()) {
      ValueType type = table.parameter().type();
      Operand doneSteps = operand(doneType(type), "steps of " + table.parameter().name());
      done.add(doneSteps.segment());
      List<Operand> kept =
          Stream.concat(
                  table.node.inputs().stream().limit(ROWS).map(slots),
                  Stream.of(doneSteps, operand(ratesType(type), "rates of Adam's last steps")))
              .toList();
      operands.put(table, kept);
      Operand state = slots.apply(table.node.input(RATE_AND_STEP));
      rateAndStep = state.segment();
      AdamCatchUpOp op = new AdamCatchUpOp(table.adam, table.column);
      kernels.put(
          op.name() + " " + table.parameter().name(),
          backend.kernel(op, with(kept, slots.apply(table.ids), state), List.of()));
      settling.add(
          backend.kernel(AdamCatchUpOp.ofAllRows(table.adam), with(kept, next), List.of()));
    }
    return kernels;
  }

  /** The kernel in the place of a node's own, which would read {@code inputs}. */
  Kernel step(Node node, List<Operand> inputs) {
    Table table = tables.get(node);
    Operand[] others = inputs.subList(ROWS, inputs.size()).toArray(Operand[]::new);
    return backend.kernel(
        new DeferredAdamOp(table.adam), with(operands.get(table), others), List.of());
  }

  private static List<Operand> with(List<Operand> kept, Operand... others) {
    return Stream.concat(kept.stream(), Arrays.stream(others)).toList();
  }

  private Operand operand(ValueType type, String label) {
    Buffer buffer = backend.allocate(type.dtype().byteSize(type.maxElements()), label);
    buffers.add(buffer);
    int[] fixed = new int[type.rank()];
    Arrays.fill(fixed, -1);
    return new Slot(type, buffer, 0, buffer.segment(), fixed, new long[0]);
  }

  /**
   * Before a run.
   *
   * @throws IllegalStateException if its step does not follow the one before
   */
  void begin() {
    long step = (long) rateAndStep.getAtIndex(JAVA_DOUBLE, 1);
    if (settled) {
      lastStep = step - 1;
      done.forEach(this::fillWithLastStep);
      settled = false;
    } else if (step != lastStep + 1) {
      throw new IllegalStateException(
          "step %d cannot follow step %d before the plan is settled".formatted(step, lastStep));
    }
  }

  private void fillWithLastStep(MemorySegment steps) {
    for (long row = 0; row < steps.byteSize() / Integer.BYTES; row++) {
      steps.setAtIndex(JAVA_INT, row, (int) lastStep);
    }
  }

  /** After a run. */
  void end() {
    lastStep++;
  }

  /** Brings all rows up to date. */
  void settle() {
    if (!settled) {
      afterLast.setAtIndex(JAVA_DOUBLE, 1, lastStep + 1.0);
      settling.forEach(Kernel::run);
      backend.finish();
      settled = true;
    }
  }

  @Override
  public void close() {
    buffers.forEach(Buffer::close);
    buffers.clear();
  }
}
