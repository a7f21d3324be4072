package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.llm4msr.bindings.cpu.ProgramRun.at;
import static org.llm4msr.bindings.cpu.ProgramRun.constant;
import static org.llm4msr.bindings.cpu.ProgramRun.write;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.bindings.cpu.ScoringProgram.Code;
import org.llm4msr.bindings.cpu.ScoringProgram.Instruction;
import org.llm4msr.bindings.cpu.ScoringProgram.Sizes;
import org.llm4msr.bindings.cpu.ScoringProgram.Space;

/** Programs on BF16 constants against the same in plain Java, on every instruction set. */
class ScoringProgramTest {
  private static final int ITEMS = 9;

  private final Random random = new Random(2);

  /** Numbers that BF16 holds. */
  private float[] halves(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      int bits = Float.floatToRawIntBits((float) random.nextGaussian());
      values[i] = Float.intBitsToFloat(bits & 0xffff0000);
    }
    return values;
  }

  private static void put(MemorySegment constants, long floats, float[] values) {
    for (int i = 0; i < values.length; i++) {
      constants.set(
          ValueLayout.JAVA_SHORT,
          floats * Float.BYTES + 2L * i,
          (short) (Float.floatToRawIntBits(values[i]) >>> 16));
    }
  }

  /** Two rows side by side, in panels of eight columns; see score.h. */
  private static float[] pairs(float[] matrix, int rows, int columns) {
    int panel = (rows + 1) / 2 * 16;
    float[] packed = new float[(columns + 7) / 8 * panel];
    for (int p = 0; p < rows; p++) {
      for (int j = 0; j < columns; j++) {
        packed[j / 8 * panel + p / 2 * 16 + j % 8 * 2 + p % 2] = matrix[p * columns + j];
      }
    }
    return packed;
  }

  /** The nearest BF16 number, of two the even one. */
  private static float bf16(float x) {
    int bits = Float.floatToRawIntBits(x);
    return Float.intBitsToFloat((bits + 0x7fff + (bits >>> 16 & 1)) & 0xffff0000);
  }

  private static Instruction linear(
      long dst, long a, long b, long c, long n, long k, long m, long inner, long panel) {
    return new Instruction(
        Code.LINEAR, 0, dst, a, b, c, n, k, m, inner, panel, ScoringProgram.BF16, 0, 0);
  }

  /**
   * The request's vector of k numbers through a matrix to n, added to what each item's row of w
   * numbers gives through another, and the sum of that.
   */
  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, 1",
    "3, 5, 2, 47",
    "8, 8, 8, 48",
    "7, 13, 9, 49",
    "16, 33, 17, 5",
    "40, 70, 31, 100"
  })
  void computesWithBf16Constants(int k, int n, int w, int count) {
    float[] toVector = halves(k * n);
    float[] table = halves((ITEMS + 1) * w);
    float[] toRow = halves(w * n);
    float[] last = halves(n);
    float[] context = halves(k);
    float[] packed = pairs(toRow, w, n);
    float[] packedLast = pairs(last, n, 1);
    long tableAt = (toVector.length + 1) / 2;
    long rowAt = tableAt + (table.length + 1) / 2;
    long lastAt = rowAt + packed.length / 2;
    long floats = lastAt + packedLast.length / 2 + ScoringProgram.SLACK;
    List<Instruction> program =
        List.of(
            linear(at(Space.STATE, 0), at(Space.CONTEXT, 0), constant(0), 0, n, k, 1, 0, 0),
            new Instruction(
                Code.GATHER,
                0,
                at(Space.ROWS, 0),
                constant(tableAt),
                0,
                0,
                w,
                ITEMS + 1,
                0,
                0,
                0,
                ScoringProgram.BF16,
                0,
                0),
            linear(
                at(Space.ROWS, w),
                at(Space.ROWS, 0),
                constant(rowAt),
                at(Space.STATE, 0),
                n,
                w,
                1,
                16,
                packed.length / ((n + 7) / 8)),
            linear(
                at(Space.ROWS, w + n),
                at(Space.ROWS, w),
                constant(lastAt),
                0,
                1,
                n,
                1,
                16,
                packedLast.length),
            new Instruction(
                Code.OUTPUT, 0, 0, at(Space.ROWS, w + n), 0, 0, 1, 0, 0, 0, 0, 0, 0, 0));
    int[] items = random.ints(count, -1, ITEMS).toArray();
    double[] expected = new double[count];
    double[] magnitude = new double[count];
    for (int i = 0; i < count; i++) {
      int row = items[i] < 0 ? ITEMS : items[i];
      for (int j = 0; j < n; j++) {
        double sum = 0;
        for (int p = 0; p < k; p++) {
          sum += (double) context[p] * toVector[p * n + j];
        }
        for (int p = 0; p < w; p++) {
          sum += (double) table[row * w + p] * toRow[p * n + j];
        }
        expected[i] += (double) bf16((float) sum) * last[j];
        magnitude[i] += Math.abs(sum * last[j]);
      }
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment constants = arena.allocate(floats * Float.BYTES, 64);
      put(constants, 0, toVector);
      put(constants, tableAt, table);
      put(constants, rowAt, packed);
      put(constants, lastAt, packedLast);
      Sizes sizes = new Sizes(floats, n + ScoringProgram.SLACK, w + n + 1, 0, k, ITEMS, false);
      ProgramRun.onEveryIsa(
          arena,
          program,
          1,
          sizes,
          constants,
          context,
          items,
          (isa, out, _) -> {
            for (int i = 0; i < count; i++) {
              // A sum beside the middle of two BF16 numbers may be rounded the other way.
              assertThat((double) out.getAtIndex(ValueLayout.JAVA_FLOAT, i))
                  .as("%s, item %d", isa, i)
                  .isCloseTo(expected[i], within(magnitude[i] / 512 / Math.sqrt(n) + 1e-4));
            }
          });
    }
  }

  /** A BF16 matrix reaches half as far, and lies among the constants only. */
  @Test
  void bf16OperandsAreChecked() {
    try (Arena arena = Arena.ofConfined()) {
      Sizes sizes = new Sizes(6 + ScoringProgram.SLACK, 64, 8, 0, 4, 3, false);
      Instruction fits =
          linear(at(Space.STATE, 0), at(Space.CONTEXT, 0), constant(0), 0, 3, 4, 1, 0, 0);
      assertThat(new ScoringProgram(write(arena, List.of(fits)), 0, 1, sizes)).isNotNull();
      for (Instruction wrong :
          List.of(
              linear(at(Space.STATE, 0), at(Space.CONTEXT, 0), constant(1), 0, 3, 4, 1, 0, 0),
              linear(
                  at(Space.STATE, 0),
                  at(Space.CONTEXT, 0),
                  at(Space.STATE, 9),
                  0,
                  3,
                  4,
                  1,
                  0,
                  0))) {
        assertThatThrownBy(() -> new ScoringProgram(write(arena, List.of(wrong)), 0, 1, sizes))
            .isInstanceOf(IllegalArgumentException.class);
      }
      Instruction ofUser =
          linear(at(Space.ROWS, 4), at(Space.ROWS, 0), at(Space.USER, 0), 0, 3, 4, 1, 3, 8);
      assertThatThrownBy(() -> new ScoringProgram(write(arena, List.of(ofUser)), 0, 0, sizes))
          .hasMessageContaining("weights in USER");
      // Native code reads a block of items for each column of what a layer on rows multiplies.
      Instruction ofVector =
          linear(at(Space.ROWS, 4), at(Space.CONTEXT, 0), constant(0), 0, 1, 2, 1, 16, 16);
      assertThatThrownBy(() -> new ScoringProgram(write(arena, List.of(ofVector)), 0, 0, sizes))
          .hasMessageContaining("a layer of CONTEXT on rows");
    }
  }
}
