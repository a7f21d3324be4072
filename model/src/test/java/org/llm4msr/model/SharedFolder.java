package org.llm4msr.model;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/**
 * Real data, weights and tokenizers that may not be copied into the project. They lie in a folder
 * {@code shared} beside the repository, or where the property or environment variable {@code
 * LLM4MSR_SHARED} says.
 */
public final class SharedFolder {
  private static final Path ROOT = find();

  private SharedFolder() {}

  /** A file or folder inside; skips the calling test, visibly, if it is absent. */
  public static Path require(String relative) {
    Path path = ROOT == null ? null : ROOT.resolve(relative);
    boolean present = path != null && Files.exists(path);
    if (!present) {
      System.out.println("[skipped] needs ../shared/" + relative + ", which is not here");
    }
    Assumptions.assumeTrue(present, "needs ../shared/" + relative);
    return path;
  }

  private static Path find() {
    String named = System.getProperty("LLM4MSR_SHARED", System.getenv("LLM4MSR_SHARED"));
    if (named != null) {
      return Path.of(named);
    }
    for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
      Path shared = folder.resolve("shared");
      if (Files.isDirectory(shared.resolve("golden"))) {
        return shared;
      }
    }
    return null;
  }
}
