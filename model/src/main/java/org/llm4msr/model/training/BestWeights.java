package org.llm4msr.model.training;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.memory.HostBuffer;
import org.llm4msr.runtime.plan.ParameterStore;

/** A copy, on the host, of the weights that did best so far. */
final class BestWeights implements AutoCloseable {
  private final ParameterStore store;
  private final Map<String, HostBuffer> copies = new LinkedHashMap<>();

  /**
   * @param names parameters that training changes
   */
  BestWeights(ParameterStore store, List<String> names) {
    this.store = store;
    for (String name : names) {
      long bytes = store.get(name).byteSize();
      copies.put(name, HostBuffer.allocate(bytes, "best weights " + name));
    }
  }

  /** The copy of one parameter. */
  MemorySegment segment(String name) {
    return copies.get(name).segment();
  }

  /** Copies the store's weights. */
  void take() {
    copies.forEach((name, copy) ->
        HostAccess.read(store.backend(), store.get(name), copy.segment()::copyFrom));
  }

  /** Copies the weights back to the store. */
  void restore() {
    copies.forEach((name, copy) -> {
      Tensor tensor = store.get(name);
      store.backend().upload(copy.segment(), tensor.buffer(), tensor.byteOffset());
    });
  }

  @Override
  public void close() {
    copies.values().forEach(HostBuffer::close);
  }
}
