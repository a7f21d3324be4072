package org.llm4msr.runtime.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.llm4msr.bindings.cpu.Activation;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.DeferredAdam;
import org.llm4msr.bindings.cpu.Gathered;
import org.llm4msr.bindings.cpu.Optimisers;
import org.llm4msr.bindings.cpu.StoredType;
import org.llm4msr.bindings.cpu.Tables;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.AdamCatchUpOp;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;

/** Tables and what updates them. Memory is looked up once; a run reads extents and calls. */
final class TableBindings {
  private TableBindings() {}

  static long fieldBytes(int fields) {
    return fields * Tables.FIELD_BYTES;
  }

  static Kernel gather(CpuPool pool, List<Operand> in, Operand out) {
    Operand table = in.get(0);
    Operand ids = in.get(1);
    MemorySegment tableSegment = table.segment();
    MemorySegment idsSegment = ids.segment();
    MemorySegment y = out.segment();
    StoredType type = MatrixBindings.storedType(table.dtype());
    return () ->
        Tables.gather(
            pool, table.dim(0), table.dim(1), tableSegment, type, ids.dim(0), idsSegment, y);
  }

  static Kernel gatheredMatmul(CpuPool pool, MatMulOp op, List<Operand> in, Operand out) {
    Operand table = in.get(0);
    Operand ids = in.get(1);
    MemorySegment tableSegment = table.segment();
    MemorySegment idsSegment = ids.segment();
    MemorySegment b = in.get(2).segment();
    MemorySegment bias = op.hasBias() ? in.get(3).segment() : null;
    MemorySegment c = out.segment();
    Activation activation = MatrixBindings.activation(op.activation());
    return () ->
        Gathered.matmul(
            pool,
            ids.dim(0),
            out.dim(1),
            table.dim(1),
            table.dim(0),
            tableSegment,
            idsSegment,
            op.transposeB(),
            b,
            bias,
            activation,
            c);
  }

  static Kernel gatheredWeightGradient(
      CpuPool pool, BlockWeightGradientOp op, List<Operand> in, List<Operand> out) {
    Operand table = in.get(0);
    Operand ids = in.get(1);
    Operand dy = in.get(2);
    MemorySegment tableSegment = table.segment();
    MemorySegment idsSegment = ids.segment();
    MemorySegment dySegment = dy.segment();
    MemorySegment dw = out.get(0).segment();
    MemorySegment db = op.withBias() ? out.get(1).segment() : null;
    return () ->
        Gathered.weightGradient(
            pool,
            ids.dim(0),
            dy.dim(1),
            table.dim(1),
            table.dim(0),
            tableSegment,
            idsSegment,
            dySegment,
            op.transposeW(),
            dw,
            db);
  }

  static Kernel scatterRows(CpuPool pool, List<Operand> in) {
    Operand table = in.get(0);
    Operand ids = in.get(1);
    MemorySegment tableSegment = table.segment();
    MemorySegment idsSegment = ids.segment();
    MemorySegment rows = in.get(2).segment();
    return () ->
        Tables.scatterRows(
            pool, table.dim(0), table.dim(1), tableSegment, ids.dim(0), idsSegment, rows);
  }

  /**
   * @param fields room for {@link #fieldBytes} of the tables
   */
  static Kernel embeddingConcat(CpuPool pool, List<Operand> in, Operand out, MemorySegment fields) {
    Operand ids = in.get(0);
    Operand[] tables = in.subList(1, in.size()).toArray(Operand[]::new);
    MemorySegment[] segments = new MemorySegment[tables.length];
    for (int field = 0; field < tables.length; field++) {
      segments[field] = tables[field].segment();
    }
    MemorySegment idsSegment = ids.segment();
    MemorySegment y = out.segment();
    return () -> {
      long column = 0;
      for (int field = 0; field < tables.length; field++) {
        long width = tables[field].dim(1);
        Tables.describeField(fields, field, segments[field], tables[field].dim(0), width, column);
        column += width;
      }
      Tables.embeddingConcat(pool, fields, segments, ids.dim(0), idsSegment, y, column);
    };
  }

