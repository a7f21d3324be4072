package org.llm4msr.runtime.backend.portable;

import java.util.List;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.Op;

/** What a backend brings so that {@link PortableOperators} can bind operators on it. */
public interface Device {
  /** Work items in a group, but for kernels that say otherwise; GROUP in kk.h. */
  int GROUP = 64;

  /** One argument of a kernel. Those that vary are asked for at every launch. */
  sealed interface Argument {
    /** A region of device memory, from an address that the device gave out. */
    record Region(long address, long byteSize) implements Argument {}

    /** Memory that kernels share, one after the other. */
    record Shared(Scratch scratch) implements Argument {}

    /** A 32-bit number. */
    record Int(LongSupplier value) implements Argument {}

    /** A 64-bit number. */
    record Long(LongSupplier value) implements Argument {}

    /** A single-precision number. */
    record Float(float value) implements Argument {}
  }

  /** Memory that grows while kernels are bound; its content lasts to the end of an operator. */
  interface Scratch {
    /** Makes it at least this large. */
    void require(long byteSize);
  }

  /**
   * Binds a kernel.
   *
   * @param groupSize work items in a group
   * @param groups how many groups a launch has; none if 0
   * @throws IllegalArgumentException if there is no such kernel, or a region is not within one
   *     buffer of the device
   */
  Kernel bind(String kernel, int groupSize, List<Argument> arguments, LongSupplier groups);

  /** The scratch memory of this number; operators use a few, counted from 0. */
  Scratch scratch(int number);

  /** Where kernels note that an index was out of range, four 32-bit numbers. */
  Argument fault();

  /**
   * Registers what a kernel may find wrong.
   *
   * @return the first of two numbers, not 0, by which kernels report it; the second for what comes
   *     along with it, such as the bounds beside an order
   */
  int faults(String operator, String first, String second);

  /**
   * Binds a kernel of the device's own to an operator. What serves attention as an index has been
   * checked by kernels before it; after a fault it must follow none.
   *
   * @return null where the portable kernel is to be used, or where there is none
   */
  default Kernel own(Op op, List<Operand> in, List<Operand> out) {
    return null;
  }

  /** Whether products go through registers rather than local memory; see matmul_cpu.cl. */
  boolean isCpu();
}
