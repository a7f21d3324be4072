package org.llm4msr.runtime.conformance;

import java.util.Arrays;
import java.util.stream.DoubleStream;
import org.llm4msr.runtime.conformance.ConformanceCase.Generator;
import org.llm4msr.runtime.graph.Dim;

/** What the inputs of conformance cases hold. */
final class Data {
  private Data() {}

  /** How rows fall into groups. */
  enum Split {
    /** Random sizes, some of them zero. */
    RAGGED,
    /** Sizes that differ by one at most. */
    EVEN,
    /** All rows in the middle group. */
    ONE_HUGE
  }

  /** Normally distributed. */
  static Generator normal(double deviation) {
    return (random, type, extents) ->
        DoubleStream.generate(() -> deviation * random.nextGaussian())
            .limit(extents.shape(type).elements())
            .toArray();
  }

  static Generator uniform(double from, double to) {
    return (random, type, extents) ->
        random.doubles(extents.shape(type).elements(), from, to).toArray();
  }

  static Generator constant(double... elements) {
    return (random, type, extents) -> elements.clone();
  }

  /** 0 or 1. */
  static Generator labels() {
    return (random, type, extents) ->
        random.ints(extents.shape(type).elements(), 0, 2).asDoubleStream().toArray();
  }

  /** Row numbers below {@code rows}; small ones are common, as popular items are. */
  static Generator ids(long rows) {
    return (random, type, extents) -> {
      double[] ids = new double[Math.toIntExact(extents.shape(type).elements())];
      for (int i = 0; i < ids.length; i++) {
        double u = random.nextDouble();
        ids[i] = Math.floor(u * u * rows);
      }
      return ids;
    };
  }

  /** Row numbers of F tables {@code [B, F]}, each below its table's number of rows. */
  static Generator fieldIds(long... rows) {
    return (random, type, extents) -> {
      double[] ids = new double[Math.toIntExact(extents.shape(type).elements())];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = random.nextLong(rows[i % rows.length]);
      }
      return ids;
    };
  }

  /** Position of each token: counts up, from a new random start now and then. */
  static Generator positions(int most) {
    return (random, type, extents) -> {
      double[] positions = new double[Math.toIntExact(extents.shape(type).elements())];
      int position = 0;
      for (int i = 0; i < positions.length; i++) {
        position = random.nextInt(10) == 0 ? random.nextInt(most) : position + 1;
        positions[i] = position;
      }
      return positions;
    };
  }

  static Generator permutation() {
    return (random, type, extents) -> {
      double[] order = new double[Math.toIntExact(extents.of(type.dim(0)))];
      for (int i = 0; i < order.length; i++) {
        int j = random.nextInt(i + 1);
        order[i] = order[j];
        order[j] = i;
      }
      return order;
    };
  }

  /** Boundaries from 0 to {@code rows}; the input has one more element than there are groups. */
  static Generator offsets(Dim rows, Split split) {
    return (random, type, extents) -> {
      int groups = Math.toIntExact(extents.of(type.dim(0))) - 1;
      long total = extents.of(rows);
      double[] offsets = new double[groups + 1];
      for (int g = 1; g <= groups; g++) {
        offsets[g] =
            switch (split) {
              case RAGGED -> random.nextLong(total + 1);
              case EVEN -> total * g / groups;
              case ONE_HUGE -> g > groups / 2 ? total : 0;
            };
      }
      offsets[groups] = total;
      Arrays.sort(offsets);
      return offsets;
    };
  }

  /** {@code count} ascending row numbers below {@code size}, then what must not be read: -1. */
  static Generator sparseRows(int count, int size) {
    return (random, type, extents) -> {
      double[] rows = new double[Math.toIntExact(extents.of(type.dim(0)))];
      Arrays.fill(rows, -1);
      int[] chosen = random.ints(0, size).distinct().limit(count).sorted().toArray();
      for (int i = 0; i < count; i++) {
        rows[i] = chosen[i];
      }
      return rows;
    };
  }

  /** {@code count} rows of numbers, then what must not be read: not a number. */
  static Generator sparseValues(int count) {
    return (random, type, extents) -> {
      double[] values = normal(1).generate(random, type, extents);
      Arrays.fill(
          values, Math.toIntExact(count * extents.of(type.dim(1))), values.length, Double.NaN);
      return values;
    };
  }

  /** Inverse frequencies of rotary embedding with the usual base. */
  static Generator inverseFrequencies() {
    return (random, type, extents) -> {
      double[] frequencies = new double[Math.toIntExact(extents.of(type.dim(0)))];
      for (int i = 0; i < frequencies.length; i++) {
        frequencies[i] = Math.pow(10_000, -(double) i / frequencies.length);
      }
      return frequencies;
    };
  }

  /** A generator whose element {@code index} is replaced; for data that must be refused. */
  static Generator replaced(Generator generator, int index, double value) {
    return (random, type, extents) -> {
      double[] elements = generator.generate(random, type, extents);
      elements[index] = value;
      return elements;
    };
  }
}
