package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.llm4msr.model.data.Batch;
import org.llm4msr.model.data.Batcher;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.memory.HostBuffer;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** Predicts with a model whose parameters lie in a store; sees their current values. */
public final class Evaluator implements AutoCloseable {
  private final Dataset dataset;
  private final Folds folds;
  private final EvidenceCounts evidence;
  private final int batchSize;
  private final RecommenderModel model;
  private final Plan plan;
  private final BatchFeed feed;
  private final HostBuffer logits;

  /**
   * @param model built for evaluation
   * @param evidence null where the model does not ask for it
   */
  public Evaluator(
      ParameterStore store,
      RecommenderModel model,
      Dataset dataset,
      Folds folds,
      EvidenceCounts evidence) {
    this(store, model, dataset, folds, evidence, List.of());
  }

  /**
   * @param others values to compute beside the logits, see {@link #read}
   */
  Evaluator(
      ParameterStore store,
      RecommenderModel model,
      Dataset dataset,
      Folds folds,
      EvidenceCounts evidence,
      List<Value> others) {
    this.dataset = dataset;
    this.folds = folds;
    this.evidence = evidence;
    this.model = model;
    batchSize = model.inputs().schema().maxBatch();
    List<Value> outputs = new ArrayList<>(others);
    outputs.add(model.logits());
    plan = new Plan(store.backend(), model.graph(), store, outputs);
    feed = new BatchFeed(plan, model.inputs(), null);
    logits = HostBuffer.allocate(JAVA_FLOAT.byteSize() * batchSize, "logits of a batch");
  }

  /** Probabilities of all rows of a part, in the order of the data set. */
  public Predictions predict(Split part) {
    return predict(dataset.rowsOf(part));
  }

  /**
   * Probabilities of rows.
   *
   * @param rows ascending
   */
  public Predictions predict(int[] rows) {
    return new Predictions(dataset, rows, predict(rows, batch -> {}, batch -> {}));
  }

  /**
   * Probabilities of rows.
   *
   * @param rows ascending
   * @param change made to each batch before the model sees it
   * @param seen is told of each batch after the model has seen it
   */
  double[] predict(int[] rows, Consumer<Batch> change, Consumer<Batch> seen) {
    double[] probabilities = new double[rows.length];
    Batcher batcher = Batcher.inOrder(dataset, rows, batchSize, folds);
    EvidenceCounts wanted = feed.needsEvidence() ? evidence : null;
    try (BatchPipeline batches = new BatchPipeline(batcher, wanted, dataset, batchSize)) {
      for (BatchPipeline.Slot slot = batches.take(); !slot.isEndOfEpoch(); slot = batches.take()) {
        Batch batch = slot.batch();
        change.accept(batch);
        feed.load(batch, slot.evidence());
        plan.run();
        plan.read(model.logits(), logits.segment());
        collect(batch, logits.segment(), rows, probabilities);
        seen.accept(batch);
        batches.release(slot);
      }
    }
    return probabilities;
  }

  /** Whether predictions depend on an input. */
  boolean uses(Value input) {
    return plan.uses(input);
  }

  /** Copies another value of the last batch, float32. */
  void read(Value value, MemorySegment host) {
    plan.read(value, host);
  }

  private static void collect(
      Batch batch, MemorySegment logits, int[] rows, double[] probabilities) {
    for (int b = 0; b < batch.size(); b++) {
      int at = Arrays.binarySearch(rows, batch.rows().getAtIndex(JAVA_INT, b));
      probabilities[at] = 1 / (1 + StrictMath.exp(-logits.getAtIndex(JAVA_FLOAT, b)));
    }
  }

  @Override
  public void close() {
    logits.close();
    plan.close();
  }
}
