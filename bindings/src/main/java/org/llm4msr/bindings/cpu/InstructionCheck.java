package org.llm4msr.bindings.cpu;

import org.llm4msr.bindings.cpu.ScoringProgram.Code;
import org.llm4msr.bindings.cpu.ScoringProgram.Instruction;
import org.llm4msr.bindings.cpu.ScoringProgram.Sizes;
import org.llm4msr.bindings.cpu.ScoringProgram.Space;

/** Whether the instructions of a {@link ScoringProgram} stay in the memory that it is given. */
final class InstructionCheck {
  private static final int BINARY_KINDS = 4;

  /** For longer sums products of 8 bits might not fit into 32. */
  private static final int MAX_INT8_K = 65_536;

  private final Sizes sizes;

  InstructionCheck(Sizes sizes) {
    this.sizes = sizes;
  }

  /**
   * @param rows whether it runs for every item
   * @throws IllegalArgumentException if it would leave its memory
   * @throws ArithmeticException if extents are too large
   */
  void instruction(Instruction s, boolean rows) {
    extent(s.n());
    extent(s.k());
    extent(s.m());
    boolean oneA = (s.flags() & ScoringProgram.A_ONE) != 0;
    boolean oneB = (s.flags() & ScoringProgram.B_ONE) != 0;
    activation(s.code() == Code.BINARY ? (int) s.m() : s.kind());
    require(
        s.d() == 0 && s.e() == 0 || rows && (s.code() == Code.GATHER || s.code() == Code.LINEAR),
        "operands of another instruction");
    switch (s.code()) {
      case GATHER -> gather(s, rows);
      case LINEAR -> {
        require(!half(s) || !int8(s), "a matrix of two types");
        if (rows) {
          linearOnRows(s);
        } else {
          linearBefore(s);
        }
        if (s.c() != 0) {
          require(space(s.c()) != Space.ROWS, "a bias per item");
          operand(s.c(), rows, s.n());
        }
        result(s, rows, Math.multiplyExact(s.m(), s.n()));
      }
      case BINARY -> {
        require(s.kind() < BINARY_KINDS, "operation " + s.kind());
        operand(s.a(), rows, oneA ? 1 : s.n());
        operand(s.b(), rows, oneB ? 1 : s.n());
        result(s, rows, s.n());
      }
      case UNARY, SCALE, SOFTMAX, COPY -> {
        require(s.code() != Code.SOFTMAX || s.n() > 0, "a softmax over nothing");
        operand(s.a(), rows, oneA && s.code() == Code.UNARY ? 1 : s.n());
        result(s, rows, s.n());
      }
      case MIXTURE -> {
        operand(s.a(), rows, s.k());
        operand(s.b(), rows, Math.multiplyExact(s.k(), s.n()));
        result(s, rows, s.n());
      }
      case RMS_NORM -> {
        operand(s.a(), rows, s.n());
        operand(s.b(), rows, s.n());
        result(s, rows, s.n());
      }
      case REPEAT -> {
        operand(s.a(), rows, s.n());
        result(s, rows, Math.multiplyExact(s.n(), s.m()));
      }
      case INPUT -> {
        require(rows && sizes.input(), "an input where there is none");
        result(s, true, 1);
      }
      case OUTPUT -> {
        require(rows && space(s.a()) == Space.ROWS, "a result that is no row register");
        operand(s.a(), true, 1);
      }
      case QUANTISE -> {
        require(rows && space(s.a()) == Space.ROWS, "8 bits of " + space(s.a()));
        operand(s.a(), true, s.n());
        result(s, true, Int8Layout.quantisedColumns(s.n()));
      }
      case PACK -> {
        require(!rows && half(s) != int8(s), "a matrix of no or two types");
        operand(s.a(), false, Math.multiplyExact(s.k(), s.n()));
        long panel = int8(s) ? Int8Layout.panel(s.k()) : (s.k() + 1) / 2 * ScoringProgram.PANEL;
        result(s, false, Math.multiplyExact(panels(s.n()), panel));
      }
      case NONE -> throw new IllegalArgumentException("no instruction");
    }
  }

  private void gather(Instruction s, boolean rows) {
    require(rows && s.k() == sizes.items() + 1L, "a table of " + s.k() + " rows");
    require(!half(s) || !int8(s), "a table of two types");
    require(s.e() == 0, "what a GATHER does not add");
    long numbers = Math.multiplyExact(s.n(), s.k());
    inside(
        s.a(),
        int8(s) ? Math.multiplyExact(s.k(), Int8Layout.row(s.n())) : floats(s, numbers),
        Space.CONSTANT);
    if ((s.flags() & ScoringProgram.BYTES) != 0) {
      require(int8(s) && s.b() == 0 && s.d() == 0 && s.kind() == 0, "bytes that are computed with");
      result(s, true, Int8Layout.quantisedColumns(s.n()));
      return;
    }
    if (s.b() != 0) {
      require(space(s.b()) != Space.ROWS, "an addend per item");
      operand(s.b(), true, s.n());
    }
    result(s, true, s.n());
    rounded(s.d(), s.n());
  }

