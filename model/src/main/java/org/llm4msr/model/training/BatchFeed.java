package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.llm4msr.model.data.Batch;
import org.llm4msr.model.recommender.BatchColumns;
import org.llm4msr.model.recommender.Evidence;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.plan.Plan;

/** Copies batches into a plan's inputs, those that the plan reads. Allocates nothing per batch. */
final class BatchFeed {
  private final Plan plan;
  private final Dim rows;
  private final Dim users;
  private final Dim userOffsetsDim;
  private final List<Columns> ids;
  private final List<Columns> factors;
  private final MemorySegment labels;
  private final MemorySegment external;
  private final MemorySegment scenarioIds;
  private final MemorySegment scenarioOrder;
  private final MemorySegment scenarioOffsets;
  private final MemorySegment userRows;
  private final MemorySegment vectorRows;
  private final MemorySegment userOrder;
  private final MemorySegment userOffsets;
  private final MemorySegment evidence;
  private final MemorySegment weights;
  private final float[] weightTable;

  /** Memory of an input that is a choice of a batch's columns. */
  private record Columns(MemorySegment input, int[] columns) {}

  /**
   * @param labels the labels' input, or null where there is no loss
   */
  BatchFeed(Plan plan, ModelBuilder inputs, Value labels) {
    this(plan, inputs, labels, null, null);
  }

  /**
   * @param weights the input of the rows' weights, or null
   * @param weightTable weights by {@code 2 scenario + label}, or null
   */
  BatchFeed(Plan plan, ModelBuilder inputs, Value labels, Value weights, float[] weightTable) {
    this.weightTable = weightTable;
    this.weights = find(plan, weights);
    this.plan = plan;
    rows = inputs.rows();
    users = inputs.users();
    userOffsetsDim = inputs.byUser().offsets().type().dim(0);
    ids = columns(inputs.idColumns());
    factors = columns(inputs.factorColumns());
    this.labels = find(labels);
    MemorySegment logit = find(inputs.externalLogit());
    external = logit == null ? find(inputs.representation()) : logit;
    scenarioIds = find(inputs.scenarioIds());
    scenarioOrder = find(inputs.byScenario().order());
    scenarioOffsets = find(inputs.byScenario().offsets());
    userRows = find(inputs.userRows());
    vectorRows = find(inputs.vectorRows());
    userOrder = find(inputs.byUser().order());
    userOffsets = find(inputs.byUser().offsets());
    evidence = find(inputs.evidence());
  }

  private List<Columns> columns(List<BatchColumns> inputs) {
    return inputs.stream()
        .filter(columns -> plan.uses(columns.input()))
        .map(columns -> new Columns(plan.input(columns.input()), columns.columns()))
        .toList();
  }

  private MemorySegment find(Value input) {
    return find(plan, input);
  }

  private static MemorySegment find(Plan plan, Value input) {
    return input != null && plan.uses(input) ? plan.input(input) : null;
  }

  /** Whether {@link #load} needs evidence. */
  boolean needsEvidence() {
    return evidence != null;
  }

  /**
   * Fills the inputs and sets the extents.
   *
   * @param rowEvidence {@code [rows, Evidence.FEATURES]}, or null where it is not needed
   */
  void load(Batch batch, MemorySegment rowEvidence) {
    int size = batch.size();
    int profiles = batch.profileCount();
    plan.setExtent(rows, size);
    plan.setExtent(users, profiles);
    plan.setExtent(userOffsetsDim, profiles + 1L);
    copy(batch.ids(), batch.columns(), ids, size);
    copy(batch.factors(), batch.factorColumns(), factors, size);
    copy(batch.labels(), labels, size);
    copy(batch.external(), external, (long) size * batch.externalColumns());
    copy(batch.scenarioOrder(), scenarioOrder, size);
    copy(batch.scenarioOffsets(), scenarioOffsets, batch.scenarios() + 1L);
    copy(batch.profiles(), userRows, profiles);
    copy(batch.profileOrder(), userOrder, size);
    copy(batch.profileOffsets(), userOffsets, profiles + 1L);
    copy(rowEvidence, evidence, (long) size * Evidence.FEATURES);
    if (vectorRows != null) {
      for (int b = 0; b < size; b++) {
        int profile = batch.profileOfRow().getAtIndex(JAVA_INT, b);
        vectorRows.setAtIndex(JAVA_INT, b, batch.profiles().getAtIndex(JAVA_INT, profile));
      }
    }
    if (scenarioIds != null) {
      writeScenarioIds(batch);
    }
    if (weights != null) {
      writeWeights(batch);
    }
  }

  private void writeWeights(Batch batch) {
    for (int s = 0; s < batch.scenarios(); s++) {
      int end = batch.scenarioOffsets().getAtIndex(JAVA_INT, s + 1L);
      for (int b = batch.scenarioOffsets().getAtIndex(JAVA_INT, s); b < end; b++) {
        int label = (int) batch.labels().getAtIndex(JAVA_FLOAT, b);
        weights.setAtIndex(JAVA_FLOAT, b, weightTable[2 * s + label]);
      }
    }
  }

  /** Rows lie sorted by scenario. */
  private void writeScenarioIds(Batch batch) {
    for (int s = 0; s < batch.scenarios(); s++) {
      int end = batch.scenarioOffsets().getAtIndex(JAVA_INT, s + 1L);
      for (int b = batch.scenarioOffsets().getAtIndex(JAVA_INT, s); b < end; b++) {
        scenarioIds.setAtIndex(JAVA_INT, b, s);
      }
    }
  }

  /** Ids and factors alike have elements of four bytes. */
  private static void copy(MemorySegment from, int width, List<Columns> inputs, int size) {
    for (int i = 0; i < inputs.size(); i++) {
      MemorySegment to = inputs.get(i).input;
      int[] columns = inputs.get(i).columns;
      if (columns.length == width) {
        copy(from, to, (long) size * width);
        continue;
      }
      long at = 0;
      for (long b = 0; b < size; b++) {
        for (int column : columns) {
          to.setAtIndex(JAVA_INT, at++, from.getAtIndex(JAVA_INT, b * width + column));
        }
      }
    }
  }

  /** All inputs have elements of four bytes. */
  private static void copy(MemorySegment from, MemorySegment to, long elements) {
    if (to != null) {
      MemorySegment.copy(from, 0, to, 0, elements * Integer.BYTES);
    }
  }
}
