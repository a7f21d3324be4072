package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.Op;

/**
 * One application of an operator with seeded data. Extents that vary in practice (rows, tokens,
 * groups) are symbols; a test runs the case at several of their extents with one bound kernel.
 *
 * @param inputs their types are in F32 where the operator computes
 * @param offsetsOf symbols that are always one more than another, as offsets are
 * @param maxNmse largest permitted normalised mean squared error of a result in F32
 * @param flops arithmetic operations at the largest extents
 */
public record ConformanceCase(
    String name, Op op, List<Input> inputs, Map<Dim, Dim> offsetsOf, double maxNmse, double flops) {
  /** Rounding alone stays below 1e-13; a wrong element in ten thousand is at 1e-4. */
  public static final double DEFAULT_MAX_NMSE = 1e-12;

  /** An input's type and what it holds. */
  public record Input(ValueType type, Generator generator) {}

  /** Makes the elements of an input for the current extents. */
  @FunctionalInterface
  public interface Generator {
    double[] generate(Random random, ValueType type, Extents extents);
  }

  /** Every symbol at its largest extent. */
  public Extents largest() {
    return scaled(1, 1);
  }

  /** Every symbol at a fraction of its largest extent, rounded up: rows are never without group. */
  public Extents scaled(long numerator, long denominator) {
    Extents extents = new Extents();
    Stream.concat(
            inputs.stream().flatMap(input -> input.type().dims().stream()),
            offsetsOf.values().stream())
        .filter(Dim::isSymbol)
        .forEach(dim -> extents.set(dim, Math.ceilDiv(dim.max() * numerator, denominator)));
    offsetsOf.forEach((offsets, groups) -> extents.set(offsets, extents.of(groups) + 1));
    return extents;
  }

  /** Element values for the given extents, the same for every backend and compute type. */
  public double[] data(int input, Extents extents) {
    Random random = new Random(31L * toString().hashCode() + input);
    return inputs.get(input).generator().generate(random, inputs.get(input).type(), extents);
  }

  /** The operator in another compute type. */
  public Op op(DType computeType) {
    return op instanceof GatherOp ? new GatherOp(computeType) : op;
  }

  /** The input's type in another compute type. */
  public ValueType type(int input, DType computeType) {
    ValueType type = inputs.get(input).type();
    return type.dtype() == DType.F32 ? new ValueType(computeType, type.dims()) : type;
  }

  /** The inputs' types in F32. */
  public List<ValueType> types() {
    return inputs.stream().map(Input::type).toList();
  }

  /** Bytes of all inputs and outputs in F32 at the largest extents. */
  public long bytes() {
    List<ValueType> types = new ArrayList<>(types());
    types.addAll(op.infer(types));
    return types.stream().mapToLong(type -> type.dtype().byteSize(type.maxElements())).sum();
  }

  @Override
  public String toString() {
    return op.name() + " " + name;
  }

  /** Collects a case's inputs. */
  static final class Builder {
    private final String name;
    private final List<Input> inputs = new ArrayList<>();
    private final Map<Dim, Dim> offsetsOf = new LinkedHashMap<>();
    private double maxNmse = DEFAULT_MAX_NMSE;

    Builder(String name) {
      this.name = name;
    }

    /** A symbol whose extent is one more than that of {@code groups}. */
    Dim offsetsOf(Dim groups) {
      if (!groups.isSymbol()) {
        return Dim.of(groups.fixed() + 1);
      }
      Dim offsets = Dim.symbol("offsets", groups.max() + 1);
      offsetsOf.put(offsets, groups);
      return offsets;
    }

    /** Extent of an input added before. */
    Dim dim(int input, int axis) {
      return inputs.get(input).type().dim(axis);
    }

    /** An F32 input. */
    Builder input(Generator generator, Dim... dims) {
      return input(DType.F32, generator, dims);
    }

    Builder input(DType dtype, Generator generator, Dim... dims) {
      inputs.add(new Input(ValueType.of(dtype, dims), generator));
      return this;
    }

    /** Order and offsets of rows in groups. */
    Builder grouping(Dim rows, Dim groups, Data.Split split) {
      input(DType.I32, Data.permutation(), rows);
      return input(DType.I32, Data.offsets(rows, split), offsetsOf(groups));
    }

    /** Loosens the bound; the reason belongs beside the call. */
    Builder maxNmse(double bound) {
      maxNmse = bound;
      return this;
    }

    ConformanceCase build(Op op, double flops) {
      return new ConformanceCase(
          name, op, List.copyOf(inputs), Map.copyOf(offsetsOf), maxNmse, flops);
    }
  }
}
