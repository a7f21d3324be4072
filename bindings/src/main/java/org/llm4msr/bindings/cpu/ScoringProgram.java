package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * A scoring program that has been checked: whatever its instructions are, running it touches no
 * memory but that which it is given. See {@code score.h} for what the instructions mean.
 *
 * <p>Immutable; threads may share it if each brings its own state, rows and output.
 */
public final class ScoringProgram {
  /** Items of a block: the floats of a column. */
  public static final int LANES = 48;

  /** Columns of weights that lie side by side in a packed matrix. */
  public static final int PANEL = 8;

  /** Floats behind the last one of constants and state that a tile of weights may read. */
  public static final int SLACK = PANEL;

  /** Where an operand lies; see {@link #address}. */
  public enum Space {
    NONE,
    CONSTANT,
    STATE,
    ROWS,
    USER,
    CONTEXT
  }

  /** What an instruction does. */
  public enum Code {
    NONE,
    GATHER,
    LINEAR,
    BINARY,
    UNARY,
    SCALE,
    SOFTMAX,
    MIXTURE,
    RMS_NORM,
    COPY,
    REPEAT,
    INPUT,
    OUTPUT,
    QUANTISE,
    PACK
  }

  /** Flag: operand a of one column stands for all. */
  public static final int A_ONE = 1;

  /** Flag: operand b of one column stands for all. */
  public static final int B_ONE = 2;

  /** Flag: a linear layer adds to what its result holds. */
  public static final int ACCUMULATE = 4;

  /**
   * Flag: the table of GATHER or the matrix of LINEAR holds BF16, two in a float's place. The
   * matrix of a LINEAR on rows then lies in pairs of rows, and what it is multiplied with is
   * rounded to BF16.
   */
  public static final int BF16 = 8;

  /**
   * Flag: the table of GATHER or the matrix of LINEAR on rows holds integers of 8 bits with scales,
   * and what that LINEAR multiplies has been through QUANTISE.
   */
  public static final int INT8 = 16;

  /** For longer sums products of 8 bits might not fit into 32. */
  private static final int MAX_INT8_K = 65_536;

  private static final int ALL_FLAGS = A_ONE | B_ONE | ACCUMULATE | BF16 | INT8;

  /** Where the number of its {@link Space} begins in an address. */
  public static final int SPACE_SHIFT = 56;

  private static final long OFFSET_MASK = (1L << SPACE_SHIFT) - 1;
  private static final int BINARY_KINDS = 4;
  private static final MethodHandle SCORE =
      CpuLibrary.function(ValueLayout.JAVA_INT, "l4m_score", "LLLLLLLLLLLLLL");

  /**
   * One instruction, laid out as in {@code score.h}. Fields that a code does not use are 0.
   *
   * @param kind activation or, for BINARY, operation
   * @param n columns of the result
   * @param k columns summed over, or rows of a table
   * @param m rows of a matrix or repetitions, or BINARY's activation
   */
  public record Instruction(
      Code code,
      int kind,
      long dst,
      long a,
      long b,
      long c,
      long n,
      long k,
      long m,
      long innerStride,
      long panelStride,
      int flags,
      double p,
      double q) {
    /** Longs of an instruction. */
    public static final int WORDS = 14;

    /** As native code reads it. */
    public long[] words() {
      return new long[] {
        code.ordinal(),
        kind,
        dst,
        a,
        b,
        c,
        n,
        k,
        m,
        innerStride,
        panelStride,
        flags,
        Double.doubleToRawLongBits(p),
        Double.doubleToRawLongBits(q)
      };
    }

    /**
     * Reads one.
     *
     * @throws IllegalArgumentException if there is no such instruction
     */
    static Instruction read(MemorySegment from, long index) {
      long[] w = new long[WORDS];
      MemorySegment.copy(from, ValueLayout.JAVA_LONG, index * WORDS * Long.BYTES, w, 0, WORDS);
      if (w[0] < 1
          || w[0] >= Code.values().length
          || w[1] < 0
          || w[1] > 255
          || w[11] < 0
          || w[11] > ALL_FLAGS) {
        throw new IllegalArgumentException("instruction " + index + " is unknown");
      }
      return new Instruction(
          Code.values()[(int) w[0]],
          (int) w[1],
          w[2],
          w[3],
          w[4],
          w[5],
          w[6],
          w[7],
          w[8],
          w[9],
          w[10],
          (int) w[11],
          Double.longBitsToDouble(w[12]),
          Double.longBitsToDouble(w[13]));
    }
  }

  /**
   * How much memory a program is given.
   *
   * @param constants floats, {@link #SLACK} at the end included
   * @param state floats, {@link #SLACK} at the end included
   * @param columns of row registers, {@link #LANES} floats each
   * @param user floats of a user's record
   * @param context floats of a request's own features
   * @param items known items; tables have one row more, for unknown ones
   * @param input whether a request brings a number for each item
   */
  public record Sizes(
      long constants,
      long state,
      long columns,
      long user,
      long context,
      int items,
      boolean input) {}

  private final MemorySegment instructions;
  private final int userEnd;
  private final int vectorEnd;
  private final int end;
  private final Sizes sizes;

