package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * {@link AttentionOp} to keys and values that lie scattered: key i is row {@code rows[i]} of k and
 * v. A beginning that many sequences share lies there once and is listed for each; nothing of it is
 * copied (as in paged attention, Kwon et al. 2023).
 *
 * <p>Inputs: q {@code [T, heads * headDim]}, k and v {@code [K, kvHeads * headDim]}, rows I32
 * {@code [L]}, offsets I32 {@code [sequences + 1]}, keyBegins and keyEnds I32 {@code [sequences]},
 * which count in rows; output like q.
 */
public record RowAttentionOp(AttentionOp attention) implements FusedOp {
  @Override
  public String name() {
    return "rowAttention";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 7
            && AttentionOp.fits(attention, List.of(in.get(0), in.get(1), in.get(2), in.get(4)))
            && OpChecks.isIds(in.get(3), 1)
            && OpChecks.isIds(in.get(5), 1)
            && in.get(6).equals(in.get(5)),
        this,
        in,
        "q [T, heads * headDim], k and v [K, kvHeads * headDim], rows I32 [L], offsets I32"
            + " [sequences + 1], keyBegins and keyEnds I32 [sequences]");
    return List.of(in.get(0));
  }
}
