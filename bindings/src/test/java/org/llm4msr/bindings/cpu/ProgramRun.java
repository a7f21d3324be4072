package org.llm4msr.bindings.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.llm4msr.bindings.cpu.ScoringProgram.Code;
import org.llm4msr.bindings.cpu.ScoringProgram.Instruction;
import org.llm4msr.bindings.cpu.ScoringProgram.Sizes;
import org.llm4msr.bindings.cpu.ScoringProgram.Space;

/** Writes scoring programs, and runs them on every instruction set of the machine. */
final class ProgramRun {
  /** What to expect of a run. */
  interface Expectation {
    void check(Isa isa, MemorySegment probabilities, MemorySegment state);
  }

  private ProgramRun() {}

  static long at(Space space, long offset) {
    return ScoringProgram.address(space, offset);
  }

  static long constant(long offset) {
    return at(Space.CONSTANT, offset);
  }

  /** One without strides. */
  static Instruction instruction(
      Code code, int kind, long dst, long a, long b, long c, long n, long k, long m, int flags) {
    return new Instruction(code, kind, dst, a, b, c, n, k, m, 0, 0, flags, 0, 0);
  }

  /** The same that rounds its result and adds bytes. */
  static Instruction rounding(Instruction s, long d, long e) {
    return new Instruction(
        s.code(), s.kind(), s.dst(), s.a(), s.b(), s.c(), d, e, s.n(), s.k(), s.m(), 0, 0,
        s.flags(), 0, 0);
  }

  static MemorySegment write(Arena arena, List<Instruction> program) {
    MemorySegment memory =
        arena.allocate((long) program.size() * Instruction.WORDS * Long.BYTES, Long.BYTES);
    long index = 0;
    for (Instruction instruction : program) {
      for (long word : instruction.words()) {
        memory.setAtIndex(ValueLayout.JAVA_LONG, index++, word);
      }
    }
    return memory;
  }

  /**
   * @param vectorEnd instructions before it do not depend on items
   * @param items what to score
   */
  static void onEveryIsa(
      Arena arena,
      List<Instruction> program,
      int vectorEnd,
      Sizes sizes,
      MemorySegment constants,
      float[] context,
      int[] items,
      Expectation expected) {
    ScoringProgram checked = new ScoringProgram(write(arena, program), 0, vectorEnd, sizes);
    Isa before = Isa.selected();
    try {
      for (Isa isa : Isa.values()) {
        if (!isa.isSupported()) {
          continue;
        }
        isa.select();
        MemorySegment out = arena.allocate(ValueLayout.JAVA_FLOAT, items.length);
        MemorySegment state = arena.allocate(sizes.state() * Float.BYTES, 64);
        checked.run(
            false,
            constants,
            arena.allocate(4),
            0,
            arena.allocateFrom(ValueLayout.JAVA_FLOAT, context),
            MemorySegment.NULL,
            arena.allocateFrom(ValueLayout.JAVA_INT, items),
            items.length,
            state,
            arena.allocate(sizes.columns() * ScoringProgram.LANES * Float.BYTES, 64),
            out);
        expected.check(isa, out, state);
      }
    } finally {
      before.select();
    }
  }
}
