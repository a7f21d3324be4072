package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Dropout (Srivastava et al. 2014) for training: each element is 0 with probability {@code rate},
 * else divided by {@code 1 - rate}. Which ones is a function of {@code seed}, the step and the
 * element's position: the gradient finds the same mask again, and so does a resumed training.
 *
 * <p>Inputs: x, and the state F64 {@code [2]} of an optimiser (learning rate, step). Output like x.
 *
 * @param seed tells places of one model apart
 */
public record DropoutOp(double rate, int seed) implements Op {
  public DropoutOp {
    if (!(rate > 0 && rate < 1)) {
      throw new IllegalArgumentException("a dropout rate is between 0 and 1, not " + rate);
    }
  }

  @Override
  public String name() {
    return "dropout";
  }

  /** What the mask of a step is made from: a finaliser of SplitMix64 over seed and step. */
  public int key(long step) {
    long z = seed * 0x9E3779B97F4A7C15L + step;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return (int) (z ^ (z >>> 31));
  }

  /** As an unsigned number: an element whose hash is below it is dropped. */
  public int threshold() {
    return (int) (long) (rate * 0x1p32);
  }

  /** Whether an element stays; dropout.h has the same. */
  public static boolean keeps(int key, int threshold, long index) {
    int h = ((int) index * 0x9e3779b1) ^ (key + (int) (index >>> 32));
    h = (h ^ (h >>> 16)) * 0x85ebca6b;
    h = (h ^ (h >>> 13)) * 0xc2b2ae35;
    return Integer.compareUnsigned(h ^ (h >>> 16), threshold) >= 0;
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2
            && OpChecks.sameCompute(in.get(0))
            && in.get(1).equals(ValueType.of(DType.F64, 2)),
        this,
        in,
        "one real value and the state F64 [2]");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Value dX = graph.apply(this, dOut[0], node.input(1)).get(0);
    return new Gradient[] {OpChecks.dense(dX), null};
  }
}