  private void linearOnRows(Instruction s) {
    require(s.m() == 1, "a layer of another stage");
    require(space(s.a()) == Space.ROWS, "a layer of " + space(s.a()) + " on rows");
    operand(s.a(), true, int8(s) ? Int8Layout.quantisedColumns(s.k()) : s.k());
    weights(s);
    require(s.e() == 0 || int8(s), "bytes that are added to floats");
    rounded(s.e(), s.n());
    rounded(s.d(), s.n());
  }

  private void linearBefore(Instruction s) {
    require((s.flags() & ScoringProgram.ACCUMULATE) == 0, "a layer of another stage");
    operand(s.a(), false, Math.multiplyExact(s.m(), s.k()));
    require(
        !half(s) && !int8(s) || space(s.b()) == Space.CONSTANT,
        "a rounded matrix in " + space(s.b()));
    require(
        !int8(s) || s.k() <= Int8Layout.MAX_VECTOR, "sums over " + s.k() + " numbers of 8 bits");
    operand(
        s.b(),
        false,
        int8(s) ? Int8Layout.matrix(s.k(), s.n()) : floats(s, Math.multiplyExact(s.k(), s.n())));
  }

  /** Columns in 8 bits, or none. */
  private void rounded(long address, long n) {
    if (address != 0) {
      inside(address, Int8Layout.quantisedColumns(n), Space.ROWS);
    }
  }

  private static boolean int8(Instruction s) {
    return (s.flags() & ScoringProgram.INT8) != 0;
  }

  private static long panels(long n) {
    return (n + ScoringProgram.PANEL - 1) / ScoringProgram.PANEL;
  }

  private static boolean half(Instruction s) {
    return (s.flags() & ScoringProgram.BF16) != 0;
  }

  /** Floats' places that so many numbers of the table or matrix take. */
  private static long floats(Instruction s, long numbers) {
    return half(s) ? Math.addExact(numbers, 1) / 2 : numbers;
  }

  private static void require(boolean holds, String problem) {
    if (!holds) {
      throw new IllegalArgumentException(problem);
    }
  }

  private static void extent(long extent) {
    require(extent >= 0 && extent <= Integer.MAX_VALUE, "an extent of " + extent);
  }

  private static void activation(int activation) {
    require(activation >= 0 && activation < Activation.values().length, "activation " + activation);
  }

  private static Space space(long address) {
    long space = address >> ScoringProgram.SPACE_SHIFT;
    require(space >= 0 && space < Space.values().length, "an unknown space");
    return Space.values()[(int) space];
  }

  private void result(Instruction s, boolean rows, long width) {
    inside(s.dst(), width, rows ? Space.ROWS : Space.STATE);
  }

  private void operand(long address, boolean rows, long width) {
    Space space = space(address);
    require(space != Space.NONE, "a missing operand");
    require(rows || space != Space.ROWS, "items before the rows");
    inside(address, width, space);
  }

  private void inside(long address, long width, Space expected) {
    require(space(address) == expected, "an operand in the wrong place");
    long last = Math.addExact(address & ScoringProgram.OFFSET_MASK, width);
    long size =
        switch (expected) {
          case CONSTANT -> sizes.constants() - ScoringProgram.SLACK;
          case STATE -> sizes.state() - ScoringProgram.SLACK;
          case ROWS -> sizes.columns();
          case USER -> sizes.user();
          case CONTEXT -> sizes.context();
          case NONE -> 0;
        };
    require(last <= size, "reaches to " + last + " of " + size + " in " + expected);
  }

  /** A tile reads whole panels, so the last one may reach into the slack. */
  private void weights(Instruction s) {
    Space space = space(s.b());
    require(space == Space.CONSTANT || space == Space.STATE, "weights in " + space);
    if (int8(s)) {
      require(s.k() <= MAX_INT8_K, "sums over " + s.k() + " numbers of 8 bits");
      inside(s.b(), Math.multiplyExact(panels(s.n()), Int8Layout.panel(s.k())), space);
      return;
    }
    require(s.innerStride() >= 0 && s.panelStride() >= 0, "a negative stride");
    if (s.n() == 0 || s.k() == 0) {
      return;
    }
    long steps = half(s) ? (s.k() + 1) / 2 : s.k();
    long last =
        Math.addExact(
            Math.multiplyExact((s.n() - 1) / ScoringProgram.PANEL, s.panelStride()),
            Math.multiplyExact(steps - 1, s.innerStride()));
    inside(s.b(), floats(s, Math.addExact(last, half(s) ? 2 : 1)), space);
  }
}
