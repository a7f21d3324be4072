package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.conformance.Data.Split;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.AttentionGradientOp;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.AttentionOp.Mask;
import org.llm4msr.runtime.op.RopeOp;

/** Rotary positions and packed attention. */
final class AttentionCases {
  /** Tokens, sequences, heads, key heads, head dimension. */
  private static final int[][] SHAPES = {
    {1, 1, 1, 1, 1},
    {3, 5, 2, 1, 5},
    {16, 4, 4, 4, 8},
    {37, 3, 6, 2, 16},
    {65, 2, 8, 1, 64},
    {70, 70, 2, 2, 32},
    {130, 7, 3, 3, 80},
    {300, 1, 2, 2, 33},
    {150, 4, 14, 2, 64}
  };

  /** Which backends may round to BF16. */
  private static final int[][] ROUNDED = {
    {1, 1, 1, 1, 64}, {70, 9, 4, 2, 64}, {130, 3, 3, 1, 128}, {65, 65, 2, 2, 128}
  };

  /** All, sliding windows on one side and on both, the narrowest, and soft caps. */
  private static final List<Mask> MASKS =
      List.of(
          Mask.causal(),
          Mask.bidirectional(),
          new Mask(31, 0, 0),
          new Mask(3, 3, 0),
          new Mask(0, 0, 0),
          new Mask(Mask.ALL, 0, 2),
          new Mask(50, 7, 30));

