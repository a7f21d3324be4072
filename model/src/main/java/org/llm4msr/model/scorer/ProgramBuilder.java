package org.llm4msr.model.scorer;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.llm4msr.bindings.cpu.Activation;
import org.llm4msr.bindings.cpu.ScoringProgram;
import org.llm4msr.bindings.cpu.ScoringProgram.Code;
import org.llm4msr.bindings.cpu.ScoringProgram.Instruction;
import org.llm4msr.bindings.cpu.ScoringProgram.Space;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * Writes the term of a logit as a program: constants into the pool, what depends on the item alone
 * into tables, the user's leaves into the record; then the vectors of user and request, and the
 * rows.
 */
final class ProgramBuilder {
  /**
   * A scenario's program.
   *
   * @param userEnd instructions before it depend on the user alone
   * @param vectorEnd instructions before it do not depend on items
   */
  record Program(
      List<Instruction> instructions, int userEnd, int vectorEnd, int state, int columns) {
    /** Whether a request must bring a number for each item. */
    boolean readsInput() {
      return instructions.stream().anyMatch(instruction -> instruction.code() == Code.INPUT);
    }
  }

  private final ConstantPool pool;
  private final UserRecord record;
  private final Map<Term, Integer> context;
  private final List<Term> order = new ArrayList<>();
  private final Map<Term, Long> addresses = new IdentityHashMap<>();
  private final List<Instruction> instructions = new ArrayList<>();
  private final RowRegisters registers = new RowRegisters();
  // What layers multiply in 8 bits.
  private final Set<Term> rounded = new HashSet<>();
  // Generated matrices as layers on rows read them.
  private final Map<Term, Long> packed = new IdentityHashMap<>();
  private int state;

  /**
   * @param context offsets of the requests' leaves; grows
   */
  private ProgramBuilder(ConstantPool pool, UserRecord record, Map<Term, Integer> context) {
    this.pool = pool;
    this.record = record;
    this.context = context;
  }

  static Program build(
      Term logit, ConstantPool pool, UserRecord record, Map<Term, Integer> context) {
    return new ProgramBuilder(pool, record, context).build(logit);
  }

  private Program build(Term logit) {
    collect(logit, new HashSet<>());
    vectors(true);
    int userEnd = instructions.size();
    vectors(false);
    int vectorEnd = instructions.size();
    registers.countUses(order, logit);
    order.stream().filter(this::readsInt8).forEach(term -> rounded.add(term.input(0)));
    for (Term term : order) {
      if (term.stage() == Term.Stage.ROW) {
        row(term);
      }
    }
    emit(Code.OUTPUT, Activation.SIGMOID.ordinal(), 0, register(logit), 0, 0, 1, 0, 0, 0);
    return new Program(List.copyOf(instructions), userEnd, vectorEnd, state, registers.size());
  }

  /** Whether it is computed before the rows; leaves are there already. */
  private static boolean isVector(Term term) {
    return term.stage() == Term.Stage.VECTOR
        && !UserRecord.holds(term)
        && !(term.op() instanceof Term.FromLeaf);
  }

  /** Terms that the program computes, inputs first. */
  private void collect(Term term, Set<Term> seen) {
    if (!seen.add(term)) {
      return;
    }
    boolean computed = term.stage() == Term.Stage.ROW || isVector(term);
    if (computed) {
      for (Term input : term.inputs()) {
        collect(input, seen);
      }
      order.add(term);
    }
  }

  // ---- Vectors.

  /** Those of the user alone, or the others. */
  private void vectors(boolean ofUser) {
    for (Term term : order) {
      if (isVector(term) && ofUser == (term.dependencies() == Term.USER)) {
        vector(term);
      }
    }
    for (Term term : order) {
      if (term.stage() == Term.Stage.ROW && term.op() instanceof Term.Linear linear) {
        Term w = term.input(1);
        if (w.stage() == Term.Stage.VECTOR && ofUser == (w.dependencies() == Term.USER)) {
          weightsToState(w, linear);
        }
      }
    }
  }

  /** Generated weights lie in the state, which has slack behind its last number, or are packed. */
  private void weightsToState(Term w, Term.Linear linear) {
    Precision precision = precision(linear);
    long from = vectorAddress(w);
    if (precision == Precision.F32) {
      if (from >> ScoringProgram.SPACE_SHIFT != Space.STATE.ordinal()) {
        emit(Code.COPY, 0, allocate(w), from, 0, 0, w.width(), 0, 0, 0);
      }
      return;
    }
    if (packed.containsKey(w)) {
      return;
    }
    long floats = Panels.floats(linear.in(), linear.out(), precision);
    long to = inState(Math.toIntExact(floats));
    packed.put(w, to);
    emit(flag(precision), Code.PACK, 0, to, from, 0, 0, linear.out(), linear.in(), 0);
  }