  static Kernel sparseRowGradient(
      CpuPool pool, SparseRowGradientOp op, List<Operand> in, List<Operand> out) {
    Operand ids = in.get(0);
    Operand dy = in.get(1);
    MemorySegment rows = out.get(0).segment();
    MemorySegment count = out.get(1).segment();
    MemorySegment values = out.get(2).segment();
    if (op.allColumns()) {
      MemorySegment all = ids.segment();
      MemorySegment gradient = dy.segment();
      return () ->
          Tables.sparseRowGradient(
              pool,
              ids.elements(),
              all,
              1,
              op.vocabulary(),
              gradient,
              op.width(),
              op.width(),
              rows,
              count,
              values);
    }
    MemorySegment column = ids.segment().asSlice((long) op.column() * Integer.BYTES);
    MemorySegment slice = dy.segment().asSlice(op.offset() * Float.BYTES);
    return () ->
        Tables.sparseRowGradient(
            pool,
            ids.dim(0),
            column,
            ids.rank() == 1 ? 1 : ids.dim(1),
            op.vocabulary(),
            slice,
            dy.dim(1),
            op.width(),
            rows,
            count,
            values);
  }

  static Kernel sparseToDense(CpuPool pool, List<Operand> in, Operand out) {
    Operand rows = in.get(0);
    MemorySegment rowsSegment = rows.segment();
    MemorySegment count = in.get(1).segment();
    MemorySegment values = in.get(2).segment();
    MemorySegment y = out.segment();
    return () ->
        Tables.sparseToDense(
            pool, rows.dim(0), rowsSegment, count, values, out.dim(0), out.dim(1), y);
  }

  static Kernel adam(CpuPool pool, AdamOp op, List<Operand> in) {
    Operand p = in.get(0);
    MemorySegment pSegment = p.segment();
    MemorySegment m = in.get(1).segment();
    MemorySegment v = in.get(2).segment();
    MemorySegment g = in.get(3).segment();
    MemorySegment state = in.get(4).segment();
    return () ->
        Optimisers.adam(
            pool,
            p.elements(),
            pSegment,
            m,
            v,
            g,
            state,
            op.beta1(),
            op.beta2(),
            op.epsilon(),
            op.weightDecay());
  }

  static Kernel sparseAdam(CpuPool pool, SparseAdamOp op, List<Operand> in) {
    Operand p = in.get(0);
    Operand rows = in.get(3);
    MemorySegment pSegment = p.segment();
    MemorySegment m = in.get(1).segment();
    MemorySegment v = in.get(2).segment();
    MemorySegment rowsSegment = rows.segment();
    MemorySegment count = in.get(4).segment();
    MemorySegment values = in.get(5).segment();
    MemorySegment state = in.get(6).segment();
    return () ->
        Optimisers.sparseAdam(
            pool,
            p.dim(0),
            p.dim(1),
            pSegment,
            m,
            v,
            rows.dim(0),
            rowsSegment,
            count,
            values,
            state,
            op.beta1(),
            op.beta2(),
            op.epsilon(),
            op.weightDecay(),
            op.lazy());
  }

  static Kernel deferredAdam(CpuPool pool, DeferredAdamOp op, List<Operand> in) {
    DeferredAdam.Table table = deferredTable(in);
    DeferredAdam.Factors factors = factors(op.adam());
    Operand rows = in.get(5);
    MemorySegment rowsSegment = rows.segment();
    MemorySegment count = in.get(6).segment();
    MemorySegment values = in.get(7).segment();
    MemorySegment state = in.get(8).segment();
    return () ->
        DeferredAdam.step(pool, table, rows.dim(0), rowsSegment, count, values, state, factors);
  }

  static Kernel adamCatchUp(CpuPool pool, AdamCatchUpOp op, List<Operand> in) {
    DeferredAdam.Table table = deferredTable(in);
    DeferredAdam.Factors factors = factors(op.adam());
    MemorySegment state = in.getLast().segment();
    if (in.size() == 6) {
      return () -> DeferredAdam.catchUp(pool, table, 0, null, 1, state, factors);
    }
    Operand ids = in.get(5);
    if (op.allColumns()) {
      MemorySegment all = ids.segment();
      return () -> DeferredAdam.catchUp(pool, table, ids.elements(), all, 1, state, factors);
    }
    MemorySegment column = ids.segment().asSlice((long) op.column() * Integer.BYTES);
    return () ->
        DeferredAdam.catchUp(
            pool, table, ids.dim(0), column, ids.rank() == 1 ? 1 : ids.dim(1), state, factors);
  }

  private static DeferredAdam.Table deferredTable(List<Operand> in) {
    Operand p = in.get(0);
    return new DeferredAdam.Table(
        p.dim(0),
        p.dim(1),
        p.segment(),
        in.get(1).segment(),
        in.get(2).segment(),
        in.get(3).segment(),
        in.get(4).dim(0),
        in.get(4).segment());
  }

  private static DeferredAdam.Factors factors(SparseAdamOp op) {
    return new DeferredAdam.Factors(op.beta1(), op.beta2(), op.epsilon(), op.weightDecay());
  }
}
