package org.llm4msr.app.command;

import java.nio.file.Path;
import org.llm4msr.app.run.TrainingInputs;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What a model is trained on. */
public final class KnowledgeOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "D.yaml",
      description = "Description of the data set.")
  private Path data;

  @Option(
      names = "--knowledge",
      paramLabel = "K.safetensors",
      description = "The language model's vectors, from 'llm4msr encode'.")
  private Path knowledge;

  @Option(
      names = "--folds",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "The --folds that 'llm4msr prompts' was given: a training row then uses the vector whose"
              + " prompt left the row's fold out (default: ${DEFAULT-VALUE}).")
  private int folds;

  boolean hasKnowledge() {
    return knowledge != null;
  }

  /** Reads everything; the caller closes it. */
  TrainingInputs load() {
    if (folds < 0 || folds == 1) {
      throw new ParameterException(
          command.commandLine(), "--folds: expected 0 or at least 2, found " + folds);
    }
    return TrainingInputs.load(data, knowledge, folds);
  }
}
