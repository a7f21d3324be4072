package org.llm4msr.runtime.plan;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.KernelSequence;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.memory.HostBuffer;
import org.llm4msr.runtime.op.DeferredAdamOp;

/**
 * A graph made ready to run: which nodes in which order, each bound to its memory in one workspace.
 * Running it allocates nothing. For each run the caller fills the inputs, sets the extents of the
 * symbols and calls {@link #run()}; outputs stay readable until the next run.
 *
 * <p>Not thread-safe, like the backend it uses. Close it before the backend and the parameters.
 */
public final class Plan implements AutoCloseable {
  private static final long UNSET = -1;

  private final Backend backend;
  private final Buffer workspace;
  private final List<Buffer> constants = new ArrayList<>();
  private final Map<Value, Slot> slots = new HashMap<>();
  // What the host writes where it cannot address the device's memory: the inputs it asked for.
  private final Map<Slot, HostBuffer> staged = new LinkedHashMap<>();
  private final Map<Dim, Integer> symbols = new LinkedHashMap<>();
  private final Dim[] symbolDims;
  private final long[] symbolExtents;
  private final Kernel[] kernels;
  private final String[] kernelNames;
  private final DeferredTables deferred;
  // Null only if the plan could not be made.
  private final KernelSequence sequence;
  private long[] nanos;

  /**
   * Prepares the nodes that {@code outputs} need and all that update state.
   *
   * @param parameters holds every parameter of these nodes, with the graph's types and extents
   * @throws IllegalArgumentException if a parameter is missing or has another type or shape
   * @throws UnsupportedOperationException if the backend lacks an operator or a type
   */
  public Plan(Backend backend, Graph graph, ParameterStore parameters, List<Value> outputs) {
    this(backend, graph, parameters, outputs, false);
  }

  /**
   * A plan whose large tables may take exact Adam's steps row by row, when a run reads a row, if
   * its backend gains by that. Whoever else reads or writes such a table or its moments must call
   * {@link #settle} before. The steps of its runs must follow one another, from any number on after
   * each settling. The numbers are the same as without.
   *
   * @throws IllegalArgumentException as the constructor, likewise {@link
   *     UnsupportedOperationException}
   */
  public static Plan deferring(
      Backend backend, Graph graph, ParameterStore parameters, List<Value> outputs) {
    return new Plan(backend, graph, parameters, outputs, true);
  }

