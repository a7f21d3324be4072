package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.llm4msr.bindings.cpu.ProgramRun.at;
import static org.llm4msr.bindings.cpu.ProgramRun.constant;
import static org.llm4msr.bindings.cpu.ProgramRun.instruction;
import static org.llm4msr.bindings.cpu.ProgramRun.rounding;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.bindings.cpu.ProgramRun.Expectation;
import org.llm4msr.bindings.cpu.ScoringProgram.Code;
import org.llm4msr.bindings.cpu.ScoringProgram.Instruction;
import org.llm4msr.bindings.cpu.ScoringProgram.Sizes;
import org.llm4msr.bindings.cpu.ScoringProgram.Space;

/**
 * Programs in 8 bits, and matrices packed on the way, against plain Java on every instruction set.
 */
class PackedProgramTest {
  private static final int ITEMS = 9;
  // The table's scale and the addend's unit: sums of both are exact.
  private static final float UNIT = 1 / 32f;

  private final Random random = new Random(4);

  /** What a number's 8 bits stand for, as the specification has it. */
  private record Rounded(float scale, int zero, int[] bytes) {
    static Rounded of(float[] x) {
      float low = 0;
      float high = 0;
      for (float value : x) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
      float range = high - low;
      float inverse = range == 0 ? 0 : 255 / range;
      int zero = (int) Math.rint(-low * inverse);
      int[] bytes = new int[x.length];
      for (int j = 0; j < x.length; j++) {
        bytes[j] = (int) Math.min(Math.rint(x[j] * inverse), 255 - zero);
      }
      return new Rounded(range / 255, zero, bytes);
    }
  }

  /** Column j of a matrix {@code [k, n]}, symmetric. */
  private record Column(float scale, int[] bytes) {
    static Column of(float[] matrix, int k, int n, int j) {
      float largest = 0;
      for (int p = 0; p < k; p++) {
        largest = Math.max(largest, Math.abs(matrix[p * n + j]));
      }
      float inverse = 127 / largest;
      int[] bytes = new int[k];
      for (int p = 0; p < k; p++) {
        bytes[p] = (int) Math.rint(matrix[p * n + j] * inverse);
      }
      return new Column(largest / 127, bytes);
    }

    double times(Rounded x) {
      long sum = 0;
      for (int p = 0; p < bytes.length; p++) {
        sum += (long) x.bytes()[p] * bytes[p];
      }
      return (double) sum * x.scale() * scale;
    }
  }

