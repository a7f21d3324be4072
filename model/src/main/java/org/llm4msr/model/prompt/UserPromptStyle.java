package org.llm4msr.model.prompt;

/** How much is told about a user. */
public enum UserPromptStyle {
  /**
   * One sentence: how much she likes compared with others, and what above all. What short vectors
   * keep best: the fewer things a text says, the more of each its vector tells.
   */
  TASTE,
  /**
   * A line for each scenario with counts, categories and titles. For a large language model that
   * draws the conclusion itself.
   */
  DETAIL
}
