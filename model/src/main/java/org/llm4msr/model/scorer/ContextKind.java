package org.llm4msr.model.scorer;

/** What a request says of one of its features. */
public enum ContextKind {
  /**
   * One value as the log has it, or by name; where training put numbers into buckets, a number or a
   * bucket by name.
   */
  CATEGORY,
  /** A number, in the unit of the log. */
  NUMBER,
  /** Values by name, in the order of the log: for a history, items by key, oldest first. */
  LIST
}