  /** Rounding what comes in costs as much as some columns of the product. */
  private Precision precision(Term.Linear linear) {
    return pool.precision() == Precision.INT8 && linear.out() < Panels.WIDTH
        ? Precision.F32
        : pool.precision();
  }

  private static int flag(Precision precision) {
    return switch (precision) {
      case F32 -> 0;
      case BF16 -> ScoringProgram.BF16;
      case INT8 -> ScoringProgram.INT8;
    };
  }

  private void vector(Term term) {
    switch (term.op()) {
      case Term.Slice(int from, int _) -> addresses.put(term, vectorAddress(term.input(0)) + from);
      case Term.Concat _ -> {
        long at = allocate(term);
        for (Term part : term.inputs()) {
          emit(Code.COPY, 0, at, vectorAddress(part), 0, 0, part.width(), 0, 0, 0);
          at += part.width();
        }
      }
      default -> compute(term, allocate(term));
    }
  }

  private long allocate(Term term) {
    long address = inState(term.width());
    addresses.put(term, address);
    return address;
  }

  private long inState(int floats) {
    long address = ScoringProgram.address(Space.STATE, state);
    state +=
        (floats + ConstantPool.ALIGNMENT - 1) / ConstantPool.ALIGNMENT * ConstantPool.ALIGNMENT;
    return address;
  }

  /** Where a term lies that does not depend on the item. */
  private long vectorAddress(Term term) {
    if (term.stage() == Term.Stage.CONSTANT) {
      return ScoringProgram.address(Space.CONSTANT, pool.plain(term));
    }
    Long computed = addresses.get(term);
    if (computed != null) {
      return computed;
    }
    return UserRecord.holds(term)
        ? ScoringProgram.address(Space.USER, record.offset(term))
        : ScoringProgram.address(Space.CONTEXT, contextOffset(term));
  }

  private int contextOffset(Term leaf) {
    int next = context.keySet().stream().mapToInt(Term::width).sum();
    return context.computeIfAbsent(leaf, t -> next);
  }

  // ---- Rows.

  private void row(Term term) {
    switch (term.op()) {
      case Term.FromLeaf _ -> emit(Code.INPUT, 0, columnsFor(term), 0, 0, 0, 1, 0, 0, 0);
      case Term.Slice(int from, int _) -> addresses.put(term, addresses.get(term.input(0)) + from);
      case Term.Concat _ -> {
        long at = columnsFor(term);
        for (Term part : term.inputs()) {
          if (part.stage() == Term.Stage.ITEM) {
            gather(part, at);
          } else {
            emit(Code.COPY, 0, at, operand(part), 0, 0, part.width(), 0, 0, 0);
          }
          at += part.width();
        }
      }
      case Term.Linear linear when linear.row() -> accumulated(term, linear);
      case Term.Binary(BinaryOp.Kind kind, UnaryOp.Kind activation)
          when kind == BinaryOp.Kind.ADD && isItemAndVector(term) -> {
        int item = term.input(0).stage() == Term.Stage.ITEM ? 0 : 1;
        long to = columnsFor(term);
        gather(term.input(item), to, operand(term.input(1 - item)), activation, rounded(term));
      }
      default -> {
        List<Term> gathered = gatherItems(term, term.inputs());
        long to = columnsFor(term);
        compute(term, to);
        gathered.forEach(registers::release);
      }
    }
    registers.releaseInputs(term);
  }

  /** Of the same width, one to be fetched and one the same for all items. */
  private static boolean isItemAndVector(Term term) {
    boolean first = term.input(0).stage() == Term.Stage.ITEM;
    Term other = term.input(first ? 1 : 0);
    return (first || term.input(1).stage() == Term.Stage.ITEM)
        && (other.stage() == Term.Stage.VECTOR || other.stage() == Term.Stage.CONSTANT)
        && term.inputs().stream().allMatch(input -> input.width() == term.width());
  }

  /** Whether a term is a layer on rows whose input is of 8 bits. */
  private boolean readsInt8(Term term) {
    return term.stage() == Term.Stage.ROW
        && term.op() instanceof Term.Linear linear
        && precision(linear) == Precision.INT8;
  }

