package org.llm4msr.app.encode;

import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.llm4msr.app.builtin.BuiltinEncoder;
import org.llm4msr.runtime.UserError;

/** Where a model lies that the user names. */
public final class ModelDirectory {
  /** The name of the encoder that ships with the project. */
  public static final String BUILTIN = "builtin";

  private ModelDirectory() {}

  /**
   * The folder of a model; {@link #BUILTIN} is unpacked into a temporary one, which disappears with
   * the process, and {@code err} is told what it is.
   *
   * @throws UserError if there is no room to unpack
   */
  public static Path of(String name, PrintWriter err) {
    if (!name.equals(BUILTIN)) {
      return Path.of(name);
    }
    err.println(BuiltinEncoder.NOTICE);
    err.flush();
    try {
      Path folder = Files.createTempDirectory("llm4msr-builtin");
      // Deleted in the reverse order, and also after Ctrl-C.
      folder.toFile().deleteOnExit();
      BuiltinEncoder.unpack(folder);
      for (File file : folder.toFile().listFiles()) {
        file.deleteOnExit();
      }
      return folder;
    } catch (IOException e) {
      throw new UserError("cannot unpack the built-in encoder: " + e.getMessage(), e);
    }
  }
}
