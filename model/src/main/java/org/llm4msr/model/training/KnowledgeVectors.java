package org.llm4msr.model.training;

/** A language model's vectors by prompt id. */
public interface KnowledgeVectors {
  /** Elements of each vector. */
  int width();

  /**
   * Writes the vector of {@code id} to {@code vector} {@code [width]}.
   *
   * @return false, with {@code vector} left alone, if there is none
   */
  boolean read(String id, float[] vector);
}
