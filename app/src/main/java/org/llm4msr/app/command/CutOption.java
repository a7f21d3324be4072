package org.llm4msr.app.command;

import java.util.Map;
import java.util.TreeMap;
import picocli.CommandLine.Option;

/** Measures what would be if a scenario had fewer rows. */
public final class CutOption {
  @Option(
      names = "--cut",
      paramLabel = "SCENARIO=SHARE",
      description =
          "Keep only this share of a scenario's training rows, such as store=0.05: the same rows for"
              + " every seed, chosen by a hash. Give 'prompts' the same option: vectors that hold what"
              + " was cut away are refused.")
  private Map<String, Double> shares = Map.of();

  /** Shares to keep by scenario, in the order of names. */
  Map<String, Double> shares() {
    return new TreeMap<>(shares);
  }
}
