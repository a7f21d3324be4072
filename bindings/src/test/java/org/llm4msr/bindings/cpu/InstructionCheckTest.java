package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.llm4msr.bindings.cpu.ProgramRun.at;
import static org.llm4msr.bindings.cpu.ProgramRun.constant;
import static org.llm4msr.bindings.cpu.ProgramRun.instruction;
import static org.llm4msr.bindings.cpu.ProgramRun.rounding;
import static org.llm4msr.bindings.cpu.ProgramRun.write;

import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.llm4msr.bindings.cpu.ScoringProgram.Code;
import org.llm4msr.bindings.cpu.ScoringProgram.Instruction;
import org.llm4msr.bindings.cpu.ScoringProgram.Sizes;
import org.llm4msr.bindings.cpu.ScoringProgram.Space;

/** Instructions that would leave their memory are refused, those that just fit are not. */
class InstructionCheckTest {
  @Test
  void operandsOf8BitsAreChecked() {
    try (Arena arena = Arena.ofConfined()) {
      // A panel of four rows has 24 floats' places, a row of a table with four numbers two.
      Sizes sizes =
          new Sizes(24 + ScoringProgram.SLACK, 24 + ScoringProgram.SLACK, 8, 0, 32, 3, false);
      int int8 = ScoringProgram.INT8;
      int bytes = int8 | ScoringProgram.BYTES;
      long rows = at(Space.ROWS, 0);
      long context = at(Space.CONTEXT, 0);
      Instruction product = instruction(Code.LINEAR, 0, rows, rows, constant(0), 0, 8, 4, 1, int8);
      Instruction table = instruction(Code.GATHER, 0, rows, constant(16), 0, 0, 4, 4, 0, int8);
      Instruction round = instruction(Code.QUANTISE, 0, at(Space.ROWS, 5), rows, 0, 0, 4, 0, 0, 0);
      Instruction pack =
          instruction(Code.PACK, 0, at(Space.STATE, 0), context, 0, 0, 8, 4, 0, int8);
      Instruction keep = instruction(Code.GATHER, 0, rows, constant(16), 0, 0, 4, 4, 0, bytes);
      List<Instruction> right =
          List.of(
              product,
              table,
              round,
              keep,
              rounding(product, at(Space.ROWS, 4), at(Space.ROWS, 4)),
              rounding(table, at(Space.ROWS, 5), 0));
      assertThat(new ScoringProgram(write(arena, right), 0, 0, sizes)).isNotNull();
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
              rounding(product, at(Space.ROWS, 5), 0),
              rounding(product, 0, at(Space.ROWS, 5)),
              rounding(product, context, 0),
              rounding(table, at(Space.ROWS, 6), 0),
              rounding(table, 0, at(Space.ROWS, 0)),
              rounding(round, at(Space.ROWS, 0), 0),
              instruction(Code.GATHER, 0, rows, constant(0), 0, 0, 2, 4, 0, ScoringProgram.BYTES),
              instruction(Code.GATHER, 1, rows, constant(16), 0, 0, 4, 4, 0, bytes),
              instruction(Code.GATHER, 0, at(Space.ROWS, 6), constant(16), 0, 0, 4, 4, 0, bytes),
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
              rounding(pack, rows, 0),
              instruction(Code.QUANTISE, 0, at(Space.STATE, 0), context, 0, 0, 4, 0, 0, 0))) {
        assertThatThrownBy(() -> new ScoringProgram(write(arena, List.of(wrong)), 0, 1, sizes))
            .as("%s", wrong)
            .isInstanceOf(IllegalArgumentException.class);
      }
    }
  }
}
