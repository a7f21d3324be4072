package org.llm4msr.model.prompt;

import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Scenario;

/**
 * The keys by which prompts, knowledge vectors and the data set find each other. A key stands
 * beside a prompt and never in its text.
 */
public final class PromptIds {
  private static final String FOLD = "#fold";

  private PromptIds() {}

  /** {@code user/KEY}; {@code user/KEY#foldN} for a profile that leaves fold N out. */
  public static String user(Dataset dataset, Folds folds, int profile) {
    String id = "user/" + dataset.userKey(folds.user(profile));
    int fold = folds.fold(profile);
    return fold == Folds.ALL_ROWS ? id : id + FOLD + fold;
  }

  /** {@code scenario/NAME}. */
  public static String scenario(Scenario scenario) {
    return "scenario/" + scenario.name();
  }
}
