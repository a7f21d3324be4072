package org.llm4msr.app.builtin;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/**
 * The encoder that ships with the project, so that the demo needs no download. {@link
 * EncoderBuilder} made it and says what it is.
 */
public final class BuiltinEncoder {
  /** What everyone who sees its results must be told. */
  public static final String NOTICE =
      "The built-in encoder is a small llama-architecture model with random weights: its vectors"
          + " tell texts apart but hold no knowledge.";

  private static final String FOLDER = "/org/llm4msr/builtin-encoder/";
  private static final List<String> FILES =
      List.of("config.json", "tokenizer.json", "model.safetensors");

  private BuiltinEncoder() {}

  /**
   * Copies the model directory to {@code folder}, since checkpoints are memory-mapped from files.
   * Files already there are replaced.
   *
   * @return {@code folder}
   * @throws IOException if the folder cannot be written to
   */
  public static Path unpack(Path folder) throws IOException {
    Files.createDirectories(folder);
    for (String name : FILES) {
      try (InputStream in = BuiltinEncoder.class.getResourceAsStream(FOLDER + name)) {
        Files.copy(in, folder.resolve(name), StandardCopyOption.REPLACE_EXISTING);
      }
    }
    return folder;
  }
}