  private AttentionCases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    for (int[] shape : SHAPES) {
      for (Mask mask : MASKS) {
        for (Split split : new Split[] {Split.RAGGED, Split.EVEN}) {
          cases.add(attention(false, mask, split, shape));
          cases.add(gradient(mask, split, shape));
        }
      }
      cases.add(otherKeys(false, Mask.causal(), shape));
      cases.add(otherKeys(false, new Mask(20, 0, 0), shape));
    }
    for (int[] shape : ROUNDED) {
      for (Mask mask : MASKS) {
        cases.add(attention(true, mask, Split.RAGGED, shape));
      }
      cases.add(otherKeys(true, Mask.causal(), shape));
      cases.add(otherKeys(true, new Mask(20, 0, 0), shape));
    }
    for (boolean interleaved : new boolean[] {false, true}) {
      for (boolean inverse : new boolean[] {false, true}) {
        cases.add(rope(new RopeOp(1, 2, 2, interleaved, 1, inverse), 1));
        cases.add(rope(new RopeOp(3, 10, 10, interleaved, 1, inverse), 21));
        cases.add(rope(new RopeOp(4, 64, 64, interleaved, 1, inverse), 130));
        cases.add(rope(new RopeOp(2, 17, 6, interleaved, 1, inverse), 33));
        cases.add(rope(new RopeOp(5, 80, 20, interleaved, 1.25, inverse), 9));
        cases.add(rope(new RopeOp(2, 5, 0, interleaved, 1, inverse), 4));
      }
    }
    return cases;
  }

  /** A batch of prompts in a model of Qwen2 0.5B's shape. */
  static List<ConformanceCase> benchmarks() {
    return List.of(
        attention(false, Mask.causal(), Split.EVEN, 1024, 8, 14, 2, 64),
        rope(new RopeOp(14, 64, 64, false, 1, false), 1024));
  }

  private static ConformanceCase attention(boolean rounded, Mask mask, Split split, int... shape) {
    AttentionOp op = op(rounded, mask, shape);
    return builder(rounded, mask, split, shape).build(op, flops(op, shape));
  }

  private static ConformanceCase gradient(Mask mask, Split split, int... shape) {
    AttentionOp op = op(false, mask, shape);
    ConformanceCase.Builder builder = builder(false, mask, split, shape);
    Dim tokens = builder.dim(0, 0);
    return builder
        .input(Data.normal(1), tokens, Dim.of((long) op.heads() * op.headDim()))
        // dq and dk are differences of nearly equal numbers where one key gets all attention.
        .maxNmse(1e-10)
        .build(new AttentionGradientOp(op), 2.5 * flops(op, shape));
  }

  private static AttentionOp op(boolean rounded, Mask mask, int... shape) {
    return new AttentionOp(shape[2], shape[3], shape[4], 1 / Math.sqrt(shape[4]), mask, rounded);
  }

  private static ConformanceCase.Builder builder(
      boolean rounded, Mask mask, Split split, int... shape) {
    Dim tokens = Dim.symbol("T", shape[0]);
    Dim queries = Dim.of((long) shape[2] * shape[4]);
    Dim keys = Dim.of((long) shape[3] * shape[4]);
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            shape[0]
                + " tokens "
                + shape[1]
                + " sequences "
                + split.name().toLowerCase(java.util.Locale.ROOT)
                + " "
                + shape[2]
                + "/"
                + shape[3]
                + " heads of "
                + shape[4]
                + (rounded ? " rounded " : " ")
                + mask);
    return builder
        .input(Data.normal(1.5), tokens, queries)
        .input(Data.normal(1), tokens, keys)
        .input(Data.normal(1), tokens, keys)
        .input(
            DType.I32, Data.offsets(tokens, split), builder.offsetsOf(Dim.symbol("S", shape[1])));
  }

  /** A third of the tokens ask, at the end of what the whole sequence and those before it hold. */
  private static ConformanceCase otherKeys(boolean rounded, Mask mask, int... shape) {
    AttentionOp op = op(rounded, mask, shape);
    Dim sequences = Dim.symbol("S", shape[1]);
    Dim keys = Dim.symbol("K", 3L * shape[0]);
    Dim queries = Dim.symbol("T", shape[0]);
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            Arrays.toString(shape) + " to other keys " + (rounded ? "rounded " : "") + mask);
    Dim kvWidth = Dim.of((long) shape[3] * shape[4]);
    return builder
        .input(Data.normal(1.5), queries, Dim.of((long) shape[2] * shape[4]))
        .input(Data.normal(1), keys, kvWidth)
        .input(Data.normal(1), keys, kvWidth)
        .input(DType.I32, Data.offsets(queries, Split.EVEN), builder.offsetsOf(sequences))
        .input(
            DType.I32,
            (random, type, extents) -> new double[Math.toIntExact(extents.of(type.dim(0)))],
            sequences)
        .input(
            DType.I32,
            // A sequence sees the keys of those before it too: all that lie before its end.
            (random, type, extents) -> {
              double[] ends = new double[Math.toIntExact(extents.of(type.dim(0)))];
              Arrays.setAll(ends, s -> extents.of(keys) * (s + 1L) / ends.length);
              return ends;
            },
            sequences)
        .build(op, flops(op, shape));
  }

  private static double flops(AttentionOp op, int... shape) {
    double length = (double) shape[0] / shape[1];
    return 4 * shape[0] * length * op.heads() * op.headDim() * (op.mask().after() == 0 ? 0.5 : 1);
  }

  private static ConformanceCase rope(RopeOp op, int tokens) {
    Dim t = Dim.symbol("T", tokens);
    return new ConformanceCase.Builder(
            tokens
                + " tokens "
                + op.heads()
                + " heads of "
                + op.headDim()
                + " turning "
                + op.rotaryDims()
                + (op.interleaved() ? " interleaved" : " halves")
                + (op.inverse() ? " inverse" : ""))
        .input(Data.normal(1), t, Dim.of((long) op.heads() * op.headDim()))
        // Angles of thousands of radians: formed in float they would be off by 1e-4.
        .input(DType.I32, Data.positions(4000), t)
        .input(Data.inverseFrequencies(), Dim.of(op.rotaryDims() / 2))
        .build(op, 3.0 * tokens * op.heads() * op.rotaryDims());
  }
}
