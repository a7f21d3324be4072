package org.llm4msr.bench.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.bench.training.TrainingStep;
import org.llm4msr.bench.training.TrainingWorkload;
import org.llm4msr.runtime.Tensor;

/** {@link TrainingStep} in PyTorch: the same weights, batches and mathematics. */
final class TorchTraining implements AutoCloseable {
  /** How the tables are trained. */
  enum Tables {
    /** {@code torch.optim.Adam(fused=True)} over all parameters, dense gradients. */
    DENSE,
    /** {@code nn.Embedding(sparse=True)} with {@code torch.optim.SparseAdam}'s formula. */
    SPARSE,
    /** As {@link #SPARSE}, with the optimiser's rows gathered and scattered directly. */
    SPARSE_ROWS
  }

  /** Which towers see which rows. */
  enum Routing {
    /** Every scenario's tower on every row, then each row's own is picked, as is customary. */
    EVERY_TOWER,
    /** Each row through its own scenario's tower only. */
    OWN_TOWER
  }

  private final NDManager manager;
  private final TorchScript script;
  private final List<NDList> batches = new ArrayList<>();
  private int steps;

  TorchTraining(
      NDManager parent,
      TrainingWorkload workload,
      TrainingStep ours,
      Tables tables,
      Routing routing) {
    manager = parent.newSubManager();
    Map<String, NDArray> weights = weights(ours, workload.knowledgeWidth() > 0);
    String source =
        new TorchTrainingSource(workload, List.copyOf(weights.keySet()), tables, routing).text();
    script = new TorchScript(manager, source, TorchTrainingSource.ATTRIBUTES);
    NDList initial = new NDList(weights.values());
    initial.forEach(array -> array.setName("initial[]"));
    script.call("load", true, initial).close();
    initial.forEach(NDArray::close);
    for (TrainingWorkload.Rows rows : ours.rows()) {
      batches.add(batch(rows));
    }
  }

  /** Our parameters under our names; what we stack by scenario becomes one tensor for each. */
  private Map<String, NDArray> weights(TrainingStep ours, boolean meta) {
    Map<String, NDArray> weights = new LinkedHashMap<>();
    ours.parameters()
        .forEach((name, tensor) -> {
          if (name.contains(".*.")) {
            long[] extents = tensor.shape().toArray();
            long[] own = Arrays.copyOfRange(extents, 1, extents.length);
            NDArray stacked = array(tensor);
            for (int s = 0; s < extents[0]; s++) {
              weights.put(
                  name.replace("*", Integer.toString(s)), stacked.get(s).reshape(own).duplicate());
            }
          } else {
            weights.put(name, array(tensor));
          }
        });
    return weights;
  }

  private NDArray array(Tensor tensor) {
    NDArray array = manager.create(new Shape(tensor.shape().toArray()), DataType.FLOAT32);
    array.set(tensor.segment().asByteBuffer().order(ByteOrder.nativeOrder()));
    return array;
  }

  private NDList batch(TrainingWorkload.Rows rows) {
    int size = rows.labels().length;
    return new NDList(
        longs(rows.ids(), new Shape(size, TrainingWorkload.fields())),
        longs(rows.scenarios(), new Shape(size)),
        longs(rows.users(), new Shape(size)),
        manager.create(FloatBuffer.wrap(rows.labels()), new Shape(size), DataType.FLOAT32));
  }

  private NDArray longs(int[] elements, Shape shape) {
    LongBuffer buffer = LongBuffer.wrap(Arrays.stream(elements).asLongStream().toArray());
    return manager.create(buffer, shape, DataType.INT64);
  }

  /** Trains on the next batch. */
  void run() {
    step().close();
  }

  /** Trains on the next batch; its loss before the step. */
  double runAndReadLoss() {
    try (NDArray loss = step()) {
      return loss.getFloat();
    }
  }

  private NDArray step() {
    return script.call("step", true, batches.get(steps++ % batches.size()));
  }

  @Override
  public void close() {
    script.close();
    manager.close();
  }
}
