package org.llm4msr.bench.gpu;

/** What is measured, over and over, each time with other inputs. */
interface Workload extends AutoCloseable {
  /** What is counted, such as {@code samples}. */
  String unit();

  /** How many of them a run does. */
  double unitsPerRun();

  /** Draws the next run's inputs; not measured. */
  void prepare();

  /** Ends when the device has finished. */
  void run();

  @Override
  void close();
}
