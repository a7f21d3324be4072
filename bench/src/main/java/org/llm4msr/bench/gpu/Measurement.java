package org.llm4msr.bench.gpu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import tools.jackson.databind.json.JsonMapper;

/**
 * One line of {@code measurements.jsonl}, which {@code torch_peer.py} writes as well.
 *
 * @param contender whose speed it is
 * @param workload kind and shape, the same words for every contender
 * @param unit of the rates, such as {@code samples/s}
 * @param median of the runs' rates
 * @param least of them
 * @param most of them
 * @param runs how many were measured
 */
record Measurement(
    String contender,
    String workload,
    String unit,
    double median,
    double least,
    double most,
    int runs) {
  /** The first run compiles, the second is captured as a graph. */
  private static final int WARM_UP = 4;

  private static final int FEWEST = 5;
  private static final int MOST = 1000;

  /**
   * Measures each run by itself.
   *
   * @param seconds of wall-clock time after which no further run begins; five there are at least
   */
  static Measurement take(String contender, String name, Workload workload, double seconds) {
    for (int i = 0; i < WARM_UP; i++) {
      workload.prepare();
      workload.run();
    }
    double[] rates = new double[MOST];
    int runs = 0;
    long begin = System.nanoTime();
    while (runs < FEWEST || runs < MOST && (System.nanoTime() - begin) / 1e9 < seconds) {
      workload.prepare();
      long start = System.nanoTime();
      workload.run();
      rates[runs++] = workload.unitsPerRun() / ((System.nanoTime() - start) / 1e9);
    }
    Arrays.sort(rates, 0, runs);
    double median = (rates[(runs - 1) / 2] + rates[runs / 2]) / 2;
    return new Measurement(
        contender, name, workload.unit() + "/s", median, rates[0], rates[runs - 1], runs);
  }

  /** Appends it as one line of JSON. */
  void appendTo(Path file) {
    try {
      Files.writeString(
          file,
          JsonMapper.shared().writeValueAsString(this) + "\n",
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
