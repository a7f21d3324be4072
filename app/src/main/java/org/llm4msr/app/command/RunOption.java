package org.llm4msr.app.command;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The finished run that a command reads. */
final class RunOption {
  @Option(
      names = "--run",
      required = true,
      paramLabel = "RUN",
      description = "Folder that 'llm4msr train' left.")
  private Path folder;

  Path folder() {
    return folder;
  }
}
