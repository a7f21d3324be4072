package org.llm4msr.runtime.backend.portable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.backend.portable.Product.Matrix;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.GroupedSumOp;
import org.llm4msr.runtime.op.GroupedWeightGradientOp;
import org.llm4msr.runtime.op.MatMulOp;

/** All matrix products, as {@link Product}s, and the sums of groups' rows. */
final class MatrixCalls {
  /** Elements of a stored matrix that are widened to float at a time. */
  private static final long WIDENED = 16L << 20;

  private static final LongSupplier ZERO = () -> 0;
  private static final LongSupplier ONE = () -> 1;

  private MatrixCalls() {}

  static Kernel matmul(Device device, MatMulOp op, List<Operand> in, Operand c) {
    Operand b = in.get(1);
    if (b.dtype() == DType.F32) {
      LongSupplier stored = () -> b.dim(1);
      Matrix right =
          Matrix.of(b, ZERO, op.transposeB() ? ONE : stored, op.transposeB() ? stored : ONE);
      return matmul(device, op, in, c, right, () -> c.dim(1), most(c, 1), 0);
    }
    return widened(device, op, in, c);
  }

  /**
   * @param b with so many columns, which become those of c from {@code cAt} on
   */
  private static Kernel matmul(
      Device device,
      MatMulOp op,
      List<Operand> in,
      Operand c,
      Matrix b,
      LongSupplier columns,
      long mostColumns,
      long cAt) {
    Operand a = in.get(0);
    LongSupplier stored = () -> a.dim(1);
    Matrix left =
        Matrix.of(a, ZERO, op.transposeA() ? ONE : stored, op.transposeA() ? stored : ONE);
    int innerAxis = op.transposeA() ? 0 : 1;
    Product.Extents extents =
        new Product.Extents(
            () -> c.dim(0), columns, () -> a.dim(innerAxis), 1, mostColumns, most(a, innerAxis));
    Product product =
        new Product(device, left, b, extents, c, ZERO, () -> c.dim(1), cAt)
            .activation(op.activation());
    if (op.hasBias()) {
      product.bias(in.get(2), ZERO);
    }
    if (op.hasResidual()) {
      product.residual(in.getLast());
    }
    return product.strided(ONE);
  }

  /** Widens B to float, some of its rows at a time if these are columns of the product. */
  private static Kernel widened(Device device, MatMulOp op, List<Operand> in, Operand c) {
    Operand b = in.get(1);
    long rows = b.dim(0);
    long width = b.dim(1);
    if (rows < 0 || width < 0) {
      throw new UnsupportedOperationException(
          op.name() + " with a matrix in " + b.dtype() + " whose extents vary");
    }
    long most = op.transposeB() ? Math.max(1, WIDENED / Math.max(1, width)) : Math.max(1, rows);
    Device.Scratch scratch = device.scratch(PortableOperators.WIDENED);
    scratch.require(Float.BYTES * Math.min(most, rows) * width);
    List<Kernel> kernels = new ArrayList<>();
    for (long from = 0; from < rows; from += most) {
      long count = Math.min(most, rows - from);
      Call widen = new Call(device, "widen").l(count).l(width).l(from);
      kernels.add(TableCalls.type(widen, b.dtype()).of(b).of(scratch).items(() -> count * width));
      LongSupplier step = () -> width;
      Matrix part =
          new Matrix(
              call -> call.of(scratch),
              ZERO,
              op.transposeB() ? ONE : step,
              op.transposeB() ? step : ONE);
      long columns = op.transposeB() ? count : width;
      kernels.add(matmul(device, op, in, c, part, () -> columns, columns, from(op, from)));
    }
    return Call.sequence(kernels);
  }

  private static long from(MatMulOp op, long row) {
    return op.transposeB() ? row : 0;
  }

  static Kernel groupedMatmul(Device device, GroupedMatMulOp op, List<Operand> in, Operand y) {
    Operand x = in.get(0);
    Operand w = in.get(1);
    Product product =
        new Product(
                device,
                Matrix.of(x, ZERO, () -> x.dim(1), ONE),
                stacked(w, op.transposeW()),
                new Product.Extents(
                    () -> y.dim(0),
                    () -> y.dim(1),
                    () -> x.dim(1),
                    most(w, 0),
                    most(y, 1),
                    most(x, 1)),
                y,
                ZERO,
                () -> y.dim(1),
                0)
            .activation(op.activation());
    if (op.hasBias()) {
      product.bias(in.get(4), () -> y.dim(1));
    }
    return product.byRows(new Groups(device, op, x, in.get(2), in.get(3), w));
  }