  private float[] gaussians(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static void putPanels(MemorySegment to, long floats, float[] matrix, int k, int n) {
    for (int j = 0; j < n; j++) {
      Column column = Column.of(matrix, k, n, j);
      long panel = floats + j / 8 * (16 + (k + 3) / 4 * 8L) + j % 8;
      to.setAtIndex(ValueLayout.JAVA_FLOAT, panel, column.scale());
      int sum = 0;
      for (int p = 0; p < k; p++) {
        long quad = panel + 16 + p / 4 * 8L;
        to.set(ValueLayout.JAVA_BYTE, quad * Float.BYTES + p % 4, (byte) column.bytes()[p]);
        sum += column.bytes()[p];
      }
      to.setAtIndex(ValueLayout.JAVA_INT, panel + 8, sum);
    }
  }

  /**
   * Each item's row of w bytes and the request's vector, through an activation, in 8 bits through a
   * constant matrix and one that the request brings, and the weighted sum of both.
   */
  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, NONE",
    "3, 5, 47, RELU",
    "8, 8, 48, NONE",
    "9, 7, 49, NONE",
    "17, 16, 5, RELU",
    "40, 70, 100, NONE",
    "64, 24, 200, RELU",
    "131, 9, 64, RELU"
  })
  void computesInInt8(int w, int n, int count, Activation activation) {
    float[] matrix = gaussians(w * n);
    float[] last = gaussians(n);
    // The request's: what is added to rows, to the first product, and a matrix.
    float[] context = gaussians(w + n + w * n);
    for (int j = 0; j < w; j++) {
      context[j] = random.nextInt(-200, 200) * UNIT;
    }
    byte[] table = new byte[(ITEMS + 1) * w];
    random.nextBytes(table);
    long rowFloats = Int8Layout.row(w);
    long matrixAt = (ITEMS + 1) * rowFloats;
    long panels = (n + 7) / 8;
    long lastAt = matrixAt + panels * Int8Layout.panel(w);
    long floats = lastAt + n * 8L + ScoringProgram.SLACK;
    int quantised = w + n;
    int columns = quantised + (int) Int8Layout.quantisedColumns(w) + 1;
    Instruction gather =
        instruction(
            Code.GATHER,
            activation.ordinal(),
            at(Space.ROWS, 0),
            constant(0),
            at(Space.CONTEXT, 0),
            0,
            w,
            ITEMS + 1,
            0,
            ScoringProgram.INT8);
    List<Instruction> program =
        List.of(
            instruction(
                Code.PACK,
                0,
                at(Space.STATE, 0),
                at(Space.CONTEXT, w + n),
                0,
                0,
                n,
                w,
                0,
                ScoringProgram.INT8),
            gather,
            instruction(
                Code.QUANTISE, 0, at(Space.ROWS, quantised), at(Space.ROWS, 0), 0, 0, w, 0, 0, 0),
            instruction(
                Code.LINEAR,
                0,
                at(Space.ROWS, w),
                at(Space.ROWS, quantised),
                constant(matrixAt),
                at(Space.CONTEXT, w),
                n,
                w,
                1,
                ScoringProgram.INT8),
            instruction(
                Code.LINEAR,
                0,
                at(Space.ROWS, w),
                at(Space.ROWS, quantised),
                at(Space.STATE, 0),
                0,
                n,
                w,
                1,
                ScoringProgram.INT8 | ScoringProgram.ACCUMULATE),
            new Instruction(
                Code.LINEAR,
                0,
                at(Space.ROWS, columns - 1),
                at(Space.ROWS, w),
                constant(lastAt),
                0,
                1,
                n,
                1,
                8,
                n * 8L,
                0,
                0,
                0),
            instruction(Code.OUTPUT, 0, 0, at(Space.ROWS, columns - 1), 0, 0, 1, 0, 0, 0));
    int[] items = random.ints(count, -1, ITEMS).toArray();
    double[] expected = new double[count];
    double[] magnitude = new double[count];
    float[] generated = Arrays.copyOfRange(context, w + n, context.length);
    for (int i = 0; i < count; i++) {
      int row = items[i] < 0 ? ITEMS : items[i];
      float[] x = new float[w];
      for (int j = 0; j < w; j++) {
        x[j] = table[row * w + j] * UNIT + context[j];
        x[j] = activation == Activation.RELU ? Math.max(0, x[j]) : x[j];
      }
      Rounded rounded = Rounded.of(x);
      for (int j = 0; j < n; j++) {
        double y =
            context[w + j]
                + Column.of(matrix, w, n, j).times(rounded)
                + Column.of(generated, w, n, j).times(rounded);
        expected[i] += y * last[j];
        magnitude[i] += Math.abs(y * last[j]) + Math.abs(last[j]);
      }
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment constants = arena.allocate(floats * Float.BYTES, 64);
      putTable(constants, 0, table, w);
      putPanels(constants, matrixAt, matrix, w, n);
      for (int j = 0; j < n; j++) {
        constants.setAtIndex(ValueLayout.JAVA_FLOAT, lastAt + j * 8L, last[j]);
      }
      long state = panels * Int8Layout.panel(w) + ScoringProgram.SLACK;
      Sizes sizes = new Sizes(floats, state, columns, 0, context.length, ITEMS, false);
      // Integers are the same everywhere: only scaling and the last sum are rounded.
      Expectation near = near(expected, magnitude);
      ProgramRun.onEveryIsa(arena, program, 1, sizes, constants, context, items, near);
      // The same where the row is rounded as it is looked up.
      List<Instruction> shorter = new ArrayList<>(program);
      shorter.set(1, rounding(gather, at(Space.ROWS, quantised), 0));
      shorter.remove(2);
      ProgramRun.onEveryIsa(arena, shorter, 1, sizes, constants, context, items, near);
    }
  }

  private static Expectation near(double[] expected, double[] magnitude) {
    return (isa, out, _) -> {
      for (int i = 0; i < expected.length; i++) {
        assertThat((double) out.getAtIndex(ValueLayout.JAVA_FLOAT, i))
            .as("%s, item %d", isa, i)
            .isCloseTo(expected[i], within(magnitude[i] * 2e-6));
      }
    };
  }

  private static void putTable(MemorySegment to, long floats, byte[] table, int w) {
    for (int row = 0; row <= ITEMS; row++) {
      long at = floats + row * Int8Layout.row(w);
      to.setAtIndex(ValueLayout.JAVA_FLOAT, at, UNIT);
      MemorySegment.copy(table, row * w, to, ValueLayout.JAVA_BYTE, (at + 1) * Float.BYTES, w);
    }
  }

  private byte[] bytes(int count) {
    byte[] values = new byte[count];
    random.nextBytes(values);
    return values;
  }

  /** A matrix of bytes {@code [k, n]} with UNIT for every column's scale. */
  private static void putUnits(
      MemorySegment to, long floats, byte[] matrix, int k, int n, int width) {
    for (int j = 0; j < n; j++) {
      long panel = floats + j / width * ((2 + (k + 3) / 4) * (long) width) + j % width;
      to.setAtIndex(ValueLayout.JAVA_FLOAT, panel, UNIT);
      int sum = 0;
      for (int p = 0; p < k; p++) {
        long quad = panel + (2 + p / 4) * (long) width;
        to.set(ValueLayout.JAVA_BYTE, quad * Float.BYTES + p % 4, matrix[p * n + j]);
        sum += matrix[p * n + j];
      }
      to.setAtIndex(ValueLayout.JAVA_INT, panel + width, sum);
    }
  }

  /** Column j of x times such a matrix. */
  private static double units(int[] x, byte[] matrix, int n, int j) {
    long sum = 0;
    for (int p = 0; p < x.length; p++) {
      sum += (long) x[p] * matrix[p * n + j];
    }
    return (double) sum * UNIT * UNIT;
  }

  /**
   * The request's vector through a matrix in 8 bits, to which each item's row of w bytes through
   * another and its row of n bytes are added; the sum rounded, through a third matrix, weighted.
   * All but the last two steps are exact: sums of multiples of UNIT squared.
   */
  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, NONE",
    "3, 5, 47, RELU",
    "8, 8, 48, NONE",
    "9, 7, 49, RELU",
    "17, 16, 5, RELU",
    "40, 70, 100, NONE",
    "64, 24, 200, RELU",
    "131, 34, 64, RELU"
  })
  void keepsTheBytesOfRows(int w, int n, int count, Activation activation) {
    byte[] toVector = bytes(w * n);
    byte[] rows = bytes((ITEMS + 1) * w);
    byte[] addends = bytes((ITEMS + 1) * n);
    byte[] toRow = bytes(w * n);
    byte[] square = bytes(n * n);
    float[] last = gaussians(n);
    int[] vector = random.ints(w, 0, 256).toArray();
    // From 0 to 255 steps, so that rounding to 8 bits leaves it as it is.
    vector[0] = 255;
    float[] context = new float[w + n];
    for (int j = 0; j < w + n; j++) {
      context[j] = (j < w ? vector[j] : random.nextInt(-200, 200)) * UNIT;
    }
    long rowsAt = Int8Layout.matrix(w, n);
    long addendsAt = rowsAt + (ITEMS + 1) * Int8Layout.row(w);
    long toRowAt = addendsAt + (ITEMS + 1) * Int8Layout.row(n);
    long squareAt = toRowAt + (n + 7) / 8 * Int8Layout.panel(w);
    long lastAt = squareAt + (n + 7) / 8 * Int8Layout.panel(n);
    long floats = lastAt + n * 8L + ScoringProgram.SLACK;
    int int8 = ScoringProgram.INT8;
    int keep = int8 | ScoringProgram.BYTES;
    long x = at(Space.ROWS, 0);
    long y = at(Space.ROWS, n);
    long sum = at(Space.ROWS, 2 * n);
    long ofRow = at(Space.ROWS, 2 * n + 1);
    long ofAddend = ofRow + Int8Layout.quantisedColumns(w);
    long ofX = ofAddend + Int8Layout.quantisedColumns(n);
    long state = at(Space.STATE, 0);
    List<Instruction> program =
        List.of(
            instruction(
                Code.LINEAR,
                0,
                state,
                at(Space.CONTEXT, 0),
                constant(0),
                at(Space.CONTEXT, w),
                n,
                w,
                1,
                int8),
            instruction(Code.GATHER, 0, ofRow, constant(rowsAt), 0, 0, w, ITEMS + 1, 0, keep),
            instruction(Code.GATHER, 0, ofAddend, constant(addendsAt), 0, 0, n, ITEMS + 1, 0, keep),
            rounding(
                instruction(
                    Code.LINEAR,
                    activation.ordinal(),
                    x,
                    ofRow,
                    constant(toRowAt),
                    state,
                    n,
                    w,
                    1,
                    int8),
                ofX,
                ofAddend),
            instruction(Code.LINEAR, 0, y, ofX, constant(squareAt), 0, n, n, 1, int8),
            new Instruction(
                Code.LINEAR, 0, sum, y, constant(lastAt), 0, 1, n, 1, 8, n * 8L, 0, 0, 0),
            instruction(Code.OUTPUT, 0, 0, sum, 0, 0, 1, 0, 0, 0));
    int[] items = random.ints(count, -1, ITEMS).toArray();
    double[] expected = new double[count];
    double[] magnitude = new double[count];
    for (int i = 0; i < count; i++) {
      int item = items[i] < 0 ? ITEMS : items[i];
      int[] row = new int[w];
      for (int p = 0; p < w; p++) {
        row[p] = rows[item * w + p];
      }
      float[] hidden = new float[n];
      for (int j = 0; j < n; j++) {
        double z = units(vector, toVector, n, j) + context[w + j] + units(row, toRow, n, j);
        z += addends[item * n + j] * UNIT;
        hidden[j] = (float) (activation == Activation.RELU ? Math.max(0, z) : z);
      }
      Rounded rounded = Rounded.of(hidden);
      for (int j = 0; j < n; j++) {
        double z = units(rounded.bytes(), square, n, j) / UNIT * rounded.scale();
        expected[i] += z * last[j];
        magnitude[i] += Math.abs(z * last[j]) + 128 * rounded.scale() * Math.abs(last[j]);
      }
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment constants = arena.allocate(floats * Float.BYTES, 64);
      putUnits(constants, 0, toVector, w, n, 16);
      putTable(constants, rowsAt, rows, w);
      putTable(constants, addendsAt, addends, n);
      putUnits(constants, toRowAt, toRow, w, n, 8);
      putUnits(constants, squareAt, square, n, n, 8);
      for (int j = 0; j < n; j++) {
        constants.setAtIndex(ValueLayout.JAVA_FLOAT, lastAt + j * 8L, last[j]);
      }
      int columns = (int) (ofX - x + Int8Layout.quantisedColumns(n));
      Sizes sizes = new Sizes(floats, n + ScoringProgram.SLACK, columns, 0, w + n, ITEMS, false);
      ProgramRun.onEveryIsa(
          arena, program, 1, sizes, constants, context, items, near(expected, magnitude));
    }
  }

  /** A row that is not finite makes a result that is none, and harms no other. */
  @Test
  void whatIsNotFiniteIsNotHidden() {
    float[] table = {1, Float.POSITIVE_INFINITY, 2, Float.NaN, -3, 4, 0, 0};
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment constants = arena.allocate(64 * Float.BYTES, 64);
      MemorySegment.copy(table, 0, constants, ValueLayout.JAVA_FLOAT, 0, table.length);
      putPanels(constants, 8, new float[] {1, 1}, 2, 1);
      List<Instruction> program =
          List.of(
              instruction(Code.GATHER, 0, at(Space.ROWS, 0), constant(0), 0, 0, 2, 4, 0, 0),
              instruction(Code.QUANTISE, 0, at(Space.ROWS, 2), at(Space.ROWS, 0), 0, 0, 2, 0, 0, 0),
              instruction(
                  Code.LINEAR,
                  0,
                  at(Space.ROWS, 5),
                  at(Space.ROWS, 2),
                  constant(8),
                  0,
                  1,
                  2,
                  1,
                  ScoringProgram.INT8),
              instruction(Code.OUTPUT, 0, 0, at(Space.ROWS, 5), 0, 0, 1, 0, 0, 0));
      Sizes sizes = new Sizes(64, ScoringProgram.SLACK, 6, 0, 0, 3, false);
      ProgramRun.onEveryIsa(
          arena,
          program,
          0,
          sizes,
          constants,
          new float[1],
          new int[] {0, 1, 2, -1},
          (isa, out, _) -> {
            float[] y = out.toArray(ValueLayout.JAVA_FLOAT);
            assertThat(y[0]).as("%s", isa).isNaN();
            assertThat(y[1]).as("%s", isa).isNaN();
            assertThat(y[2]).as("%s", isa).isCloseTo(1, within(.03f));
            assertThat(y[3]).as("%s", isa).isZero();
          });
    }
  }

  /** A matrix {@code [k, n]} packed as BF16 pairs on the way. */
  @ParameterizedTest
  @CsvSource({"1, 1", "2, 8", "5, 19", "33, 40"})
  void packsBf16(int k, int n) {
    float[] context = gaussians(k * n);
    try (Arena arena = Arena.ofConfined()) {
      int floats = (n + 7) / 8 * ((k + 1) / 2) * 8;
      Sizes sizes =
          new Sizes(ScoringProgram.SLACK, floats + ScoringProgram.SLACK, 0, 0, k * n, ITEMS, false);
      Instruction pack =
          instruction(
              Code.PACK,
              0,
              at(Space.STATE, 0),
              at(Space.CONTEXT, 0),
              0,
              0,
              n,
              k,
              0,
              ScoringProgram.BF16);
      ProgramRun.onEveryIsa(
          arena,
          List.of(pack),
          1,
          sizes,
          arena.allocate(ScoringProgram.SLACK * Float.BYTES),
          context,
          new int[0],
          (isa, _, state) -> {
            for (int p = 0; p < k; p++) {
              for (int j = 0; j < n; j++) {
                long index = (j / 8 * ((k + 1) / 2) + p / 2) * 16L + j % 8 * 2 + p % 2;
                int bits = Float.floatToRawIntBits(context[p * n + j]);
                assertThat(state.getAtIndex(ValueLayout.JAVA_SHORT, index))
                    .as("%s, [%d, %d]", isa, p, j)
                    .isEqualTo((short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16));
              }
            }
          });
    }
  }
}
