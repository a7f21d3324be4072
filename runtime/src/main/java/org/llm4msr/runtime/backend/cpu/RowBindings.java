package org.llm4msr.runtime.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Losses;
import org.llm4msr.bindings.cpu.Norms;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.BceWithLogitsGradientOp;
import org.llm4msr.runtime.op.BceWithLogitsOp;
import org.llm4msr.runtime.op.GroupedBatchNormGradientOp;
import org.llm4msr.runtime.op.GroupedBatchNormOp;
import org.llm4msr.runtime.op.LayerNormGradientOp;
import org.llm4msr.runtime.op.LayerNormOp;
import org.llm4msr.runtime.op.RmsNormGradientOp;
import org.llm4msr.runtime.op.RmsNormOp;

/** Normalisations and losses. Memory is looked up once; a run reads extents and calls. */
final class RowBindings {
  private RowBindings() {}

  static Kernel rmsNorm(CpuPool pool, RmsNormOp op, List<Operand> in, Operand out) {
    Operand x = in.get(0);
    MemorySegment xSegment = x.segment();
    MemorySegment weight = in.get(1).segment();
    MemorySegment y = out.segment();
    Operand scale = in.get(1);
    return () -> {
      long width = scale.dim(0);
      Norms.rmsNorm(pool, x.elements() / width, width, xSegment, weight, op.epsilon(), y);
    };
  }

  static Kernel rmsNormGradient(
      CpuPool pool, RmsNormGradientOp op, List<Operand> in, List<Operand> out) {
    Operand x = in.get(0);
    MemorySegment xSegment = x.segment();
    MemorySegment weight = in.get(1).segment();
    MemorySegment dy = in.get(2).segment();
    MemorySegment dx = out.get(0).segment();
    MemorySegment dweight = out.get(1).segment();
    Operand scale = in.get(1);
    return () -> {
      long width = scale.dim(0);
      long rows = x.elements() / width;
      Norms.rmsNormGradient(pool, rows, width, xSegment, weight, dy, op.epsilon(), dx, dweight);
    };
  }

  static Kernel layerNorm(CpuPool pool, LayerNormOp op, List<Operand> in, Operand out) {
    Operand x = in.get(0);
    MemorySegment xSegment = x.segment();
    MemorySegment weight = in.get(1).segment();
    MemorySegment bias = in.get(2).segment();
    MemorySegment y = out.segment();
    return () -> Norms.layerNorm(pool, x.dim(0), x.dim(1), xSegment, weight, bias, op.epsilon(), y);
  }

  static Kernel layerNormGradient(
      CpuPool pool, LayerNormGradientOp op, List<Operand> in, List<Operand> out) {
    Operand x = in.get(0);
    MemorySegment xSegment = x.segment();
    MemorySegment weight = in.get(1).segment();
    MemorySegment dy = in.get(2).segment();
    MemorySegment dx = out.get(0).segment();
    MemorySegment dweight = out.get(1).segment();
    MemorySegment dbias = out.get(2).segment();
    return () ->
        Norms.layerNormGradient(
            pool, x.dim(0), x.dim(1), xSegment, weight, dy, op.epsilon(), dx, dweight, dbias);
  }

  static Kernel batchNorm(
      CpuPool pool, GroupedBatchNormOp op, List<Operand> in, List<Operand> out) {
    Operand x = in.get(0);
    Operand offsets = in.get(2);
    Operand scale = in.get(3);
    MemorySegment xSegment = x.segment();
    MemorySegment order = in.get(1).segment();
    MemorySegment offsetsSegment = offsets.segment();
    MemorySegment scaleSegment = scale.segment();
    MemorySegment shift = in.get(4).segment();
    MemorySegment runningMean = in.get(5).segment();
    MemorySegment runningVariance = in.get(6).segment();
    MemorySegment y = out.get(0).segment();
    MemorySegment mean = out.get(1).segment();
    MemorySegment inverseStd = out.get(2).segment();
    return () -> {
      MatrixBindings.checkGroups(op, offsets, scale.dim(0));
      Norms.groupedBatchNorm(
          pool,
          x.dim(0),
          x.dim(1),
          scale.dim(0),
          xSegment,
          order,
          offsetsSegment,
          scaleSegment,
          shift,
          runningMean,
          runningVariance,
          op.epsilon(),
          op.momentum(),
          op.training(),
          y,
          mean,
          inverseStd);
    };
  }

  static Kernel batchNormGradient(
      CpuPool pool, GroupedBatchNormGradientOp op, List<Operand> in, List<Operand> out) {
    Operand x = in.get(0);
    Operand offsets = in.get(2);
    Operand scale = in.get(3);
    MemorySegment xSegment = x.segment();
    MemorySegment order = in.get(1).segment();
    MemorySegment offsetsSegment = offsets.segment();
    MemorySegment scaleSegment = scale.segment();
    MemorySegment mean = in.get(4).segment();
    MemorySegment inverseStd = in.get(5).segment();
    MemorySegment dy = in.get(6).segment();
    MemorySegment dx = out.get(0).segment();
    MemorySegment dscale = out.get(1).segment();
    MemorySegment dshift = out.get(2).segment();
    return () -> {
      MatrixBindings.checkGroups(op, offsets, scale.dim(0));
      Norms.groupedBatchNormGradient(
          pool,
          x.dim(0),
          x.dim(1),
          scale.dim(0),
          xSegment,
          order,
          offsetsSegment,
          scaleSegment,
          mean,
          inverseStd,
          dy,
          op.training(),
          dx,
          dscale,
          dshift);
    };
  }

  static Kernel softmax(CpuPool pool, Operand x, Operand out) {
    MemorySegment xSegment = x.segment();
    MemorySegment y = out.segment();
    return () -> Norms.softmax(pool, x.dim(0), x.dim(1), xSegment, y);
  }

  static Kernel softmaxGradient(CpuPool pool, List<Operand> in, Operand out) {
    Operand y = in.get(0);
    MemorySegment ySegment = y.segment();
    MemorySegment dy = in.get(1).segment();
    MemorySegment dx = out.segment();
    return () -> Norms.softmaxGradient(pool, y.dim(0), y.dim(1), ySegment, dy, dx);
  }

  static Kernel bce(CpuPool pool, BceWithLogitsOp op, List<Operand> in, Operand out) {
    Operand logits = in.get(0);
    MemorySegment logitsSegment = logits.segment();
    MemorySegment labels = in.get(1).segment();
    MemorySegment weights = op.weighted() ? in.get(2).segment() : null;
    MemorySegment loss = out.segment();
    return () -> Losses.bceWithLogits(pool, logits.dim(0), logitsSegment, labels, weights, loss);
  }

  static Kernel bceGradient(
      CpuPool pool, BceWithLogitsGradientOp op, List<Operand> in, Operand out) {
    Operand logits = in.get(0);
    MemorySegment logitsSegment = logits.segment();
    MemorySegment labels = in.get(1).segment();
    MemorySegment weights = op.weighted() ? in.get(2).segment() : null;
    MemorySegment dloss = in.get(in.size() - 1).segment();
    MemorySegment dlogits = out.segment();
    return () ->
        Losses.bceWithLogitsGradient(
            pool, logits.dim(0), logitsSegment, labels, weights, dloss, dlogits);
  }
}
