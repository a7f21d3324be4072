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
   * Flag: the table of GATHER or the matrix of LINEAR holds integers of 8 bits with scales; on rows
   * what that LINEAR multiplies is in 8 bits too.
   */
  public static final int INT8 = 16;

  /** Flag: GATHER keeps the 8 bits of its rows. */
  public static final int BYTES = 32;

  private static final int ALL_FLAGS = A_ONE | B_ONE | ACCUMULATE | BF16 | INT8 | BYTES;

  /** Where the number of its {@link Space} begins in an address. */
  public static final int SPACE_SHIFT = 56;

  static final long OFFSET_MASK = (1L << SPACE_SHIFT) - 1;
  private static final MethodHandle SCORE =
      CpuLibrary.function(ValueLayout.JAVA_INT, "l4m_score", "LLLLLLLLLLLLLL");

  /**
   * One instruction, laid out as in {@code score.h}. Fields that a code does not use are 0.
   *
   * @param kind activation or, for BINARY, operation
   * @param d of GATHER and LINEAR on rows: where the result goes in 8 bits too, or 0
   * @param e of LINEAR on rows: what a GATHER in BYTES made and is added, or 0
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
      long d,
      long e,
      long n,
      long k,
      long m,
      long innerStride,
      long panelStride,
      int flags,
      double p,
      double q) {
    /** Longs of an instruction. */
    public static final int WORDS = 16;

    /** One without d and e. */
    public Instruction(
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
      this(code, kind, dst, a, b, c, 0, 0, n, k, m, innerStride, panelStride, flags, p, q);
    }

    /** As native code reads it. */
    public long[] words() {
      return new long[] {
        code.ordinal(),
        kind,
        dst,
        a,
        b,
        c,
        d,
        e,
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
          || w[13] < 0
          || w[13] > ALL_FLAGS) {
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
          w[11],
          w[12],
          (int) w[13],
          Double.longBitsToDouble(w[14]),
          Double.longBitsToDouble(w[15]));
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
    InstructionCheck check = new InstructionCheck(sizes);
    for (int i = 0; i < end; i++) {
      Instruction instruction = Instruction.read(instructions, i);
      try {
        check.instruction(instruction, i >= vectorEnd);
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
