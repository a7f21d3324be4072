package org.llm4msr.runtime.plan;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Frozen;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.memory.Buffer;

/**
 * What outlives a run: weights, embedding tables, optimiser state, by name, on one backend. Several
 * plans (training, evaluation) may share a store. It owns the memory.
 */
public final class ParameterStore implements AutoCloseable {
  private final Backend backend;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final List<Frozen> frozen = new ArrayList<>();

  public ParameterStore(Backend backend) {
    this.backend = backend;
  }

  public Backend backend() {
    return backend;
  }

  /**
   * Allocates zeros.
   *
   * @throws IllegalArgumentException if the name is taken
   */
  public Tensor create(String name, DType dtype, Shape shape) {
    return adopt(name, dtype, shape, backend.allocate(dtype.byteSize(shape.elements()), name));
  }

  /** Allocates zeros for a parameter of a graph. */
  public Tensor create(Value parameter) {
    long[] extents = parameter.type().dims().stream().mapToLong(Dim::fixed).toArray();
    return create(parameter.name(), parameter.type().dtype(), Shape.of(extents));
  }

  /**
   * Adds a tensor that fills {@code buffer} from its beginning; the store owns the buffer from now
   * on, also when this method fails.
   *
   * @throws IllegalArgumentException if the name is taken or the buffer is too small
   */
  public Tensor adopt(String name, DType dtype, Shape shape, Buffer buffer) {
    try {
      if (tensors.containsKey(name)) {
        throw new IllegalArgumentException("there is a parameter '" + name + "' already");
      }
      Tensor tensor = Tensor.of(dtype, shape, buffer);
      tensors.put(name, tensor);
      return tensor;
    } catch (RuntimeException e) {
      buffer.close();
      throw e;
    }
  }

  /**
   * Promises that a matrix keeps its content as long as the store is open, see {@link
   * Backend#freeze}.
   *
   * @throws IllegalArgumentException if there is none of this name
   */
  public void freeze(String name) {
    frozen.add(backend.freeze(get(name)));
  }

  public boolean contains(String name) {
    return tensors.containsKey(name);
  }

  /**
   * @throws IllegalArgumentException if there is none
   */
  public Tensor get(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("there is no parameter '" + name + "'");
    }
    return tensor;
  }

  /** All names, in the order of creation. */
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
  }

  /** Bytes of all tensors. */
  public long byteSize() {
    return tensors.values().stream().mapToLong(Tensor::byteSize).sum();
  }

  @Override
  public void close() {
    frozen.forEach(Frozen::close);
    frozen.clear();
    tensors.values().forEach(tensor -> tensor.buffer().close());
    tensors.clear();
  }
}
