package org.llm4msr.runtime.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Int8Blocks;
import org.llm4msr.bindings.cpu.Int8Panels;
import org.llm4msr.bindings.cpu.Panels;
import org.llm4msr.bindings.cpu.StoredType;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.Frozen;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.memory.HostBuffer;

/**
 * Matrices that do not change, packed for products when one is first bound. The pages of mapped
 * ones are given back to the system after that, so that weights are not held twice; read again,
 * they come back from the file. For products of floats memory that could not be given back is left
 * as it is.
 */
final class FrozenMatrices {
  private final CpuPool pool;
  private final Map<Long, Matrix> byAddress = new HashMap<>();

  FrozenMatrices(CpuPool pool) {
    this.pool = pool;
  }

  private static final class Matrix {
    private final DType dtype;
    private final Shape shape;
    private final long address;
    private final boolean mapped;
    // By whether it is stored [n, k].
    private final Map<Boolean, HostBuffer> packed = new HashMap<>();
    private final Map<Boolean, HostBuffer> int8 = new HashMap<>();
    private HostBuffer int8Blocks;
    private int promises;

    Matrix(Tensor tensor) {
      dtype = tensor.dtype();
      shape = tensor.shape();
      address = tensor.segment().address();
      mapped = tensor.segment().isMapped();
    }
  }

  /** Ends once, however often it is closed. */
  private final class Promise implements Frozen {
    private Matrix matrix;

    Promise(Matrix matrix) {
      this.matrix = matrix;
      matrix.promises++;
    }

    @Override
    public void close() {
      if (matrix != null && --matrix.promises == 0) {
        byAddress.remove(matrix.address);
        matrix.packed.values().forEach(HostBuffer::close);
        matrix.int8.values().forEach(HostBuffer::close);
        if (matrix.int8Blocks != null) {
          matrix.int8Blocks.close();
        }
      }
      matrix = null;
    }
  }

  /** Remembers a matrix. */
  Frozen add(Tensor tensor) {
    if (tensor.shape().rank() != 2 || tensor.byteSize() == 0 || !tensor.dtype().isFloat()) {
      return () -> {};
    }
    Matrix matrix = byAddress.computeIfAbsent(tensor.segment().address(), _ -> new Matrix(tensor));
    return new Promise(matrix);
  }

  /** Nothing is gained for types that are widened block by block. */
  private static boolean packs(DType dtype) {
    return dtype == DType.F32 || dtype == DType.BF16 || dtype == DType.F16;
  }

  /**
   * B of a product as panels, or null if it may change.
   *
   * @param transposed whether it is stored {@code [n, k]}
   */
  MemorySegment panels(Operand b, boolean transposed) {
    Matrix matrix = find(b);
    if (matrix == null || !matrix.mapped || !packs(matrix.dtype)) {
      return null;
    }
    return matrix.packed.computeIfAbsent(transposed, _ -> pack(b, transposed)).segment();
  }

  /** As {@link #panels}, in 8-bit integers. */
  MemorySegment int8Panels(Operand b, boolean transposed) {
    Matrix matrix = find(b);
    if (matrix == null) {
      return null;
    }
    return matrix.int8.computeIfAbsent(transposed, _ -> packInt8(b, transposed)).segment();
  }

  /** As {@link #panels}, in blocks as they are stored, transposed. */
  MemorySegment int8Blocks(Operand b) {
    Matrix matrix = find(b);
    if (matrix == null) {
      return null;
    }
    if (matrix.int8Blocks == null) {
      StoredType type = MatrixBindings.storedType(b.dtype());
      long n = b.dim(0);
      long k = b.dim(1);
      matrix.int8Blocks =
          packed(
              Int8Blocks.bytes(n, k, type),
              b,
              to -> Int8Blocks.pack(pool, n, k, b.segment(), k, type, to));
    }
    return matrix.int8Blocks.segment();
  }

  private Matrix find(Operand b) {
    Matrix matrix = byAddress.get(b.segment().address());
    return matrix != null
            && matrix.dtype == b.dtype()
            && matrix.shape.dim(0) == b.dim(0)
            && matrix.shape.dim(1) == b.dim(1)
        ? matrix
        : null;
  }

  private HostBuffer pack(Operand b, boolean transposed) {
    StoredType type = MatrixBindings.storedType(b.dtype());
    long n = b.dim(transposed ? 0 : 1);
    long k = b.dim(transposed ? 1 : 0);
    return packed(
        Panels.bytes(n, k, type),
        b,
        to -> Panels.pack(pool, transposed, n, k, b.segment(), b.dim(1), type, to));
  }

  private HostBuffer packInt8(Operand b, boolean transposed) {
    StoredType type = MatrixBindings.storedType(b.dtype());
    long n = b.dim(transposed ? 0 : 1);
    long k = b.dim(transposed ? 1 : 0);
    return packed(
        Int8Panels.bytes(n, k),
        b,
        to -> Int8Panels.pack(pool, transposed, n, k, b.segment(), b.dim(1), type, to));
  }

  private static HostBuffer packed(long bytes, Operand b, Consumer<MemorySegment> pack) {
    HostBuffer panels = HostBuffer.allocate(bytes, "packed weights");
    try {
      pack.accept(panels.segment());
      if (b.segment().isMapped()) {
        b.segment().unload();
      }
      return panels;
    } catch (RuntimeException | Error e) {
      panels.close();
      throw e;
    }
  }
}
