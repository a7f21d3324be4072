package org.llm4msr.app.command;

import java.nio.file.Path;
import org.llm4msr.app.run.TrainingInputs;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What a model is trained on. */
public final class KnowledgeOptions {
  @Option(
      names = "--data",
      required = true,
      paramLabel = "D.yaml",
      description = "Description of the data set.")
  private Path data;

  @Option(
      names = "--knowledge",
      paramLabel = "K.safetensors",
      description =
          "The language model's vectors, from 'llm4msr encode'. With out-of-fold vectors in it, as"
              + " 'llm4msr prompts' asks for, a training row uses the one that did not see it.")
  private Path knowledge;

  @Mixin private CutOption cut;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  boolean hasKnowledge() {
    return knowledge != null;
  }

  /** Reads everything and warns of what is doubtful about it; the caller closes it. */
  TrainingInputs load() {
    return TrainingInputs.load(
        data, knowledge, cut.shares(), command.commandLine().getErr()::println);
  }
}
