package org.llm4msr.model.training;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.Backend;

/** A backend's tensors as host memory: in place where it can be addressed, else as a copy. */
final class HostAccess {
  private HostAccess() {}

  /** Lets {@code writer} fill the tensor; its memory is zeroed or as the tensor was. */
  static void write(Backend backend, Tensor tensor, Consumer<MemorySegment> writer) {
    if (backend.sharesHostMemory()) {
      writer.accept(tensor.segment());
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(tensor.byteSize());
      writer.accept(host);
      backend.upload(host, tensor.buffer(), tensor.byteOffset());
    }
  }

  /** Lets {@code reader} see the tensor's bytes. */
  static void read(Backend backend, Tensor tensor, Consumer<MemorySegment> reader) {
    if (backend.sharesHostMemory()) {
      reader.accept(tensor.segment());
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(tensor.byteSize());
      backend.download(tensor.buffer(), tensor.byteOffset(), host);
      reader.accept(host);
    }
  }
}