  private Plan(
      Backend backend,
      Graph graph,
      ParameterStore parameters,
      List<Value> outputs,
      boolean deferring) {
    if (!backend.computesIn(graph.computeType())) {
      throw new UnsupportedOperationException(
          "the backend '" + backend.name() + "' does not compute in " + graph.computeType());
    }
    this.backend = backend;
    List<Node> nodes = fused(backend, graph, outputs);
    for (Node node : nodes) {
      node.inputs().forEach(this::noteSymbols);
      node.outputs().forEach(this::noteSymbols);
    }
    outputs.forEach(this::noteSymbols);
    symbolDims = symbols.keySet().toArray(Dim[]::new);
    symbolExtents = new long[symbolDims.length];
    Arrays.fill(symbolExtents, UNSET);
    MemoryPlan memory = new MemoryPlan(nodes, outputs, backend.alignment());
    workspace = backend.allocate(memory.byteSize(), "workspace of a plan");
    deferred = new DeferredTables(backend, deferring ? nodes : List.of());
    try {
      List<Kernel> bound = new ArrayList<>();
      List<String> names = new ArrayList<>();
      deferred
          .catchingUp(value -> slot(value, memory, parameters))
          .forEach((name, kernel) -> {
            bound.add(kernel);
            names.add(name);
          });
      for (Node node : nodes) {
        List<Operand> inputs = new ArrayList<>();
        node.inputs().forEach(input -> inputs.add(slot(input, memory, parameters)));
        List<Operand> results = new ArrayList<>();
        node.outputs().forEach(output -> results.add(slot(output, memory, parameters)));
        if (!node.op().isView()) {
          bound.add(
              deferred.contains(node)
                  ? deferred.step(node, inputs)
                  : backend.kernel(node.op(), inputs, results));
          names.add(
              described(deferred.contains(node) ? DeferredAdamOp.NAME : node.op().name(), node));
        }
      }
      outputs.forEach(output -> slot(output, memory, parameters));
      kernels = bound.toArray(Kernel[]::new);
      sequence = backend.sequence(bound, symbolExtents);
      kernelNames = names.toArray(String[]::new);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Name and shapes, such as {@code matmul [rows, 128] [128, 64]}. */
  private static String described(String name, Node node) {
    StringBuilder text = new StringBuilder(name);
    node.inputs().forEach(input -> text.append(' ').append(input.type().dims()));
    return text.toString();
  }

  private static List<Node> needed(Graph graph, List<Value> outputs) {
    Set<Node> marked = new HashSet<>();
    outputs.stream().map(Value::producer).filter(node -> node != null).forEach(marked::add);
    List<Node> all = graph.nodes();
    for (int i = all.size() - 1; i >= 0; i--) {
      Node node = all.get(i);
      if (marked.contains(node) || node.op().hasEffect()) {
        marked.add(node);
        node.inputs().stream()
            .map(Value::producer)
            .filter(producer -> producer != null)
            .forEach(marked::add);
      }
    }
    return all.stream().filter(marked::contains).toList();
  }

  private void noteSymbols(Value value) {
    for (Dim dim : value.type().dims()) {
      if (dim.isSymbol()) {
        symbols.putIfAbsent(dim, symbols.size());
      }
    }
  }

  private Slot slot(Value value, MemoryPlan memory, ParameterStore parameters) {
    Slot known = slots.get(value);
    if (known != null) {
      return known;
    }
    Buffer buffer;
    long offset = 0;
    Value root = memory.root(value);
    switch (root.kind()) {
      case PARAMETER -> {
        Tensor tensor = parameters.get(root.name());
        checkParameter(root, tensor);
        buffer = tensor.buffer();
        offset = tensor.byteOffset();
      }
      case CONSTANT -> buffer = upload(root);
      default -> {
        if (!memory.contains(value)) {
          throw new IllegalArgumentException(value + " is not computed by this plan");
        }
        buffer = workspace;
        offset = memory.offset(value);
      }
    }
    int[] axes =
        value.type().dims().stream()
            .mapToInt(dim -> dim.isSymbol() ? symbols.get(dim) : -1)
            .toArray();
    MemorySegment segment = null;
    if (backend.sharesHostMemory()) {
      long bytes = value.type().dtype().byteSize(value.type().maxElements());
      segment = buffer.segment().asSlice(offset, bytes);
    }
    Slot slot = new Slot(value.type(), buffer, offset, segment, axes, symbolExtents);
    slots.put(value, slot);
    return slot;
  }

  private static void checkParameter(Value value, Tensor tensor) {
    long[] expected = value.type().dims().stream().mapToLong(Dim::fixed).toArray();
    if (tensor.dtype() != value.type().dtype()
        || !Arrays.equals(tensor.shape().toArray(), expected)) {
      throw new IllegalArgumentException(
          "the parameter " + value + " is stored as " + tensor.dtype() + tensor.shape());
    }
  }

  private Buffer upload(Value constant) {
    DType dtype = constant.type().dtype();
    double[] elements = constant.constant();
    Buffer buffer = backend.allocate(dtype.byteSize(elements.length), constant.name());
    constants.add(buffer);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(buffer.byteSize());
      for (int i = 0; i < elements.length; i++) {
        dtype.set(host, i, elements[i]);
      }
      backend.upload(host, buffer, 0);
    }
    return buffer;
  }

  private static List<Node> fused(Backend backend, Graph graph, List<Value> outputs) {
    return KernelFusion.fuse(backend, Fusion.fuse(needed(graph, outputs), outputs), outputs);
  }

  /** {@link #workspaceBytes()} of a plan that is not made. */
  public static long workspaceBytes(Backend backend, Graph graph, List<Value> outputs) {
    List<Node> nodes = fused(backend, graph, outputs);
    return new MemoryPlan(nodes, outputs, backend.alignment()).byteSize();
  }

  /** Bytes of the workspace, which holds inputs, results and everything between. */
  public long workspaceBytes() {
    return workspace.byteSize();
  }

  /**
   * Memory of an input, to be filled before {@link #run()}; large enough for the largest extents,
   * and the same for every call.
   *
   * @throws IllegalArgumentException if the plan does not read it
   */
  public MemorySegment input(Value value) {
    if (value.kind() != Value.Kind.INPUT) {
      throw new IllegalArgumentException(value + " is not an input");
    }
    Slot slot = find(value);
    if (backend.sharesHostMemory()) {
      return slot.segment();
    }
    // An input that the host never asks for keeps what the device has there, such as a cache.
    return staged.computeIfAbsent(slot, Plan::staging).segment();
  }

  private static HostBuffer staging(Slot slot) {
    return HostBuffer.allocate(slot.dtype().byteSize(slot.maxElements()), "an input of a plan");
  }

  /** Whether the plan reads or keeps this value. */
  public boolean uses(Value value) {
    return slots.containsKey(value);
  }

  /**
   * Sets the extent of a symbol for the following runs. A symbol that the plan does not use is
   * ignored.
   *
   * @throws IllegalArgumentException if it is negative or above the symbol's maximum
   */
  public void setExtent(Dim symbol, long extent) {
    if (extent < 0 || extent > symbol.max()) {
      throw new IllegalArgumentException("the extent " + extent + " of " + symbol);
    }
    // A plan has a handful of symbols: a scan beats a map and allocates nothing.
    for (int i = 0; i < symbolDims.length; i++) {
      if (symbolDims[i] == symbol) {
        symbolExtents[i] = extent;
        return;
      }
    }
  }

  /**
   * Runs all nodes.
   *
   * @throws IllegalStateException if the extent of a symbol was never set
   * @throws IllegalArgumentException if an index in the inputs is out of range
   */
  public void run() {
    for (int i = 0; i < symbolExtents.length; i++) {
      if (symbolExtents[i] == UNSET) {
        throw new IllegalStateException("the extent of " + symbolDims[i] + " is not set");
      }
    }
    if (!staged.isEmpty()) {
      staged.forEach(this::uploadInput);
    }
    if (!deferred.isEmpty()) {
      deferred.begin();
    }
    if (nanos != null) {
      runProfiled();
    } else {
      sequence.run();
      backend.finish();
    }
    deferred.end();
  }

  /**
   * Brings tables up to date whose rows wait to be read, see {@link #deferring}; nothing to do for
   * other plans.
   */
  public void settle() {
    deferred.settle();
  }

  private void uploadInput(Slot slot, HostBuffer staging) {
    long bytes = slot.dtype().byteSize(slot.elements());
    if (bytes > 0) {
      backend.upload(staging.segment().asSlice(0, bytes), slot.buffer(), slot.byteOffset());
    }
  }

  private void runProfiled() {
    long before = System.nanoTime();
    for (int i = 0; i < kernels.length; i++) {
      kernels[i].run();
      backend.finish();
      long after = System.nanoTime();
      nanos[i] += after - before;
      before = after;
    }
  }

  /** Measures each node from now on; see {@link #profileNanos()}. */
  public void startProfile() {
    nanos = new long[kernels.length];
  }

  /** Nanoseconds per operator and its inputs' shapes since {@link #startProfile()}. */
  public Map<String, Long> profileNanos() {
    Map<String, Long> result = new LinkedHashMap<>();
    for (int i = 0; i < kernels.length; i++) {
      result.merge(kernelNames[i], nanos[i], Long::sum);
    }
    return result;
  }

  /** A kept output or an input, as the last run left it. */
  public Operand output(Value value) {
    return find(value);
  }

  /** Copies the current elements of an output to the start of {@code host}. */
  public void read(Value value, MemorySegment host) {
    Slot slot = find(value);
    long bytes = slot.dtype().byteSize(slot.elements());
    backend.download(slot.buffer(), slot.byteOffset(), host.asSlice(0, bytes));
  }

  /** The first element of an output as a double, such as a loss. */
  public double readScalar(Value value) {
    Slot slot = find(value);
    if (backend.sharesHostMemory()) {
      return slot.dtype().get(slot.segment(), 0);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(slot.dtype().byteSize(1));
      backend.download(slot.buffer(), slot.byteOffset(), host);
      return slot.dtype().get(host, 0);
    }
  }

  private Slot find(Value value) {
    Slot slot = slots.get(value);
    if (slot == null) {
      throw new IllegalArgumentException(value + " is not part of this plan");
    }
    return slot;
  }

  @Override
  public void close() {
    if (sequence != null) {
      sequence.close();
    }
    deferred.close();
    constants.forEach(Buffer::close);
    staged.values().forEach(HostBuffer::close);
    workspace.close();
  }
}
