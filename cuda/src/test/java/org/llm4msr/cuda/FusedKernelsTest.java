package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.UnaryOp;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** Graphs as models write them launch the kernels that do several of their nodes at once. */
class FusedKernelsTest {
  private final Random random = new Random(3);
  private CudaBackend backend;
  private ParameterStore store;
  private Plan plan;

  @BeforeEach
  void skipWithoutStandIn() {
    StandIn.require();
  }

  @AfterEach
  void close() {
    if (plan != null) {
      plan.close();
    }
    if (store != null) {
      store.close();
    }
    if (backend != null) {
      backend.close();
    }
    StandIn.assertNothingWrong();
  }

  private void open(int capability) {
    StandIn.set("capability", capability);
    backend = new CudaBackend(CudaDevices.look().devices().getFirst());
    store = new ParameterStore(backend);
  }

  /** A parameter of small numbers that BF16 holds. */
  private Value parameter(
      Graph graph, String name, DType dtype, float[] elements, long... extents) {
    Value value = graph.parameter(name, ValueType.of(dtype, extents));
    store.create(value);
    byte[] bytes = new byte[Math.toIntExact(dtype.byteSize(elements.length))];
    MemorySegment host = MemorySegment.ofArray(bytes);
    for (int i = 0; i < elements.length; i++) {
      if (dtype == DType.BF16) {
        short bits = (short) (Float.floatToRawIntBits(elements[i]) >>> 16);
        host.set(JAVA_SHORT.withByteAlignment(1), 2L * i, bits);
      } else {
        host.set(JAVA_FLOAT.withByteAlignment(1), 4L * i, elements[i]);
      }
    }
    backend.upload(host, store.get(name).buffer(), 0);
    return value;
  }

