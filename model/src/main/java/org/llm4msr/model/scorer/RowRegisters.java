package org.llm4msr.model.scorer;

import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.bindings.cpu.Int8Layout;

/**
 * Which columns hold a term's numbers for the items of a block, as they are and in 8 bits, and how
 * long they are needed. A slice has no columns of its own: they are its owner's.
 */
final class RowRegisters {
  private final Columns columns = new Columns();
  private final Map<Term, Term> owners = new IdentityHashMap<>();
  // Uses to come, by owner.
  private final Map<Term, Integer> pending = new IdentityHashMap<>();
  private final Map<Term, Integer> first = new IdentityHashMap<>();
  private final Map<Term, Integer> quantised = new IdentityHashMap<>();

  /**
   * Every use of a register, through slices and at the end.
   *
   * @param order terms that the program computes, inputs first
   */
  void countUses(List<Term> order, Term logit) {
    for (Term term : order) {
      if (term.stage() == Term.Stage.ROW) {
        owners.put(term, term.op() instanceof Term.Slice ? owners.get(term.input(0)) : term);
      }
    }
    for (Term term : order) {
      if (term.stage() == Term.Stage.ROW && !(term.op() instanceof Term.Slice)) {
        for (Term input : term.inputs()) {
          if (owners.containsKey(input)) {
            pending.merge(owners.get(input), 1, Integer::sum);
          }
        }
      }
    }
    if (owners.containsKey(logit)) {
      pending.merge(owners.get(logit), 1, Integer::sum);
    }
  }

  /** Columns that the program needs. */
  int size() {
    return columns.size();
  }

  /** First column of a term that gets some. */
  int allocate(Term term) {
    int column = columns.allocate(term.width());
    first.put(term, column);
    return column;
  }

  /** Whether {@link #quantised} exists already. */
  boolean hasQuantised(Term term) {
    return quantised.containsKey(term);
  }

  /** First column of a term in 8 bits; they are kept as long as its own. */
  int quantised(Term term) {
    return quantised.computeIfAbsent(term, t -> columns.allocate(quantisedColumns(t)));
  }

  private static int quantisedColumns(Term term) {
    return Math.toIntExact(Int8Layout.quantisedColumns(term.width()));
  }

  /** Whether one use of a term is left, and its columns are its own. */
  boolean isLastUse(Term term) {
    return owners.get(term) == term && pending.get(term) == 1;
  }

  /** The columns of a term that nobody else reads become those of another. */
  void handOver(Term from, Term to) {
    first.put(to, first.remove(from));
    releaseQuantised(from);
  }

  /** After a term has been computed. */
  void releaseInputs(Term term) {
    if (term.op() instanceof Term.Slice) {
      return;
    }
    for (Term input : term.inputs()) {
      Term owner = owners.get(input);
      if (owner != null
          && pending.merge(owner, -1, Integer::sum) == 0
          && first.containsKey(owner)) {
        release(owner);
      }
    }
  }

  /** Gives back a term's columns, those that it still has. */
  void release(Term term) {
    Integer column = first.remove(term);
    if (column != null) {
      columns.release(column, term.width());
    }
    releaseQuantised(term);
  }

  /** What has been made of a term's columns, or of some of them. */
  private void releaseQuantised(Term owner) {
    quantised
        .entrySet()
        .removeIf(entry -> {
          boolean of = entry.getKey() == owner || owners.get(entry.getKey()) == owner;
          if (of) {
            columns.release(entry.getValue(), quantisedColumns(entry.getKey()));
          }
          return of;
        });
  }
}
