package org.llm4msr.runtime.backend;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.op.FusedOp;
import org.llm4msr.runtime.op.Op;

/**
 * Implements the operator set on one device. A backend belongs to one thread at a time; it owns its
 * threads and scratch memory, and is closed after every plan and buffer made with it.
 */
public interface Backend extends AutoCloseable {
  /** Short name as given to {@code --device}. */
  String name();

  /** What is in use, such as the instruction set and the number of threads. */
  String description();

  /** Whether the backend computes in this type. */
  boolean computesIn(DType dtype);

  /**
   * Whether there are products of 8-bit integers, {@code Int8MatMulOp} and {@code
   * BlockInt8MatMulOp}.
   */
  default boolean hasInt8Products() {
    return false;
  }

  /**
   * Whether buffers are ordinary memory of this process, so that inputs can be written in place.
   */
  boolean sharesHostMemory();

  /** Bytes that the beginnings of values in one buffer are multiples of, at least 64. */
  default int alignment() {
    return 64;
  }

  /**
   * Waits until everything issued before has run. A backend whose kernels run behind the host
   * reports here what they met.
   *
   * @throws IllegalArgumentException if an index in the data was out of range; what was to be
   *     updated in place after that is as it was
   */
  default void finish() {}

  /** Allocates zeroed device memory; the caller owns it. */
  Buffer allocate(long byteSize, String label);

  /**
   * Makes host memory usable as a tensor's without copying where the device can (the segment must
   * then outlive the buffer), copies it otherwise.
   */
  default Buffer wrap(MemorySegment host, String label) {
    Buffer buffer = allocate(host.byteSize(), label);
    try {
      upload(host, buffer, 0);
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
    return buffer;
  }

  /** Copies host memory to {@code buffer} at {@code byteOffset}. */
  void upload(MemorySegment host, Buffer buffer, long byteOffset);

  /** Copies device memory to the host; everything issued before has finished when it returns. */
  void download(Buffer buffer, long byteOffset, MemorySegment host);

  /**
   * Promises that a matrix keeps its content until the result is closed: the backend may then keep
   * it in a form of its own in place of the tensor's pages, made when a kernel that gains from it
   * is first bound. The tensor stays readable. Close the result after the plans that use it, before
   * the buffer. What is promised twice is kept until both results are closed.
   */
  default Frozen freeze(Tensor matrix) {
    return () -> {};
  }

  /**
   * Binds one operator application to memory. Operators that update state in place (optimisers,
   * running statistics) write to their inputs.
   *
   * @throws UnsupportedOperationException if this backend lacks the operator for these types; the
   *     message says which
   */
  Kernel kernel(Op op, List<Operand> inputs, List<Operand> outputs);

  /**
   * Whether a plan is to put this operator in the place of those that it is made of. Only a backend
   * that says so is asked for its kernel.
   *
   * @param inputs their types, with the largest extents
   */
  default boolean fuses(FusedOp op, List<ValueType> inputs) {
    return false;
  }

  /**
   * Makes one thing of kernels that always run together, such as a plan's.
   *
   * @param extents of the plan's symbols in the current run, all that a kernel's launches depend
   *     on; the backend reads them at each run
   */
  default KernelSequence sequence(List<Kernel> kernels, long[] extents) {
    return KernelSequence.of(kernels);
  }

  @Override
  void close();
}
