package org.llm4msr.model;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A folder of small files for tests that JUnit's temporary folders do not reach. */
public final class ScratchFolder {
  private ScratchFolder() {}

  public static Path create() throws IOException {
    return Files.createTempDirectory("llm4msr-mutated");
  }

  /** Deletes the folder and the files in it. */
  public static void delete(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }
}
