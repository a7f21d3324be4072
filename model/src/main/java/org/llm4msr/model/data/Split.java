package org.llm4msr.model.data;

/** Which part of the log a row belongs to. Everything that is learned comes from TRAIN alone. */
public enum Split {
  TRAIN,
  VALID,
  TEST,
  /** Left out: training rows that were cut away, which nothing reads. */
  UNUSED
}
