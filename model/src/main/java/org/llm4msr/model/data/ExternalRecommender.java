package org.llm4msr.model.data;

/**
 * A recommender that exists already and joins with what it says of each row, asked batch by batch
 * where its answers are in no column of the log. A data set takes it from {@link
 * DatasetBuilder#external}; the backbone {@code external} reads it.
 *
 * <p>It must say the same of a row whenever it is asked: training asks for every row once in each
 * epoch, and a resumed training once more. Calls come from threads that prepare batches while the
 * ones before are computed, one call at a time; training is as fast as they are.
 */
@FunctionalInterface
public interface ExternalRecommender {
  /**
   * Width of the representation that it gives for each row, the same always; 0, the default, if it
   * gives a logit. Numbers of a representation should lie around 0 with a deviation around 1.
   */
  default int representationWidth() {
    return 0;
  }

  /**
   * Says something of each row of a batch.
   *
   * @param batch valid during the call
   * @param out to be filled: a logit log(p / (1 - p)) for each row, {@code [rows]}, or a
   *     representation, {@code [rows, width]} row after row; all of them finite. It holds NaNs
   *     before, and nothing reads it after the call
   * @throws Exception which ends training or evaluation with a message that names the batch
   */
  void score(ExternalBatch batch, float[] out) throws Exception;
}
