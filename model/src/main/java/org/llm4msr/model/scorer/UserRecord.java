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
        && linear.out() < linear.in()
        && term.input(0).op() instanceof Term.FromLeaf(Leaf leaf)
        && leaf.isKnowledge()
        && term.inputs().stream().skip(1).allMatch(Terms::isConstant);
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
