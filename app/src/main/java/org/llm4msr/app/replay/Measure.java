package org.llm4msr.app.replay;

/** What is compared of each request: the snapshot's answer with the other's. */
public enum Measure {
  SCORE_DIFFERENCE("score", "mean score less the other's"),
  ABSOLUTE_DIFFERENCE("|score|", "mean distance of an item's scores"),
  RANK_CORRELATION("ranks", "Kendall's tau of the items' ranks"),
  TOP_SHARE("top", "share of the first items that both have there"),
  SAME_FIRST("first", "requests with the same first item"),
  AUC_DIFFERENCE("AUC", "AUC on the logged labels less the other's, by request"),
  LATENCY_DIFFERENCE("µs", "microseconds less the other's");

  private final String label;
  private final String meaning;

  Measure(String label, String meaning) {
    this.label = label;
    this.meaning = meaning;
  }

  /** A short name. */
  public String label() {
    return label;
  }

  /** What it is, in words. */
  public String meaning() {
    return meaning;
  }

  /** What it is where both answer alike. */
  public double same() {
    return switch (this) {
      case RANK_CORRELATION, TOP_SHARE, SAME_FIRST -> 1;
      default -> 0;
    };
  }
}
