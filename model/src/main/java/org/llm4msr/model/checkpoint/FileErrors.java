package org.llm4msr.model.checkpoint;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.llm4msr.runtime.UserError;

/** Turns what the file system says into one line for the user. */
public final class FileErrors {
  private FileErrors() {}

  /** A file that could not be read. */
  public static UserError reading(Path file, IOException cause) {
    return new UserError(file + ": cannot read: " + reason(cause), cause);
  }

  /** A file that could not be written (a full disk, say); nothing of it remains. */
  public static UserError writing(Path file, IOException cause) {
    return new UserError(file + ": cannot write: " + reason(cause), cause);
  }

  /** A file whose content is not what it should be. */
  static UserError malformed(Path file, String problem) {
    return new UserError(file + ": " + printable(problem));
  }

  static UserError malformed(Path file, String problem, Exception cause) {
    return new UserError(file + ": " + printable(problem), cause);
  }

  /**
   * Text out of a file, made fit for a message: control characters (they could move a terminal's
   * cursor) become question marks, and what is very long is cut.
   */
  public static String printable(String text) {
    String brief = text.length() > 400 ? text.substring(0, 400) + "…" : text;
    return brief.replaceAll("\\p{Cntrl}", "?");
  }

  /**
   * @throws UserError if there is no regular file of this name
   */
  public static void requireFile(Path file) {
    if (!Files.exists(file)) {
      throw new UserError(file + ": no such file");
    }
    if (!Files.isRegularFile(file)) {
      throw new UserError(file + ": not a regular file");
    }
  }

  private static String reason(IOException cause) {
    if (cause instanceof NoSuchFileException) {
      return "no such file or folder";
    }
    if (cause instanceof FileAlreadyExistsException) {
      return "exists already, and is not what is to be written; choose another name";
    }
    if (cause instanceof CharacterCodingException) {
      return "not valid UTF-8";
    }
    if (cause instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (cause instanceof FileSystemException fileSystem && fileSystem.getReason() != null) {
      return fileSystem.getReason();
    }
    return cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
  }
}