  private float[] numbers(int count) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = random.nextInt(-8, 8) / 8f;
    }
    return numbers;
  }

  private float[] put(Value input) {
    float[] numbers = numbers(Math.toIntExact(input.type().maxElements()));
    MemorySegment.copy(numbers, 0, plan.input(input), JAVA_FLOAT, 0, numbers.length);
    return numbers;
  }

  private float[] read(Value output) {
    float[] read = new float[Math.toIntExact(output.type().maxElements())];
    plan.read(output, MemorySegment.ofArray(read));
    return read;
  }

  private static double[] product(float[] x, float[] w, int inner) {
    int rows = x.length / inner;
    int columns = w.length / inner;
    double[] y = new double[rows * columns];
    for (int i = 0; i < y.length; i++) {
      for (int k = 0; k < inner; k++) {
        y[i] += x[i / columns * inner + k] * (double) w[i % columns * inner + k];
      }
    }
    return y;
  }

  private static void assertClose(float[] actual, double[] expected, double tolerance) {
    assertThat(actual).hasSize(expected.length);
    for (int i = 0; i < expected.length; i++) {
      assertThat((double) actual[i]).isCloseTo(expected[i], within(tolerance));
    }
  }

  /** F32 weights are multiplied exactly, by two products. */
  @ParameterizedTest
  @CsvSource({"80, BF16, matmul_mma, 1", "90, BF16, matmul_multicast, 1", "90, F32, matmul, 2"})
  void swiGluIsOneProduct(int capability, DType dtype, String kernel, int launches) {
    open(capability);
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", Dim.of(21), Dim.of(40));
    float[] gate = numbers(70 * 40);
    float[] up = numbers(70 * 40);
    Value y =
        Ops.glu(
            UnaryOp.Kind.SILU,
            Ops.linear(x, parameter(graph, "gate", dtype, gate, 70, 40), null, null),
            Ops.linear(x, parameter(graph, "up", dtype, up, 70, 40), null, null));
    plan = new Plan(backend, graph, store, List.of(y));
    float[] left = put(x);
    plan.run();
    double[] gates = product(left, gate, 40);
    double[] expected = product(left, up, 40);
    for (int i = 0; i < expected.length; i++) {
      expected[i] *= gates[i] / (1 + Math.exp(-gates[i]));
    }
    assertClose(read(y), expected, 1e-4);
    assertThat(StandIn.count(kernel)).isEqualTo(launches);
    assertThat(StandIn.count("to_bf16")).isEqualTo(dtype == DType.BF16 ? 1 : 0);
  }

  @ParameterizedTest
  @CsvSource({"80, matmul_mma", "90, matmul_multicast"})
  void theOperandOfSeveralProductsIsRoundedOnce(int capability, String kernel) {
    open(capability);
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", Dim.of(9), Dim.of(24));
    List<float[]> weights = List.of(numbers(16 * 24), numbers(8 * 24), numbers(8 * 24));
    List<Value> y = new ArrayList<>();
    for (float[] w : weights) {
      Value value = parameter(graph, "w" + y.size(), DType.BF16, w, w.length / 24, 24);
      y.add(Ops.linear(x, value, null, null));
    }
    plan = new Plan(backend, graph, store, y);
    float[] left = put(x);
    plan.run();
    for (int i = 0; i < y.size(); i++) {
      assertClose(read(y.get(i)), product(left, weights.get(i), 24), 0);
    }
    assertThat(StandIn.count(kernel)).isEqualTo(3);
    assertThat(StandIn.count("to_bf16")).isEqualTo(1);
  }

  /** Which rung suits which extents, on a device of so many multiprocessors. */
  @ParameterizedTest
  @CsvSource({
    "4, 100, 512, matmul_persistent",
    "4, 100, 100, matmul_multicast",
    "2, 256, 512, matmul_wide"
  })
  void theRungIsChosenByTheExtents(int multiprocessors, int rows, int columns, String kernel) {
    StandIn.set("multiprocessors", multiprocessors);
    open(90);
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", Dim.of(rows), Dim.of(24));
    Value residual = graph.input("residual", Dim.of(rows), Dim.of(columns));
    float[] w = numbers(columns * 24);
    Value weights = parameter(graph, "w", DType.BF16, w, columns, 24);
    Value y = Ops.add(residual, Ops.linear(x, weights, null, null));
    plan = new Plan(backend, graph, store, List.of(y));
    float[] left = put(x);
    float[] added = put(residual);
    plan.run();
    double[] expected = product(left, w, 24);
    for (int i = 0; i < expected.length; i++) {
      expected[i] += added[i];
    }
    assertClose(read(y), expected, 0);
    assertThat(StandIn.count(kernel)).isEqualTo(1);
  }

  /** Its inner extent keeps more multiprocessors busy than its two tiles. */
  @Test
  void aLongProductOfFewTilesIsSplit() {
    open(80);
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", Dim.of(2), Dim.of(1000));
    float[] w = numbers(70 * 1000);
    Value y = Ops.linear(x, parameter(graph, "w", DType.F32, w, 70, 1000), null, null);
    plan = new Plan(backend, graph, store, List.of(y));
    float[] left = put(x);
    plan.run();
    assertClose(read(y), product(left, w, 1000), 0);
    assertThat(StandIn.count("matmul")).isEqualTo(1);
    assertThat(StandIn.count("sum_splits")).isEqualTo(1);
  }

  @Test
  void aBranchJoinsTheStreamAndIsNormalisedAtOnce() {
    open(80);
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", Dim.of(5), Dim.of(33));
    Value branch = graph.input("branch", Dim.of(5), Dim.of(33));
    float[] weight = numbers(33);
    Value sum = Ops.add(x, branch);
    Value y = Ops.rmsNorm(sum, parameter(graph, "weight", DType.F32, weight, 33), 1e-5);
    plan = new Plan(backend, graph, store, List.of(sum, y));
    float[] left = put(x);
    float[] right = put(branch);
    plan.run();
    double[] sums = new double[left.length];
    double[] normed = new double[left.length];
    for (int row = 0; row < 5; row++) {
      double square = 0;
      for (int i = row * 33; i < (row + 1) * 33; i++) {
        sums[i] = left[i] + (double) right[i];
        square += sums[i] * sums[i];
      }
      for (int i = row * 33; i < (row + 1) * 33; i++) {
        normed[i] = sums[i] / Math.sqrt(square / 33 + 1e-5) * weight[i % 33];
      }
    }
    assertClose(read(sum), sums, 0);
    assertClose(read(y), normed, 1e-6);
    assertThat(StandIn.count("rms_norm_residual")).isEqualTo(1);
    assertThat(StandIn.count("rms_norm")).isZero();
  }

  /** More tables than one launch takes, of every width that is and is not one of whole vectors. */
  @Test
  void allTablesAreLookedUpAtOnce() {
    open(80);
    int fields = 70;
    int batch = 3;
    Graph graph = new Graph(DType.F32);
    Value ids = graph.input("ids", ValueType.of(DType.I32, batch, fields));
    List<float[]> elements = new ArrayList<>();
    List<Value> tables = new ArrayList<>();
    for (int field = 0; field < fields; field++) {
      int width = 1 + field % 9;
      elements.add(numbers(4 * width));
      tables.add(parameter(graph, "table" + field, DType.F32, elements.get(field), 4, width));
    }
    Value y = Ops.embeddings(ids, tables);
    plan = new Plan(backend, graph, store, List.of(y));
    int[] chosen = random.ints(batch * fields, 0, 4).toArray();
    MemorySegment.copy(chosen, 0, plan.input(ids), JAVA_INT, 0, chosen.length);
    plan.run();
    float[] read = read(y);
    int at = 0;
    for (int row = 0; row < batch; row++) {
      for (int field = 0; field < fields; field++) {
        int width = 1 + field % 9;
        for (int i = 0; i < width; i++, at++) {
          assertThat(read[at])
              .isEqualTo(elements.get(field)[chosen[row * fields + field] * width + i]);
        }
      }
    }
    assertThat(at).isEqualTo(read.length);
    assertThat(StandIn.count("embedding_concat")).isEqualTo(2);
    assertThat(StandIn.count("gather")).isZero();
  }

  /** The first step of Adam is the learning rate against the sign of the gradient's sum. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aTableTakesItsStepInOnePass(boolean lazy) {
    open(80);
    Graph graph = new Graph(DType.F32);
    Value ids = graph.input("ids", ValueType.of(DType.I32, 4));
    Value dy = graph.input("dy", Dim.of(4), Dim.of(2));
    Value state = graph.input("state", ValueType.of(DType.F64, 2));
    Value p = parameter(graph, "p", DType.F32, new float[6], 3, 2);
    Value m = parameter(graph, "m", DType.F32, new float[6], 3, 2);
    Value v = parameter(graph, "v", DType.F32, new float[6], 3, 2);
    List<Value> rows = graph.apply(new SparseRowGradientOp(0, 0, 2, 3), ids, dy);
    graph.apply(
        new SparseAdamOp(0.9, 0.999, 1e-8, 0, lazy),
        List.of(p, m, v, rows.get(0), rows.get(1), rows.get(2), state));
    plan = new Plan(backend, graph, store, List.of());
    MemorySegment.copy(new int[] {2, 0, 2, 2}, 0, plan.input(ids), JAVA_INT, 0, 4);
    float[] gradients = {1, 1, 5, -5, 1, 1, -3, -1};
    MemorySegment.copy(gradients, 0, plan.input(dy), JAVA_FLOAT, 0, 8);
    plan.input(state).setAtIndex(JAVA_DOUBLE, 0, 0.5);
    plan.input(state).setAtIndex(JAVA_DOUBLE, 1, 1);
    plan.run();
    float[] stepped = new float[6];
    backend.download(store.get("p").buffer(), 0, MemorySegment.ofArray(stepped));
    assertClose(stepped, new double[] {-0.5, 0.5, 0, 0, 0.5, -0.5}, 1e-5);
    assertThat(StandIn.count("segment_adam")).isEqualTo(1);
    assertThat(StandIn.count("sum_rows")).isZero();
    assertThat(StandIn.count(lazy ? "lazy_adam" : "sparse_adam")).isZero();
  }

  /** Keys that are all alike: a token gets the mean of the values in its list up to its own. */
  @ParameterizedTest
  @CsvSource({"64, true, attention_64", "64, false, attention"})
  void keysOfASharedBeginningAreReadWhereTheyLie(int width, boolean rounded, String kernel) {
    open(80);
    Graph graph = new Graph(DType.F32);
    Value q = graph.input("q", Dim.of(4), Dim.of(width));
    Value k = graph.input("k", Dim.of(4), Dim.of(width));
    Value v = graph.input("v", Dim.of(4), Dim.of(width));
    // Tokens 0 and 1 are the beginning that the tokens 2 and 3 share.
    Value rows = graph.constant(ValueType.of(DType.I32, 6), 0, 1, 2, 0, 1, 3);
    Value offsets = graph.constant(ValueType.of(DType.I32, 4), 0, 2, 3, 4);
    Value begins = graph.constant(ValueType.of(DType.I32, 3), 0, 0, 3);
    Value ends = graph.constant(ValueType.of(DType.I32, 3), 2, 3, 6);
    AttentionOp op = new AttentionOp(1, 1, width, 1, AttentionOp.Mask.causal(), rounded);
    Value keys = Ops.gather(k, rows);
    Value values = Ops.gather(v, rows);
    Value y = Ops.attention(op, q, keys, values, offsets, begins, ends);
    plan = new Plan(backend, graph, store, List.of(y));
    put(q);
    float[] value = put(v);
    plan.run();
    int[][] seen = {{0}, {0, 1}, {0, 1, 2}, {0, 1, 3}};
    double[] expected = new double[4 * width];
    for (int token = 0; token < 4; token++) {
      for (int i = 0; i < width; i++) {
        for (int row : seen[token]) {
          expected[token * width + i] += value[row * width + i] / (double) seen[token].length;
        }
      }
    }
    assertClose(read(y), expected, rounded ? 4e-3 : 1e-6);
    assertThat(StandIn.count(kernel)).isEqualTo(1);
    assertThat(StandIn.count("gather")).isZero();
  }
}
