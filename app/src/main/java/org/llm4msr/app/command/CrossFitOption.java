package org.llm4msr.app.command;

import java.util.List;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Whether LLM4MSR is trained beside a backbone rather than with it. */
public final class CrossFitOption {
  private static final int DEFAULT = 2;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--cross-fit",
      paramLabel = "FOLDS",
      description =
          "With knowledge: train the backbone first, and LLM4MSR beside it on what the backbone"
              + " lacks, against copies that did not see the row, one for each of so many folds of"
              + " the training rows. 0 trains both together (default: 2, and 0 where --user-mode or"
              + " --scenario-input is given).")
  private Integer folds;

  /**
   * The number of folds for each backbone but {@code external}, which is not trained here; 0 for
   * none.
   *
   * @throws ParameterException if it is impossible
   */
  int folds(List<BackboneKind> backbones, KnowledgeOptions sources, ModelOptions model) {
    if (folds == null) {
      return sources.hasKnowledge() && !model.isTogether() ? DEFAULT : 0;
    }
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
    if (model.isTogether()) {
      throw Checks.wrong(
          command,
          "--cross-fit: --user-mode and --scenario-input are of levels that are trained together"
              + " with the backbone; leave them out, or use --cross-fit 0");
    }
    if (backbones.equals(List.of(BackboneKind.EXTERNAL))) {
      throw Checks.wrong(
          command,
          "--cross-fit: the backbone external is not trained here; give it logits of the training"
              + " rows that were made without these rows' labels");
    }
    return folds;
  }
}
