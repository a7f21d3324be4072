package org.llm4msr.model.tokenizer;

import java.util.function.Supplier;
import org.llm4msr.runtime.UserError;

/** Loads what stands on a library that may be absent. */
final class OptionalLibrary {
  private OptionalLibrary() {}

  /**
   * @param where begins the message of an error
   * @throws UserError if the library is not on the class path or does not run here
   */
  static <T> T load(String where, String library, Supplier<T> supplier) {
    try {
      return supplier.get();
    } catch (LinkageError e) {
      // Also the class initialiser of a binding whose native library cannot be loaded.
      boolean absent =
          e instanceof NoClassDefFoundError && e.getCause() instanceof ClassNotFoundException;
      throw new UserError(
          where
              + (absent
                  ? ": needs " + library + ", which is not on the class path"
                  : ": the native library of " + library + " does not load here: " + e),
          e);
    }
  }
}