  /** The row addend is put where the result will be, unless it is added from its 8 bits. */
  private void accumulated(Term term, Term.Linear linear) {
    Term addend = term.inputs().getLast();
    List<Term> gathered = gatherItems(term, List.of(term.input(0)));
    long to;
    if (addsBytes(term)) {
      to = columnsFor(term);
      gathered.add(addend);
    } else if (addend.stage() == Term.Stage.ITEM) {
      to = columnsFor(term);
      gather(addend, to);
    } else if (addend != term.input(0) && registers.isLastUse(addend)) {
      to = register(addend);
      registers.handOver(addend, term);
      addresses.put(term, to);
    } else {
      to = columnsFor(term);
      emit(Code.COPY, 0, to, register(addend), 0, 0, term.width(), 0, 0, 0);
    }
    compute(term, to);
    gathered.forEach(registers::release);
  }

  private long columnsFor(Term term) {
    long address = ScoringProgram.address(Space.ROWS, registers.allocate(term));
    addresses.put(term, address);
    return address;
  }

  /** Whether a layer whose input is of 8 bits adds an item's row, which then stays in them. */
  private boolean addsBytes(Term term) {
    return term.op() instanceof Term.Linear linear
        && linear.row()
        && readsInt8(term)
        && term.inputs().getLast().stage() == Term.Stage.ITEM;
  }

  /**
   * Fetches the items' terms that an instruction reads into columns; what it multiplies in 8 bits
   * comes when it is emitted.
   */
  private List<Term> gatherItems(Term term, List<Term> inputs) {
    List<Term> gathered = new ArrayList<>();
    for (Term input : inputs) {
      if (input.stage() == Term.Stage.ITEM && !gathered.contains(input)) {
        if (!readsInt8(term) || input != term.input(0)) {
          gather(input, columnsFor(input));
        }
        gathered.add(input);
      }
    }
    return gathered;
  }

  private void gather(Term item, long to) {
    gather(item, to, 0, null, 0);
  }

  /** {@code activation(item + addend)}; without an addend 0. {@code d} as in the instruction. */
  private void gather(Term item, long to, long addend, UnaryOp.Kind activation, long d) {
    gather(item, flag(pool.precision()), code(activation), to, addend, d);
  }

  private void gather(Term item, int flags, int kind, long to, long addend, long d) {
    long table = ScoringProgram.address(Space.CONSTANT, pool.table(item));
    long rows = pool.items() + 1L;
    long width = item.width();
    instructions.add(
        new Instruction(
            Code.GATHER, kind, to, table, addend, 0, d, 0, width, rows, 0, 0, 0, flags, 0, 0));
  }

  /** Where an instruction puts its result in 8 bits, if a layer multiplies it; otherwise 0. */
  private long rounded(Term term) {
    return rounded.contains(term)
        ? ScoringProgram.address(Space.ROWS, registers.quantised(term))
        : 0;
  }

  /** The columns of a term in 8 bits, made where they do not exist yet. */
  private long quantised(Term term) {
    boolean exists = registers.hasQuantised(term);
    long to = ScoringProgram.address(Space.ROWS, registers.quantised(term));
    if (!exists && term.stage() == Term.Stage.ITEM) {
      gather(term, ScoringProgram.INT8 | ScoringProgram.BYTES, 0, to, 0, 0);
    } else if (!exists) {
      emit(Code.QUANTISE, 0, to, operand(term), 0, 0, term.width(), 0, 0, 0);
    }
    return to;
  }

  /** The columns of a term, brought there first if it has none yet. */
  private long register(Term term) {
    switch (term.stage()) {
      case ROW -> {
        return addresses.get(term);
      }
      case ITEM -> {
        long to = columnsFor(term);
        gather(term, to);
        return to;
      }
      default -> {
        long from = vectorAddress(term);
        long to = columnsFor(term);
        emit(Code.COPY, 0, to, from, 0, 0, term.width(), 0, 0, 0);
        return to;
      }
    }
  }

  private long operand(Term term) {
    return switch (term.stage()) {
      case ROW, ITEM -> addresses.get(term);
      case CONSTANT, VECTOR -> vectorAddress(term);
    };
  }

  // ---- Both.

