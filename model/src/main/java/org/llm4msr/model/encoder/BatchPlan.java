package org.llm4msr.model.encoder;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.memory.HostBuffer;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** A forward graph ready to run on batches up to a capacity. */
final class BatchPlan implements AutoCloseable {
  private final ForwardGraph.Form form;
  private final ForwardGraph.Capacity capacity;
  private final ForwardGraph graph;
  private final HostBuffer vectors;
  private final Plan plan;

  BatchPlan(
      Backend backend,
      ModelConfig config,
      ParameterStore weights,
      ForwardGraph.Form form,
      ForwardGraph.Capacity capacity) {
    this.form = form;
    this.capacity = capacity;
    graph = new ForwardGraph(config, weights, form, capacity);
    vectors = HostBuffer.allocate(vectorBytes(config, capacity), "vectors");
    try {
      plan = new Plan(backend, graph.graph(), weights, graph.outputs());
    } catch (RuntimeException | Error e) {
      vectors.close();
      throw e;
    }
  }

  private static long vectorBytes(ModelConfig config, ForwardGraph.Capacity capacity) {
    return DType.F32.byteSize((long) capacity.prompts() * config.hiddenSize());
  }

  /** Bytes that a plan would take, without taking them. */
  static long requiredBytes(
      Backend backend,
      ModelConfig config,
      ParameterStore weights,
      ForwardGraph.Form form,
      ForwardGraph.Capacity capacity) {
    ForwardGraph graph = new ForwardGraph(config, weights, form, capacity);
    return vectorBytes(config, capacity)
        + Plan.workspaceBytes(backend, graph.graph(), graph.outputs());
  }

  /** Whether a batch fits and its prompts may share what they share. */
  boolean takes(PackedBatch batch) {
    boolean shares = form.keys() == ForwardGraph.Keys.SHARED;
    return batch.rows() <= capacity.tokens()
        && batch.prompts <= capacity.prompts()
        && batch.shared == shares
        && (!shares || batch.keyCount() <= capacity.keys());
  }

  /**
   * Runs a batch.
   *
   * @return F32 [prompts, hidden], valid until the next run
   */
  MemorySegment run(PackedBatch batch) {
    plan.setExtent(graph.tokens, batch.rows());
    plan.setExtent(graph.segments, batch.segments());
    plan.setExtent(graph.segmentBounds, batch.segments() + 1L);
    plan.setExtent(graph.prompts, batch.prompts);
    plan.setExtent(graph.promptBounds, batch.prompts + 1L);
    put(graph.tokenIds, batch.tokenIds());
    put(graph.positions, batch.positions());
    put(graph.offsets, batch.offsets());
    putAscending(graph.rowOrder, batch.rows());
    PackedBatch.KeyRows keys = batch.keyRows();
    plan.setExtent(graph.keys, keys.rows().length);
    put(graph.keyRows, keys.rows());
    put(graph.keyBegins, keys.begins());
    put(graph.keyEnds, keys.ends());
    putPooled(batch, keys);
    if (form.mean()) {
      putMeans(batch);
    }
    graph.putFrequencies(plan, batch.length(0));
    plan.run();
    plan.read(graph.vectors, vectors.segment());
    return vectors.segment();
  }

  private void putPooled(PackedBatch batch, PackedBatch.KeyRows keys) {
    int[] rows = new int[batch.prompts];
    int[] positions = new int[batch.prompts];
    int[] begins = new int[batch.prompts];
    int[] ends = new int[batch.prompts];
    for (int prompt = 0; prompt < batch.prompts; prompt++) {
      rows[prompt] = batch.lastRow(prompt);
      positions[prompt] = batch.length(prompt) - 1;
      int segment = batch.lastSegment(prompt);
      begins[prompt] = keys.begins()[segment];
      ends[prompt] = keys.ends()[segment];
    }
    put(graph.pooledRows, rows);
    put(graph.pooledPositions, positions);
    put(graph.pooledKeyBegins, begins);
    put(graph.pooledKeyEnds, ends);
    if (!form.mean()) {
      putAscending(graph.pooledOffsets, batch.prompts + 1);
    }
  }

  private void putMeans(PackedBatch batch) {
    if (!batch.shared) {
      put(graph.pooledOffsets, batch.offsets());
      return;
    }
    int[] bounds = new int[batch.prompts + 1];
    int[][] chains = new int[batch.prompts][];
    MemorySegment inverse = plan.input(graph.inverseLengths);
    for (int prompt = 0; prompt < batch.prompts; prompt++) {
      chains[prompt] = batch.chain(prompt);
      bounds[prompt + 1] = bounds[prompt] + chains[prompt].length;
      inverse.setAtIndex(ValueLayout.JAVA_FLOAT, prompt, 1f / batch.length(prompt));
    }
    int total = bounds[batch.prompts];
    int[] chain = new int[total];
    for (int prompt = 0; prompt < batch.prompts; prompt++) {
      System.arraycopy(chains[prompt], 0, chain, bounds[prompt], chains[prompt].length);
    }
    plan.setExtent(graph.chains, total);
    put(graph.chain, chain);
    putAscending(graph.chainOrder, total);
    put(graph.pooledOffsets, bounds);
  }

  private void put(Value input, int[] values) {
    if (plan.uses(input)) {
      MemorySegment.copy(values, 0, plan.input(input), ValueLayout.JAVA_INT, 0, values.length);
    }
  }

  private void putAscending(Value input, int count) {
    if (plan.uses(input)) {
      MemorySegment segment = plan.input(input);
      for (int i = 0; i < count; i++) {
        segment.setAtIndex(ValueLayout.JAVA_INT, i, i);
      }
    }
  }

  @Override
  public void close() {
    plan.close();
    vectors.close();
  }
}