  /**
   * Checks a program.
   *
   * @param instructions native memory that outlives this; must not change any more
   * @param userEnd instructions before it depend on the user alone
   * @param vectorEnd instructions before it do not depend on items
   * @throws IllegalArgumentException if an instruction is unknown or would leave its memory
   */
  public ScoringProgram(MemorySegment instructions, int userEnd, int vectorEnd, Sizes sizes) {
    long bytes = (long) Instruction.WORDS * Long.BYTES;
    long count = instructions.byteSize() / bytes;
    if (!instructions.isNative()
        || instructions.byteSize() % bytes != 0
        || instructions.address() % Long.BYTES != 0
        || count > Integer.MAX_VALUE
        || userEnd < 0
        || userEnd > vectorEnd
        || vectorEnd > count) {
      throw new IllegalArgumentException("a program of " + instructions.byteSize() + " bytes");
    }
    if (sizes.items < 0
        || sizes.state < SLACK
        || sizes.constants < SLACK
        || sizes.columns < 0
        || sizes.columns > Integer.MAX_VALUE
        || sizes.state > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("memory of a program: " + sizes);
    }
    this.instructions = instructions;
    this.userEnd = userEnd;
    this.vectorEnd = vectorEnd;
    this.end = (int) count;
    this.sizes = sizes;
    for (int i = 0; i < end; i++) {
      Instruction instruction = Instruction.read(instructions, i);
      try {
        check(instruction, i >= vectorEnd);
      } catch (IllegalArgumentException | ArithmeticException e) {
        throw new IllegalArgumentException(
            "instruction " + i + " " + instruction + ": " + e.getMessage(), e);
      }
    }
  }

  /** The address of an operand: an offset in floats, or in columns of row registers. */
  public static long address(Space space, long offset) {
    if (offset < 0 || offset > OFFSET_MASK) {
      throw new IllegalArgumentException("an offset of " + offset);
    }
    return (long) space.ordinal() << SPACE_SHIFT | offset;
  }

  public Sizes sizes() {
    return sizes;
  }

  private void check(Instruction s, boolean rows) {
    extent(s.n);
    extent(s.k);
    extent(s.m);
    boolean oneA = (s.flags & A_ONE) != 0;
    boolean oneB = (s.flags & B_ONE) != 0;
    activation(s.code == Code.BINARY ? (int) s.m : s.kind);
    switch (s.code) {
      case GATHER -> {
        require(rows && s.k == sizes.items + 1L, "a table of " + s.k + " rows");
        require(!half(s) || !int8(s), "a table of two types");
        long numbers = Math.multiplyExact(s.n, s.k);
        inside(
            s.a,
            int8(s) ? Math.multiplyExact(s.k, Int8Layout.row(s.n)) : floats(s, numbers),
            Space.CONSTANT);
        if (s.b != 0) {
          require(space(s.b) != Space.ROWS, "an addend per item");
          operand(s.b, rows, s.n);
        }
        result(s, rows, s.n);
      }
      case LINEAR -> {
        require(rows ? s.m == 1 : (s.flags & (ACCUMULATE | INT8)) == 0, "a layer of another stage");
        require(!half(s) || !int8(s), "a matrix of two types");
        operand(
            s.a, rows, int8(s) ? Int8Layout.quantisedColumns(s.k) : Math.multiplyExact(s.m, s.k));
        if (rows) {
          require(space(s.a) == Space.ROWS, "a layer of " + space(s.a) + " on rows");
          weights(s);
        } else {
          require(!half(s) || space(s.b) == Space.CONSTANT, "a BF16 matrix in " + space(s.b));
          operand(s.b, false, floats(s, Math.multiplyExact(s.k, s.n)));
        }
        if (s.c != 0) {
          require(space(s.c) != Space.ROWS, "a bias per item");
          operand(s.c, rows, s.n);
        }
        result(s, rows, Math.multiplyExact(s.m, s.n));
      }
      case BINARY -> {
        require(s.kind < BINARY_KINDS, "operation " + s.kind);
        operand(s.a, rows, oneA ? 1 : s.n);
        operand(s.b, rows, oneB ? 1 : s.n);
        result(s, rows, s.n);
      }
      case UNARY, SCALE, SOFTMAX, COPY -> {
        require(s.code != Code.SOFTMAX || s.n > 0, "a softmax over nothing");
        operand(s.a, rows, oneA && s.code == Code.UNARY ? 1 : s.n);
        result(s, rows, s.n);
      }
      case MIXTURE -> {
        operand(s.a, rows, s.k);
        operand(s.b, rows, Math.multiplyExact(s.k, s.n));
        result(s, rows, s.n);
      }
      case RMS_NORM -> {
        operand(s.a, rows, s.n);
        operand(s.b, rows, s.n);
        result(s, rows, s.n);
      }
      case REPEAT -> {
        operand(s.a, rows, s.n);
        result(s, rows, Math.multiplyExact(s.n, s.m));
      }
      case INPUT -> {
        require(rows && sizes.input, "an input where there is none");
        result(s, true, 1);
      }
      case OUTPUT -> {
        require(rows && space(s.a) == Space.ROWS, "a result that is no row register");
        operand(s.a, true, 1);
      }
      case QUANTISE -> {
        require(rows && space(s.a) == Space.ROWS, "8 bits of " + space(s.a));
        operand(s.a, true, s.n);
        result(s, true, Int8Layout.quantisedColumns(s.n));
      }
      case PACK -> {
        require(!rows && half(s) != int8(s), "a matrix of no or two types");
        operand(s.a, false, Math.multiplyExact(s.k, s.n));
        long panel = int8(s) ? Int8Layout.panel(s.k) : (s.k + 1) / 2 * PANEL;
        result(s, false, Math.multiplyExact(panels(s.n), panel));
      }
      case NONE -> throw new IllegalArgumentException("no instruction");
    }
  }

