package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.llm4msr.bindings.cpu.ScoringProgramTest.at;
import static org.llm4msr.bindings.cpu.ScoringProgramTest.constant;
import static org.llm4msr.bindings.cpu.ScoringProgramTest.write;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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

  private static Instruction instruction(
      Code code, int kind, long dst, long a, long b, long c, long n, long k, long m, int flags) {
    return new Instruction(code, kind, dst, a, b, c, n, k, m, 0, 0, flags, 0, 0);
  }

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
                ScoringProgram.INT8),
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
    Isa before = Isa.selected();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment constants = arena.allocate(floats * Float.BYTES, 64);
      for (int row = 0; row <= ITEMS; row++) {
        constants.setAtIndex(ValueLayout.JAVA_FLOAT, row * rowFloats, UNIT);
        MemorySegment.copy(
            table, row * w, constants, ValueLayout.JAVA_BYTE, (row * rowFloats + 1) * 4, w);
      }
      putPanels(constants, matrixAt, matrix, w, n);
      for (int j = 0; j < n; j++) {
        constants.setAtIndex(ValueLayout.JAVA_FLOAT, lastAt + j * 8L, last[j]);
      }
      long state = panels * Int8Layout.panel(w) + ScoringProgram.SLACK;
      Sizes sizes = new Sizes(floats, state, columns, 0, context.length, ITEMS, false);
      ScoringProgram checked = new ScoringProgram(write(arena, program), 0, 1, sizes);
      for (Isa isa : Isa.values()) {
        if (!isa.isSupported()) {
          continue;
        }
        isa.select();
        MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, count);
        checked.run(
            false,
            constants,
            arena.allocate(4),
            0,
            arena.allocateFrom(ValueLayout.JAVA_FLOAT, context),
            MemorySegment.NULL,
            arena.allocateFrom(ValueLayout.JAVA_INT, items),
            count,
            arena.allocate(sizes.state() * Float.BYTES, 64),
            arena.allocate(sizes.columns() * ScoringProgram.LANES * Float.BYTES, 64),
            out);
        for (int i = 0; i < count; i++) {
          // Integers are the same everywhere: only scaling and the last sum are rounded.
          assertThat((double) out.getAtIndex(ValueLayout.JAVA_FLOAT, i))
              .as("%s, item %d", isa, i)
              .isCloseTo(expected[i], within(magnitude[i] * 2e-6));
        }
      }
    } finally {
      before.select();
    }
  }

  /** A row that is not finite makes a result that is none, and harms no other. */
  @Test
  void whatIsNotFiniteIsNotHidden() {
    float[] table = {1, Float.POSITIVE_INFINITY, 2, Float.NaN, -3, 4, 0, 0};
    Isa before = Isa.selected();
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
      ScoringProgram checked = new ScoringProgram(write(arena, program), 0, 0, sizes);
      for (Isa isa : Isa.values()) {
        if (!isa.isSupported()) {
          continue;
        }
        isa.select();
        MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, 4);
        checked.run(
            false,
            constants,
            arena.allocate(4),
            0,
            arena.allocate(4),
            MemorySegment.NULL,
            arena.allocateFrom(ValueLayout.JAVA_INT, 0, 1, 2, -1),
            4,
            arena.allocate(64),
            arena.allocate(6 * ScoringProgram.LANES * Float.BYTES, 64),
            out);
        assertThat(out.getAtIndex(ValueLayout.JAVA_FLOAT, 0)).as("%s", isa).isNaN();
        assertThat(out.getAtIndex(ValueLayout.JAVA_FLOAT, 1)).as("%s", isa).isNaN();
        assertThat(out.getAtIndex(ValueLayout.JAVA_FLOAT, 2))
            .as("%s", isa)
            .isCloseTo(1, within(.03f));
        assertThat(out.getAtIndex(ValueLayout.JAVA_FLOAT, 3)).as("%s", isa).isZero();
      }
    } finally {
      before.select();
    }
  }

  /** A matrix {@code [k, n]} packed as BF16 pairs on the way. */
  @ParameterizedTest
  @CsvSource({"1, 1", "2, 8", "5, 19", "33, 40"})
  void packsBf16(int k, int n) {
    float[] context = gaussians(k * n);
    Isa before = Isa.selected();
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
      ScoringProgram checked = new ScoringProgram(write(arena, List.of(pack)), 0, 1, sizes);
      for (Isa isa : Isa.values()) {
        if (!isa.isSupported()) {
          continue;
        }
        isa.select();
        MemorySegment state = arena.allocate(sizes.state() * Float.BYTES, 64);
        checked.run(
            false,
            arena.allocate(ScoringProgram.SLACK * Float.BYTES),
            arena.allocate(4),
            0,
            arena.allocateFrom(ValueLayout.JAVA_FLOAT, context),
            MemorySegment.NULL,
            arena.allocate(4),
            0,
            state,
            arena.allocate(4),
            arena.allocate(4));
        for (int p = 0; p < k; p++) {
          for (int j = 0; j < n; j++) {
            long index = (j / 8 * ((k + 1) / 2) + p / 2) * 16L + j % 8 * 2 + p % 2;
            int bits = Float.floatToRawIntBits(context[p * n + j]);
            assertThat(state.getAtIndex(ValueLayout.JAVA_SHORT, index))
                .as("%s, [%d, %d]", isa, p, j)
                .isEqualTo((short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16));
          }
        }
      }
    } finally {
      before.select();
    }
  }

  @Test
  void operandsOf8BitsAreChecked() {
    try (Arena arena = Arena.ofConfined()) {
      // A panel of four rows has 24 floats' places, a row of a table with four numbers two.
      Sizes sizes =
          new Sizes(24 + ScoringProgram.SLACK, 24 + ScoringProgram.SLACK, 8, 0, 32, 3, false);
      int int8 = ScoringProgram.INT8;
      long rows = at(Space.ROWS, 0);
      long context = at(Space.CONTEXT, 0);
      Instruction product = instruction(Code.LINEAR, 0, rows, rows, constant(0), 0, 8, 4, 1, int8);
      Instruction table = instruction(Code.GATHER, 0, rows, constant(16), 0, 0, 4, 4, 0, int8);
      Instruction round = instruction(Code.QUANTISE, 0, at(Space.ROWS, 5), rows, 0, 0, 4, 0, 0, 0);
      Instruction pack =
          instruction(Code.PACK, 0, at(Space.STATE, 0), context, 0, 0, 8, 4, 0, int8);
      assertThat(new ScoringProgram(write(arena, List.of(product, table, round)), 0, 0, sizes))
          .isNotNull();
      assertThat(new ScoringProgram(write(arena, List.of(pack)), 0, 1, sizes)).isNotNull();
      for (Instruction wrong :
          List.of(
              instruction(Code.LINEAR, 0, rows, rows, constant(1), 0, 8, 4, 1, int8),
              instruction(Code.LINEAR, 0, rows, rows, constant(0), 0, 1, 5, 1, int8),
              instruction(Code.LINEAR, 0, rows, rows, constant(0), 0, 8, 1 << 20, 1, int8),
              instruction(Code.LINEAR, 0, rows, at(Space.ROWS, 6), constant(0), 0, 8, 4, 1, int8),
              instruction(
                  Code.LINEAR, 0, rows, rows, constant(0), 0, 8, 4, 1, int8 | ScoringProgram.BF16),
              instruction(Code.GATHER, 0, rows, constant(17), 0, 0, 4, 4, 0, int8),
              instruction(Code.GATHER, 0, rows, constant(0), at(Space.CONTEXT, 29), 0, 4, 4, 0, 0),
              instruction(Code.GATHER, 0, rows, constant(0), rows, 0, 4, 4, 0, 0),
              instruction(Code.GATHER, 99, rows, constant(0), 0, 0, 4, 4, 0, 0),
              instruction(Code.QUANTISE, 0, at(Space.ROWS, 6), rows, 0, 0, 4, 0, 0, 0),
              instruction(Code.QUANTISE, 0, at(Space.ROWS, 5), context, 0, 0, 4, 0, 0, 0),
              pack)) {
        assertThatThrownBy(() -> new ScoringProgram(write(arena, List.of(wrong)), 0, 0, sizes))
            .as("%s", wrong)
            .isInstanceOf(IllegalArgumentException.class);
      }
      for (Instruction wrong :
          List.of(
              instruction(Code.PACK, 0, at(Space.STATE, 1), context, 0, 0, 8, 4, 0, int8),
              instruction(
                  Code.PACK, 0, at(Space.STATE, 0), at(Space.CONTEXT, 1), 0, 0, 8, 4, 0, int8),
              instruction(Code.PACK, 0, at(Space.STATE, 0), context, 0, 0, 8, 4, 0, 0),
              instruction(
                  Code.LINEAR, 0, at(Space.STATE, 0), context, constant(0), 0, 1, 1, 1, int8),
              instruction(Code.QUANTISE, 0, at(Space.STATE, 0), context, 0, 0, 4, 0, 0, 0))) {
        assertThatThrownBy(() -> new ScoringProgram(write(arena, List.of(wrong)), 0, 1, sizes))
            .as("%s", wrong)
            .isInstanceOf(IllegalArgumentException.class);
      }
    }
  }
}
