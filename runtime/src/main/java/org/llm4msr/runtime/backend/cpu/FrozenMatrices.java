package org.llm4msr.runtime.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Panels;
import org.llm4msr.bindings.cpu.StoredType;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.Frozen;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.memory.HostBuffer;

/**
 * Matrices in mapped files that do not change, packed for products when one is first bound. Their
 * pages are given back to the system after that, so that weights are not held twice; read again,
 * they come back from the file. Memory that could not be given back is left as it is.
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
    // By whether it is stored [n, k].
    private final Map<Boolean, HostBuffer> packed = new HashMap<>();
    private int promises;

    Matrix(Tensor tensor) {
      dtype = tensor.dtype();
      shape = tensor.shape();
      address = tensor.segment().address();
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
      }
      matrix = null;
    }
  }

  /** Remembers a matrix; nothing is gained for types that are widened block by block. */
  Frozen add(Tensor tensor) {
    if (tensor.shape().rank() != 2
        || tensor.byteSize() == 0
        || !packs(tensor.dtype())
        || !tensor.segment().isMapped()) {
      return () -> {};
    }
    Matrix matrix = byAddress.computeIfAbsent(tensor.segment().address(), _ -> new Matrix(tensor));
    return new Promise(matrix);
  }

  private static boolean packs(DType dtype) {
    return dtype == DType.F32 || dtype == DType.BF16 || dtype == DType.F16;
  }

  /**
   * B of a product as panels, or null if it may change.
   *
   * @param transposed whether it is stored {@code [n, k]}
   */
  MemorySegment panels(Operand b, boolean transposed) {
    Matrix matrix = byAddress.get(b.segment().address());
    if (matrix == null
        || matrix.dtype != b.dtype()
        || matrix.shape.dim(0) != b.dim(0)
        || matrix.shape.dim(1) != b.dim(1)) {
      return null;
    }
    return matrix.packed.computeIfAbsent(transposed, _ -> pack(b, transposed)).segment();
  }

  private HostBuffer pack(Operand b, boolean transposed) {
    StoredType type = MatrixBindings.storedType(b.dtype());
    long n = b.dim(transposed ? 0 : 1);
    long k = b.dim(transposed ? 1 : 0);
    HostBuffer panels = HostBuffer.allocate(Panels.bytes(n, k, type), "packed weights");
    try {
      Panels.pack(pool, transposed, n, k, b.segment(), b.dim(1), type, panels.segment());
      b.segment().unload();
      return panels;
    } catch (RuntimeException | Error e) {
      panels.close();
      throw e;
    }
  }
}
