package org.llm4msr.runtime.backend.portable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.KernelSequence;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.backend.portable.Device.Argument;

/** Collects the arguments of one kernel, in their order, and binds it. */
final class Call {
  private final Device device;
  private final String kernel;
  private final List<Argument> arguments = new ArrayList<>();

  Call(Device device, String kernel) {
    this.device = device;
    this.kernel = kernel;
  }

  /** An operand's memory for the largest extents. */
  Call of(Operand operand) {
    long bytes = operand.dtype().byteSize(operand.maxElements());
    return add(new Argument.Region(operand.address(), bytes));
  }

  /** An operand's memory, or no memory for null. */
  Call ofOrNothing(Operand operand) {
    return operand == null ? nothing() : of(operand);
  }

  /** Scratch memory of at least {@code byteSize} bytes. */
  Call of(Device.Scratch scratch, long byteSize) {
    scratch.require(byteSize);
    return of(scratch);
  }

  Call of(Device.Scratch scratch) {
    return add(new Argument.Shared(scratch));
  }

  /** Where kernels report what is wrong with the data. */
  Call fault() {
    return add(device.fault());
  }

  /** In place of memory that the kernel does not touch, given the other arguments. */
  Call nothing() {
    return add(device.fault());
  }

  /** An int. */
  Call i(long value) {
    Math.toIntExact(value);
    return i(() -> value);
  }

  /** An int that may change from run to run. */
  Call i(LongSupplier value) {
    return add(new Argument.Int(value));
  }

  Call flag(boolean value) {
    return i(value ? 1 : 0);
  }

  /** A 64-bit number. */
  Call l(long value) {
    return l(() -> value);
  }

  /** A 64-bit number that may change from run to run. */
  Call l(LongSupplier value) {
    return add(new Argument.Long(value));
  }

  Call f(double value) {
    return add(new Argument.Float((float) value));
  }

  private Call add(Argument argument) {
    arguments.add(argument);
    return this;
  }

  /** Binds the kernel with one work item for each of so many items. */
  Kernel items(LongSupplier items) {
    return bind(Device.GROUP, () -> Math.ceilDiv(items.getAsLong(), Device.GROUP));
  }

  /** Binds the kernel with so many groups of work items. */
  Kernel groups(LongSupplier groups) {
    return bind(Device.GROUP, groups);
  }

  Kernel bind(int groupSize, LongSupplier groups) {
    return device.bind(kernel, groupSize, List.copyOf(arguments), groups);
  }

  /** Kernels one after the other. */
  static Kernel sequence(List<Kernel> kernels) {
    if (kernels.size() == 1) {
      return kernels.getFirst();
    }
    return KernelSequence.of(kernels)::run;
  }

  static Kernel sequence(Kernel... kernels) {
    return sequence(List.of(kernels));
  }
}
