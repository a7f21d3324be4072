package org.llm4msr.bench.gpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** One operator whose operands are on the device; counts floating-point operations in 10^12. */
final class OperatorWorkload implements Workload {
  /** How far apart in the random numbers an operand may begin. */
  private static final int SHIFTS = 1 << 16;

  private final Backend backend;
  private final double teraflops;
  private final ParameterStore operands;
  private final Plan plan;
  private final Arena arena = Arena.ofConfined();
  private final List<Operand> drawn = new ArrayList<>();
  private final SplittableRandom random = new SplittableRandom(7);

  private record Operand(Tensor tensor, MemorySegment numbers) {}

  private OperatorWorkload(Backend backend, Graph graph, Value result, double flops) {
    this.backend = backend;
    teraflops = flops / 1e12;
    operands = new ParameterStore(backend);
    for (Value value : graph.values()) {
      if (value.kind() == Value.Kind.PARAMETER) {
        operands.create(value);
      }
    }
    plan = new Plan(backend, graph, operands, List.of(result));
    for (String name : operands.names()) {
      Tensor tensor = operands.get(name);
      drawn.add(new Operand(tensor, numbers(tensor)));
    }
  }

  /**
   * A linear layer without bias: x {@code [M, K]} in F32, weights {@code [N, K]}.
   *
   * @param shape the weights' type, M, K and N, such as {@code bf16:8192x4096x4096}
   */
  static OperatorWorkload matmul(Backend backend, String shape) {
    int colon = shape.indexOf(':');
    int[] n = GpuBenchmark.numbers(shape.substring(colon + 1));
    Graph graph = new Graph(DType.F32);
    Value x = graph.parameter("x", ValueType.of(DType.F32, n[0], n[1]));
    DType type = GpuBenchmark.dtype(shape.substring(0, colon));
    Value w = graph.parameter("w", ValueType.of(type, n[2], n[1]));
    return new OperatorWorkload(
        backend, graph, Ops.linear(x, w, null, null), 2.0 * n[0] * n[1] * n[2]);
  }

  /**
   * Causal attention within prompts of equal length, in F32.
   *
   * @param shape prompts, tokens of each, heads, heads of keys and values, numbers in a head, such
   *     as {@code 16x256:32/8x128}
   */
  static OperatorWorkload attention(Backend backend, String shape) {
    int[] n = GpuBenchmark.numbers(shape);
    int tokens = n[0] * n[1];
    Graph graph = new Graph(DType.F32);
    Value q = graph.parameter("q", ValueType.of(DType.F32, tokens, (long) n[2] * n[4]));
    ValueType keys = ValueType.of(DType.F32, tokens, (long) n[3] * n[4]);
    Value k = graph.parameter("k", keys);
    Value v = graph.parameter("v", keys);
    double[] begins = IntStream.rangeClosed(0, n[0]).mapToDouble(s -> (double) s * n[1]).toArray();
    Value offsets = graph.constant(ValueType.of(DType.I32, begins.length), begins);
    AttentionOp op =
        new AttentionOp(n[2], n[3], n[4], 1 / Math.sqrt(n[4]), AttentionOp.Mask.causal());
    // Only what a causal mask leaves counts.
    double pairs = n[0] * (n[1] * (n[1] + 1.0) / 2);
    return new OperatorWorkload(
        backend, graph, Ops.attention(op, q, k, v, offsets), 4 * pairs * n[2] * n[4]);
  }

  /** As many normal random numbers as the tensor has, and some more. */
  private MemorySegment numbers(Tensor tensor) {
    DType type = tensor.dtype();
    long count = tensor.shape().elements() + SHIFTS;
    MemorySegment numbers = arena.allocate(type.byteSize(count), Long.BYTES);
    for (long i = 0; i < count; i++) {
      // The sum of four uniform ones, which is near enough and drawn faster.
      double sum =
          random.nextDouble() + random.nextDouble() + random.nextDouble() + random.nextDouble();
      type.set(numbers, i, (sum - 2) * Math.sqrt(3));
    }
    return numbers;
  }

  @Override
  public String unit() {
    return "TFLOP";
  }

  @Override
  public double unitsPerRun() {
    return teraflops;
  }

  @Override
  public void prepare() {
    for (Operand operand : drawn) {
      Tensor tensor = operand.tensor;
      long from = tensor.dtype().byteSize(random.nextInt(SHIFTS));
      backend.upload(
          operand.numbers.asSlice(from, tensor.byteSize()), tensor.buffer(), tensor.byteOffset());
    }
    backend.finish();
  }

  @Override
  public void run() {
    plan.run();
  }

  @Override
  public void close() {
    plan.close();
    operands.close();
    arena.close();
  }
}