  /** The matrices of W [G, K, N], or [G, N, K] if transposed. */
  private static Matrix stacked(Operand w, boolean transposed) {
    LongSupplier row = () -> w.dim(2);
    return Matrix.of(w, () -> w.dim(1) * w.dim(2), transposed ? ONE : row, transposed ? row : ONE);
  }

  static Kernel groupedWeightGradient(
      Device device, GroupedWeightGradientOp op, List<Operand> in, Operand dw) {
    // dW = X^T dY; stored transposed it is dY^T X. Either way: left^T right.
    Operand left = in.get(op.transposeW() ? 1 : 0);
    Operand right = in.get(op.transposeW() ? 0 : 1);
    Product.Extents extents =
        new Product.Extents(
            () -> dw.dim(1), () -> dw.dim(2), () -> left.dim(0), 1, most(right, 1), most(right, 0));
    return new Product(
            device,
            Matrix.of(left, ZERO, ONE, () -> left.dim(1)),
            Matrix.of(right, ZERO, () -> right.dim(1), ONE),
            extents,
            dw,
            () -> dw.dim(1) * dw.dim(2),
            () -> dw.dim(2),
            0)
        .byInner(new Groups(device, op, left, in.get(2), in.get(3), dw));
  }

  static Kernel groupedSum(Device device, GroupedSumOp op, List<Operand> in, Operand y) {
    Operand x = in.get(0);
    Groups groups = new Groups(device, op, x, in.get(1), in.get(2), y);
    Call call = new Call(device, "grouped_sum").l(() -> x.dim(1)).flag(op.mean()).of(x);
    Kernel sum =
        groups
            .add(call)
            .of(y)
            .fault()
            .groups(() -> groups.count() * Math.ceilDiv(x.dim(1), LayoutCalls.COLUMNS));
    return Call.sequence(groups.check(), sum);
  }

  static Kernel blockMatmul(Device device, BlockMatMulOp op, List<Operand> in, Operand y) {
    Operand x = in.get(0);
    Operand w = in.get(1);
    long groups = w.dim(0);
    LongSupplier inner = () -> x.dim(1) / groups;
    LongSupplier width = () -> y.dim(1) / groups;
    Product product =
        new Product(
                device,
                Matrix.of(x, inner, () -> x.dim(1), ONE),
                stacked(w, op.transposeW()),
                new Product.Extents(
                    () -> y.dim(0), width, inner, groups, width.getAsLong(), inner.getAsLong()),
                y,
                width,
                () -> y.dim(1),
                0)
            .activation(op.activation());
    if (op.hasBias()) {
      product.bias(in.get(2), width);
    }
    if (op.gated()) {
      product.gate(in.getLast());
    }
    return product.strided(() -> groups);
  }

  static Kernel blockWeightGradient(
      Device device, BlockWeightGradientOp op, List<Operand> in, List<Operand> out) {
    Operand left = in.get(op.transposeW() ? 1 : 0);
    Operand right = in.get(op.transposeW() ? 0 : 1);
    Operand dw = out.get(0);
    LongSupplier rows = () -> dw.dim(1);
    LongSupplier columns = () -> dw.dim(2);
    Product.Extents extents =
        new Product.Extents(
            rows, columns, () -> left.dim(0), op.groups(), dw.dim(2), most(right, 0));
    Kernel product =
        new Product(
                device,
                Matrix.of(left, rows, ONE, () -> left.dim(1)),
                Matrix.of(right, columns, () -> right.dim(1), ONE),
                extents,
                dw,
                () -> dw.dim(1) * dw.dim(2),
                columns,
                0)
            .strided(op::groups);
    return op.withBias()
        ? Call.sequence(product, LayoutCalls.columnSums(device, in.get(1), out.get(1)))
        : product;
  }

  /** The largest extent of an axis; those that vary are -1 while kernels are bound. */
  private static long most(Operand operand, int axis) {
    if (operand.dim(axis) >= 0) {
      return operand.dim(axis);
    }
    long others = 1;
    for (int other = 0; other < operand.rank(); other++) {
      others *= other == axis ? 1 : Math.max(1, operand.dim(other));
    }
    return operand.maxElements() / others;
  }
}
