package org.llm4msr.bench.gpu;

import org.llm4msr.bench.training.TrainingStep;
import org.llm4msr.bench.training.TrainingWorkload;
import org.llm4msr.runtime.backend.Backend;

/** A training step of STAR with LLM4MSR around it and LazyAdam, on six random batches in turn. */
final class StepWorkload implements Workload {
  private final TrainingStep step;
  private final int batchSize;

  /**
   * @param shape rows of a batch, width of the knowledge, rows of the largest table, such as {@code
   *     65536:896:1000000}
   */
  StepWorkload(Backend backend, String shape) {
    int[] n = GpuBenchmark.numbers(shape);
    batchSize = n[0];
    step =
        new TrainingStep(
            backend, new TrainingWorkload(TrainingWorkload.Kind.STAR, n[2], batchSize, n[1]), true);
  }

  @Override
  public String unit() {
    return "samples";
  }

  @Override
  public double unitsPerRun() {
    return batchSize;
  }

  @Override
  public void prepare() {}

  @Override
  public void run() {
    step.run();
  }

  @Override
  public void close() {
    if (!Double.isFinite(step.loss())) {
      throw new IllegalStateException("the loss is " + step.loss());
    }
    step.close();
  }
}