  private static boolean int8(Instruction s) {
    return (s.flags & INT8) != 0;
  }

  private static long panels(long n) {
    return (n + PANEL - 1) / PANEL;
  }

  private static boolean half(Instruction s) {
    return (s.flags & BF16) != 0;
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
    long space = address >> SPACE_SHIFT;
    require(space >= 0 && space < Space.values().length, "an unknown space");
    return Space.values()[(int) space];
  }

  private void result(Instruction s, boolean rows, long width) {
    inside(s.dst, width, rows ? Space.ROWS : Space.STATE);
  }

  private void operand(long address, boolean rows, long width) {
    Space space = space(address);
    require(space != Space.NONE, "a missing operand");
    require(rows || space != Space.ROWS, "items before the rows");
    inside(address, width, space);
  }

  private void inside(long address, long width, Space expected) {
    require(space(address) == expected, "an operand in the wrong place");
    long last = Math.addExact(address & OFFSET_MASK, width);
    long size =
        switch (expected) {
          case CONSTANT -> sizes.constants - SLACK;
          case STATE -> sizes.state - SLACK;
          case ROWS -> sizes.columns;
          case USER -> sizes.user;
          case CONTEXT -> sizes.context;
          case NONE -> 0;
        };
    require(last <= size, "reaches to " + last + " of " + size + " in " + expected);
  }

  /** A tile reads whole panels, so the last one may reach into the slack. */
  private void weights(Instruction s) {
    Space space = space(s.b);
    require(space == Space.CONSTANT || space == Space.STATE, "weights in " + space);
    if (int8(s)) {
      require(s.k <= MAX_INT8_K, "sums over " + s.k + " numbers of 8 bits");
      inside(s.b, Math.multiplyExact(panels(s.n), Int8Layout.panel(s.k)), space);
      return;
    }
    require(s.innerStride >= 0 && s.panelStride >= 0, "a negative stride");
    if (s.n == 0 || s.k == 0) {
      return;
    }
    long steps = half(s) ? (s.k + 1) / 2 : s.k;
    long last =
        Math.addExact(
            Math.multiplyExact((s.n - 1) / PANEL, s.panelStride),
            Math.multiplyExact(steps - 1, s.innerStride));
    inside(s.b, floats(s, Math.addExact(last, half(s) ? 2 : 1)), space);
  }

  /**
   * Scores items. The caller keeps all memory alive and to itself until the call returns; nothing
   * is allocated.
   *
   * @param keepUser whether {@code state} still holds what the last run computed for this user
   * @param constants as large as {@link #sizes} says, as are user, context, state and rows
   * @param users holds the user's record from byte {@code userOffset} on
   * @param input float32 {@code [count]}, or NULL where the program reads none
   * @param items int32 {@code [count]}: numbers of items, -1 for unknown ones
   * @param probabilities float32 {@code [count]}, written
   * @throws IllegalArgumentException if memory is too small or an item is out of range
   */
  public void run(
      boolean keepUser,
      MemorySegment constants,
      MemorySegment users,
      long userOffset,
      MemorySegment context,
      MemorySegment input,
      MemorySegment items,
      int count,
      MemorySegment state,
      MemorySegment rows,
      MemorySegment probabilities) {
    Checks.size("the count of items", count);
    Checks.floats("constants", constants, sizes.constants);
    Checks.floats("users", users, Math.addExact(userOffset / Float.BYTES, sizes.user));
    Checks.size("the offset of the user", userOffset);
    Checks.floats("context", context, sizes.context);
    Checks.floats("input", input, sizes.input ? count : 0);
    Checks.ints("items", items, count);
    Checks.floats("state", state, sizes.state);
    Checks.floats("rows", rows, sizes.columns * LANES);
    Checks.floats("probabilities", probabilities, count);
    // Addresses rather than segments: for shared memory a segment costs an atomic count per call.
    try {
      int code =
          (int)
              SCORE.invokeExact(
                  instructions.address(),
                  keepUser ? (long) userEnd : 0L,
                  (long) vectorEnd,
                  (long) end,
                  constants.address(),
                  users.address() + userOffset,
                  context.address(),
                  input.address(),
                  (long) sizes.items,
                  items.address(),
                  (long) count,
                  state.address(),
                  rows.address(),
                  probabilities.address());
      CpuLibrary.check(code, "score");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
