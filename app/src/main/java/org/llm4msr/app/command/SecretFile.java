package org.llm4msr.app.command;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.runtime.UserError;

/** Secrets come in files: the arguments of a process are for everybody to see. */
final class SecretFile {
  private static final int MOST_BYTES = 4096;

  private SecretFile() {}

  /**
   * The text of a file without the spaces around it.
   *
   * @param what it is, for messages
   * @throws UserError if it cannot be read or is too long
   */
  static String read(Path file, String what) {
    FileErrors.requireFile(file);
    try {
      if (Files.size(file) > MOST_BYTES) {
        throw new UserError(file + ": expected a " + what + " of at most " + MOST_BYTES + " bytes");
      }
      return Files.readString(file).strip();
    } catch (CharacterCodingException e) {
      throw new UserError(file + ": the " + what + " is not valid UTF-8", e);
    } catch (IOException e) {
      throw FileErrors.reading(file, e);
    }
  }
}
