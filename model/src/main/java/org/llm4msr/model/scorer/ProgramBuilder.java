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
  private final Columns columns = new Columns();
  // Row registers: who still needs them, by the term that owns the columns.
  private final Map<Term, Term> owners = new IdentityHashMap<>();
  private final Map<Term, Integer> pending = new IdentityHashMap<>();
  private final Map<Term, Integer> firstColumn = new IdentityHashMap<>();
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
    countUses(logit);
    for (Term term : order) {
      if (term.stage() == Term.Stage.ROW) {
        row(term);
      }
    }
    emit(Code.OUTPUT, Activation.SIGMOID.ordinal(), 0, register(logit), 0, 0, 1, 0, 0, 0);
    return new Program(List.copyOf(instructions), userEnd, vectorEnd, state, columns.size());
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
      if (term.stage() == Term.Stage.ROW && term.op() instanceof Term.Linear) {
        Term w = term.input(1);
        if (w.stage() == Term.Stage.VECTOR && ofUser == (w.dependencies() == Term.USER)) {
          weightsToState(w);
        }
      }
    }
  }

  /** Generated weights must lie in the state, which has slack behind its last number. */
  private void weightsToState(Term w) {
    long from = vectorAddress(w);
    if (from >> ScoringProgram.SPACE_SHIFT != Space.STATE.ordinal()) {
      emit(Code.COPY, 0, allocate(w), from, 0, 0, w.width(), 0, 0, 0);
    }
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
    long address = ScoringProgram.address(Space.STATE, state);
    state +=
        (term.width() + ConstantPool.ALIGNMENT - 1)
            / ConstantPool.ALIGNMENT
            * ConstantPool.ALIGNMENT;
    addresses.put(term, address);
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

  /** Every use of a row register, through slices and at the end. */
  private void countUses(Term logit) {
    for (Term term : order) {
      if (term.stage() == Term.Stage.ROW) {
        owners.put(term, term.op() instanceof Term.Slice ? owner(term.input(0)) : term);
      }
    }
    for (Term term : order) {
      if (term.stage() == Term.Stage.ROW && !(term.op() instanceof Term.Slice)) {
        for (Term input : term.inputs()) {
          if (owners.containsKey(input)) {
            pending.merge(owner(input), 1, Integer::sum);
          }
        }
      }
    }
    if (owners.containsKey(logit)) {
      pending.merge(owner(logit), 1, Integer::sum);
    }
  }

  private Term owner(Term term) {
    return owners.get(term);
  }

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
      default -> {
        List<Term> gathered = gatherItems(term.inputs());
        long to = columnsFor(term);
        compute(term, to);
        gathered.forEach(this::forget);
      }
    }
    releaseInputs(term);
  }

  /** The row addend is put where the result will be. */
  private void accumulated(Term term, Term.Linear linear) {
    Term addend = term.inputs().getLast();
    List<Term> gathered = gatherItems(List.of(term.input(0)));
    long to;
    if (addend.stage() == Term.Stage.ITEM) {
      to = columnsFor(term);
      gather(addend, to);
    } else if (owner(addend) == addend && pending.get(addend) == 1 && addend != term.input(0)) {
      // Nobody else reads the addend: its columns become the result's.
      to = register(addend);
      firstColumn.put(term, firstColumn.remove(addend));
      addresses.put(term, to);
    } else {
      to = columnsFor(term);
      emit(Code.COPY, 0, to, register(addend), 0, 0, term.width(), 0, 0, 0);
    }
    compute(term, to);
    gathered.forEach(this::forget);
  }

  private long columnsFor(Term term) {
    int first = columns.allocate(term.width());
    firstColumn.put(term, first);
    long address = ScoringProgram.address(Space.ROWS, first);
    addresses.put(term, address);
    return address;
  }

  /** Fetches the items' terms that an instruction reads into columns. */
  private List<Term> gatherItems(List<Term> inputs) {
    List<Term> gathered = new ArrayList<>();
    for (Term input : inputs) {
      if (input.stage() == Term.Stage.ITEM && !gathered.contains(input)) {
        gather(input, columnsFor(input));
        gathered.add(input);
      }
    }
    return gathered;
  }

  private void gather(Term item, long to) {
    long table = ScoringProgram.address(Space.CONSTANT, pool.table(item));
    instructions.add(
        new Instruction(
            Code.GATHER,
            0,
            to,
            table,
            0,
            0,
            item.width(),
            pool.items() + 1L,
            0,
            0,
            0,
            ofConstants(),
            0,
            0));
  }

  /** The flag of constant matrices and tables. */
  private int ofConstants() {
    return pool.half() ? ScoringProgram.BF16 : 0;
  }

  private void forget(Term term) {
    columns.release(firstColumn.remove(term), term.width());
  }

  private void releaseInputs(Term term) {
    if (term.op() instanceof Term.Slice) {
      return;
    }
    for (Term input : term.inputs()) {
      if (!owners.containsKey(input)) {
        continue;
      }
      Term owner = owner(input);
      if (pending.merge(owner, -1, Integer::sum) == 0 && firstColumn.containsKey(owner)) {
        forget(owner);
      }
    }
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
        instructions.add(
            new Instruction(
                Code.BINARY,
                kind.ordinal(),
                to,
                operand(a),
                operand(b),
                0,
                term.width(),
                0,
                code(activation),
                0,
                0,
                flags,
                0,
                0));
      }
      case Term.Unary(UnaryOp.Kind kind) ->
          emit(Code.UNARY, code(kind), to, operand(term.input(0)), 0, 0, term.width(), 0, 0, 0);
      case Term.Scale(double factor, double offset) ->
          instructions.add(
              new Instruction(
                  Code.SCALE,
                  0,
                  to,
                  operand(term.input(0)),
                  0,
                  0,
                  term.width(),
                  0,
                  0,
                  0,
                  0,
                  0,
                  factor,
                  offset));
      case Term.Softmax _ ->
          emit(Code.SOFTMAX, 0, to, operand(term.input(0)), 0, 0, term.width(), 0, 0, 0);
      case Term.Mixture _ ->
          emit(
              Code.MIXTURE,
              0,
              to,
              operand(term.input(0)),
              operand(term.input(1)),
              0,
              term.width(),
              term.input(0).width(),
              0,
              0);
      case Term.RmsNorm(double epsilon) ->
          emit(
              Code.RMS_NORM,
              0,
              to,
              operand(term.input(0)),
              operand(term.input(1)),
              0,
              term.width(),
              0,
              0,
              epsilon);
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
              constant ? ScoringProgram.address(Space.CONSTANT, pool.matrix(w)) : operand(w),
              bias,
              linear.out(),
              linear.in(),
              linear.rows(),
              0,
              0,
              constant ? ofConstants() : 0,
              0,
              0));
      return;
    }
    if (linear.rows() != 1 || w.stage() == Term.Stage.ROW || w.stage() == Term.Stage.ITEM) {
      throw new IllegalStateException("a matrix for each item");
    }
    long weights =
        constant
            ? ScoringProgram.address(Space.CONSTANT, pool.panels(w, linear.in()))
            : vectorAddress(w);
    boolean half = constant && pool.half();
    long innerStride = constant ? Panels.innerStride(half) : linear.out();
    long panelStride = constant ? Panels.stride(linear.in(), half) : Panels.WIDTH;
    instructions.add(
        new Instruction(
            Code.LINEAR,
            code(linear.activation()),
            to,
            operand(term.input(0)),
            weights,
            bias,
            linear.out(),
            linear.in(),
            1,
            innerStride,
            panelStride,
            (linear.row() ? ScoringProgram.ACCUMULATE : 0) | (half ? ScoringProgram.BF16 : 0),
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
}
