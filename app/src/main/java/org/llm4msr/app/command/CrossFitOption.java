package org.llm4msr.app.command;

import java.util.List;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Whether LLM4MSR is trained beside a backbone rather than with it. */
public final class CrossFitOption {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--cross-fit",
      paramLabel = "FOLDS",
      defaultValue = "0",
      description =
          "Train the backbone first, and LLM4MSR beside it on what the backbone lacks: against"
              + " copies that did not see the row, one for each of so many folds of the training"
              + " rows (2 is a good choice). Costs FOLDS + 1 trainings of the backbone; 0 trains"
              + " both together (default: ${DEFAULT-VALUE}).")
  private int folds;

  /**
   * The number of folds, 0 for none.
   *
   * @throws ParameterException if it is impossible
   */
  int folds(List<BackboneKind> backbones, KnowledgeOptions sources) {
    if (folds == 0) {
      return 0;
    }
    if (folds < 2) {
      throw Checks.wrong(command, "--cross-fit: expected 0 or at least 2 folds, found " + folds);
    }
    if (!sources.hasKnowledge()) {
      throw Checks.wrong(
          command,
          "--cross-fit: needs --knowledge, the vectors that 'llm4msr encode' makes of the prompts");
    }
    if (backbones.contains(BackboneKind.EXTERNAL)) {
      throw Checks.wrong(
          command,
          "--cross-fit: the backbone external is not trained here; give it logits of the training"
              + " rows that were made without these rows' labels");
    }
    return folds;
  }
}
