package org.llm4msr.runtime.backend.portable;

import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.GroupedBatchNormGradientOp;
import org.llm4msr.runtime.op.GroupedBatchNormOp;
import org.llm4msr.runtime.op.LayerNormGradientOp;
import org.llm4msr.runtime.op.LayerNormOp;
import org.llm4msr.runtime.op.RmsNormGradientOp;
import org.llm4msr.runtime.op.RmsNormOp;

/** Normalisations and softmax: norm.kk and batchnorm.kk. */
final class RowCalls {
  private RowCalls() {}

  static Kernel rmsNorm(Device device, RmsNormOp op, List<Operand> in, Operand y) {
    Operand x = in.get(0);
    Operand weight = in.get(1);
    return new Call(device, "rms_norm")
        .l(() -> weight.dim(0))
        .f(op.epsilon())
        .of(x)
        .of(weight)
        .of(y)
        .groups(() -> rows(x, weight));
  }

  static Kernel rmsNormGradient(
      Device device, RmsNormGradientOp op, List<Operand> in, List<Operand> out) {
    return Call.sequence(
        normGradient(device, "rms_norm_gradient", op.epsilon(), in, out.get(0)),
        weightGradient(device, in, out.get(1)));
  }

  static Kernel layerNorm(Device device, LayerNormOp op, List<Operand> in, Operand y) {
    Operand x = in.get(0);
    return new Call(device, "layer_norm")
        .l(() -> x.dim(1))
        .f(op.epsilon())
        .of(x)
        .of(in.get(1))
        .of(in.get(2))
        .of(y)
        .groups(() -> x.dim(0));
  }

  static Kernel layerNormGradient(
      Device device, LayerNormGradientOp op, List<Operand> in, List<Operand> out) {
    return Call.sequence(
        normGradient(device, "layer_norm_gradient", op.epsilon(), in, out.get(0)),
        weightGradient(device, in, out.get(1)),
        LayoutCalls.columnSums(device, in.get(2), out.get(2)));
  }

  /** dx, and for each row what the weight's gradient needs. */
  private static Kernel normGradient(
      Device device, String kernel, double epsilon, List<Operand> in, Operand dx) {
    Operand x = in.get(0);
    Operand weight = in.get(1);
    long mostRows = weight.dim(0) == 0 ? 0 : x.maxElements() / weight.dim(0);
    return new Call(device, kernel)
        .l(() -> weight.dim(0))
        .f(epsilon)
        .of(x)
        .of(weight)
        .of(in.get(2))
        .of(dx)
        .of(device.scratch(PortableOperators.ROW_STATISTICS), 2 * Float.BYTES * mostRows)
        .groups(() -> rows(x, weight));
  }

  private static Kernel weightGradient(Device device, List<Operand> in, Operand dWeight) {
    Operand x = in.get(0);
    Operand weight = in.get(1);
    return LayoutCalls.inSlices(
        device,
        x,
        dWeight,
        () ->
            new Call(device, "norm_weight_gradient")
                .l(() -> rows(x, weight))
                .l(() -> weight.dim(0))
                .l(LayoutCalls.SLICE)
                .of(x)
                .of(in.get(2))
                .of(device.scratch(PortableOperators.ROW_STATISTICS)));
  }

  private static long rows(Operand x, Operand weight) {
    return weight.dim(0) == 0 ? 0 : x.elements() / weight.dim(0);
  }

  static Kernel softmax(Device device, Operand x, Operand y) {
    return new Call(device, "softmax").l(() -> x.dim(1)).of(x).of(y).groups(() -> x.dim(0));
  }

  static Kernel softmaxGradient(Device device, List<Operand> in, Operand dx) {
    Operand y = in.get(0);
    return new Call(device, "softmax_gradient")
        .l(() -> y.dim(1))
        .of(y)
        .of(in.get(1))
        .of(dx)
        .groups(() -> y.dim(0));
  }

  static Kernel batchNorm(
      Device device, GroupedBatchNormOp op, List<Operand> in, List<Operand> out) {
    Operand x = in.get(0);
    Operand scale = in.get(3);
    Groups groups = new Groups(device, op, x, in.get(1), in.get(2), scale);
    Device.Scratch rest = device.scratch(PortableOperators.ROW_STATISTICS);
    Kernel statistics =
        groups
            .add(
                new Call(device, "batch_statistics")
                    .l(() -> x.dim(1))
                    .f(op.epsilon())
                    .f(op.momentum())
                    .flag(op.training())
                    .of(x))
            .of(in.get(5))
            .of(in.get(6))
            .of(out.get(1))
            .of(out.get(2))
            .of(rest, Float.BYTES * out.get(1).maxElements())
            .fault()
            .groups(() -> scale.dim(0) * Math.ceilDiv(x.dim(1), LayoutCalls.COLUMNS));
    Kernel apply =
        groups
            .add(
                new Call(device, "batch_norm")
                    .l(() -> x.dim(0))
                    .l(() -> x.dim(1))
                    .i(() -> scale.dim(0))
                    .of(x))
            .of(scale)
            .of(in.get(4))
            .of(out.get(1))
            .of(out.get(2))
            .of(rest)
            .of(out.get(0))
            .fault()
            .items(x::elements);
    return Call.sequence(groups.check(), statistics, apply);
  }

  static Kernel batchNormGradient(
      Device device, GroupedBatchNormGradientOp op, List<Operand> in, List<Operand> out) {
    Operand x = in.get(0);
    Operand scale = in.get(3);
    Groups groups = new Groups(device, op, x, in.get(1), in.get(2), scale);
    Kernel sums =
        groups
            .add(new Call(device, "batch_norm_sums").l(() -> x.dim(1)).of(x))
            .of(in.get(4))
            .of(in.get(5))
            .of(in.get(6))
            .of(out.get(1))
            .of(out.get(2))
            .fault()
            .groups(() -> scale.dim(0) * Math.ceilDiv(x.dim(1), LayoutCalls.COLUMNS));
    Kernel apply =
        groups
            .add(
                new Call(device, "batch_norm_gradient")
                    .l(() -> x.dim(0))
                    .l(() -> x.dim(1))
                    .i(() -> scale.dim(0))
                    .flag(op.training())
                    .of(x))
            .of(scale)
            .of(in.get(4))
            .of(in.get(5))
            .of(in.get(6))
            .of(out.get(1))
            .of(out.get(2))
            .of(out.get(0))
            .fault()
            .items(x::elements);
    return Call.sequence(groups.check(), sums, apply);
  }
}
