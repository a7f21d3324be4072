package org.llm4msr.model.scorer;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a snapshot holds of each user: the leaves that its programs read, and the narrow results of
 * layers on the knowledge vector in that vector's place. The same for all scenarios.
 */
final class UserRecord {
  private final Map<Term, Integer> offsets = new LinkedHashMap<>();
  private int width;

  /** Whether a term is held in the record rather than computed for each request. */
  static boolean holds(Term term) {
    return term.dependencies() == Term.USER
        && (term.op() instanceof Term.FromLeaf || isTrunk(term));
  }

  /** The first layer on the knowledge vector, where it is narrower than that. */
  private static boolean isTrunk(Term term) {
    return term.op() instanceof Term.Linear linear
        && linear.rows() == 1
        && linear.out() < linear.in()
        && isVector(term.input(0))
        && term.inputs().stream().skip(1).allMatch(Terms::isConstant);
  }

  private static boolean isVector(Term term) {
    return term.op() instanceof Term.FromLeaf(Leaf leaf) && leaf.isKnowledge();
  }

  /** Whether a term that is held follows from the user's knowledge vector. */
  static boolean isKnowledge(Term term) {
    return isVector(term) || isTrunk(term);
  }

  /** Offset of a term that it {@link #holds}. */
  int offset(Term term) {
    return offsets.computeIfAbsent(
        term,
        t -> {
          width += t.width();
          return width - t.width();
        });
  }

  /** Terms with their offsets. */
  Map<Term, Integer> offsets() {
    return offsets;
  }

  /** Floats of a record. */
  int width() {
    return width;
  }
}
