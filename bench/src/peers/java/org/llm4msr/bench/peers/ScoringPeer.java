package org.llm4msr.bench.peers;

/** Another library that scores the same requests, prepared beforehand. */
interface ScoringPeer extends AutoCloseable {
  String name();

  /** Makes the inputs of one more request. */
  void prepare(int user, int[] items);

  /** Probabilities of a request. */
  float[] score(int request);

  /** The same without reading the result, for timing. */
  void run(int request);

  @Override
  void close();
}