  private void compute(Term term, long to) {
    boolean rows = term.stage() == Term.Stage.ROW;
    switch (term.op()) {
      case Term.Linear linear -> linear(term, linear, to, rows);
      case Term.Binary(BinaryOp.Kind kind, UnaryOp.Kind activation) -> {
        Term a = term.input(0);
        Term b = term.input(1);
        int flags = one(a, term, ScoringProgram.A_ONE) | one(b, term, ScoringProgram.B_ONE);
        int act = code(activation);
        long width = term.width();
        emit(flags, Code.BINARY, kind.ordinal(), to, operand(a), operand(b), 0, width, 0, act);
      }
      case Term.Unary(UnaryOp.Kind kind) ->
          emit(Code.UNARY, code(kind), to, operand(term.input(0)), 0, 0, term.width(), 0, 0, 0);
      case Term.Scale(double factor, double offset) -> {
        long from = operand(term.input(0));
        long width = term.width();
        instructions.add(
            new Instruction(Code.SCALE, 0, to, from, 0, 0, width, 0, 0, 0, 0, 0, factor, offset));
      }
      case Term.Softmax _ ->
          emit(Code.SOFTMAX, 0, to, operand(term.input(0)), 0, 0, term.width(), 0, 0, 0);
      case Term.Mixture _ -> {
        long gate = operand(term.input(0));
        int parts = term.input(0).width();
        emit(Code.MIXTURE, 0, to, gate, operand(term.input(1)), 0, term.width(), parts, 0, 0);
      }
      case Term.RmsNorm(double epsilon) -> {
        long from = operand(term.input(0));
        long weight = operand(term.input(1));
        emit(Code.RMS_NORM, 0, to, from, weight, 0, term.width(), 0, 0, epsilon);
      }
      case Term.Repeat(int times) ->
          emit(
              Code.REPEAT, 0, to, operand(term.input(0)), 0, 0, term.input(0).width(), 0, times, 0);
      case Term.Constant _, Term.FromLeaf _, Term.Concat _, Term.Slice _ ->
          throw new IllegalStateException("nothing to compute in " + term.op());
    }
  }

  private void linear(Term term, Term.Linear linear, long to, boolean rows) {
    Term w = term.input(1);
    long bias = linear.vector() ? operand(term.input(2)) : 0;
    boolean constant = w.stage() == Term.Stage.CONSTANT;
    if (!rows) {
      instructions.add(
          new Instruction(
              Code.LINEAR,
              code(linear.activation()),
              to,
              operand(term.input(0)),
              constant
                  ? ScoringProgram.address(Space.CONSTANT, pool.matrix(w, linear.in()))
                  : operand(w),
              bias,
              linear.out(),
              linear.in(),
              linear.rows(),
              0,
              0,
              constant ? flag(pool.vectorPrecision(linear.in())) : 0,
              0,
              0));
      return;
    }
    if (linear.rows() != 1 || w.stage() == Term.Stage.ROW || w.stage() == Term.Stage.ITEM) {
      throw new IllegalStateException("a matrix for each item");
    }
    Precision precision = precision(linear);
    boolean half = precision == Precision.BF16;
    long weights =
        constant
            ? ScoringProgram.address(Space.CONSTANT, pool.panels(w, linear.in(), precision))
            : precision == Precision.F32 ? vectorAddress(w) : packed.get(w);
    boolean inPanels = constant || precision != Precision.F32;
    long innerStride = inPanels ? Panels.innerStride(half) : linear.out();
    long panelStride = inPanels ? Panels.stride(linear.in(), half) : Panels.WIDTH;
    boolean int8 = precision == Precision.INT8;
    long e = addsBytes(term) ? quantised(term.inputs().getLast()) : 0;
    instructions.add(
        new Instruction(
            Code.LINEAR,
            code(linear.activation()),
            to,
            int8 ? quantised(term.input(0)) : operand(term.input(0)),
            weights,
            bias,
            rounded(term),
            e,
            linear.out(),
            linear.in(),
            1,
            int8 ? 0 : innerStride,
            int8 ? 0 : panelStride,
            (linear.row() && e == 0 ? ScoringProgram.ACCUMULATE : 0) | flag(precision),
            0,
            0));
  }

  private static int one(Term operand, Term result, int flag) {
    return operand.width() == 1 && result.width() > 1 ? flag : 0;
  }

  /** As in {@link Activation}. */
  private static int code(UnaryOp.Kind kind) {
    return kind == null ? 0 : Activation.valueOf(kind.name()).ordinal();
  }

  private void emit(
      Code code, int kind, long dst, long a, long b, long c, long n, long k, long m, double p) {
    instructions.add(new Instruction(code, kind, dst, a, b, c, n, k, m, 0, 0, 0, p, 0));
  }

  private void emit(
      int flags, Code code, int kind, long dst, long a, long b, long c, long n, long k, long m) {
    instructions.add(new Instruction(code, kind, dst, a, b, c, n, k, m, 0, 0, flags, 0, 0));
  }
}
