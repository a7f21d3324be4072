package org.llm4msr.app.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.llm4msr.app.run.SnapshotExport;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.scorer.Snapshot;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/** Where the model to score with is. */
final class SnapshotOptions {
  @ArgGroup(multiplicity = "1")
  private Source source;

  @Option(
      names = "--knowledge",
      paramLabel = "FILE",
      description =
          "Knowledge file that 'llm4msr encode' wrote later: users in it, known to the snapshot or"
              + " not, have its vectors.")
  private Path knowledge;

  private static final class Source {
    @Option(
        names = "--snapshot",
        paramLabel = "FILE",
        description = "Snapshot that 'llm4msr export' wrote.")
    private Path snapshot;

    @Option(
        names = "--run",
        paramLabel = "RUN",
        description = "Folder that 'llm4msr train' left; exported first, to a temporary file.")
    private Path run;
  }

  /**
   * Opens the snapshot.
   *
   * @param err is told what is being done
   */
  Snapshot open(PrintWriter err) {
    if (knowledge == null) {
      return openSource(err);
    }
    try (Snapshot snapshot = openSource(err)) {
      return snapshot.withKnowledge(knowledge);
    }
  }

  private Snapshot openSource(PrintWriter err) {
    if (source.snapshot != null) {
      return Snapshot.open(source.snapshot);
    }
    Path folder = null;
    try {
      folder = Files.createTempDirectory("llm4msr");
      Path file = folder.resolve("model.snapshot");
      try {
        SnapshotExport.write(
            source.run,
            file,
            SnapshotExport.Options.defaults(),
            step -> err.println(step + " ..."));
        return Snapshot.open(file);
      } finally {
        // A mapped file needs no name.
        Files.deleteIfExists(file);
        Files.delete(folder);
      }
    } catch (IOException e) {
      throw FileErrors.writing(folder == null ? Path.of("temporary folder") : folder, e);
    }
  }
}
