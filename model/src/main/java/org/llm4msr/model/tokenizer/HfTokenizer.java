package org.llm4msr.model.tokenizer;

import java.nio.file.Path;
import org.llm4msr.runtime.UserError;

/**
 * A Hugging Face {@code tokenizer.json}, run by the original library (through DJL's binding, which
 * is optional on the class path). Truncation and padding that the file may ask for are switched
 * off.
 */
public final class HfTokenizer implements Tokenizer {
  private final TokenizerFile file;
  private final DjlTokenizer tokenizer;

  private HfTokenizer(TokenizerFile file, DjlTokenizer tokenizer) {
    this.file = file;
    this.tokenizer = tokenizer;
  }

  /**
   * Opens {@code tokenizer.json} of a model directory.
   *
   * @throws UserError if it is missing or broken, or the library is not on the class path or does
   *     not run here
   */
  public static HfTokenizer open(Path directory) {
    TokenizerFile file = TokenizerFile.read(directory.resolve("tokenizer.json"));
    try {
      return new HfTokenizer(file, DjlTokenizer.create(file));
    } catch (LinkageError e) {
      // Also the class initialiser of a binding whose native library cannot be loaded.
      boolean absent =
          e instanceof NoClassDefFoundError && e.getCause() instanceof ClassNotFoundException;
      throw new UserError(
          file.path()
              + (absent
                  ? ": needs ai.djl.huggingface:tokenizers, which is not on the class path"
                  : ": the native library of ai.djl.huggingface:tokenizers does not load here: "
                      + e),
          e);
    }
  }

  @Override
  public int[] encode(String text) {
    return tokenizer.encode(text);
  }

  @Override
  public String decode(int[] tokens) {
    return tokenizer.decode(tokens);
  }

  @Override
  public int vocabularySize() {
    return file.vocabularySize();
  }

  @Override
  public String name() {
    return file.kind();
  }

  /** Frees the native tokenizer; closing twice is harmless. */
  @Override
  public void close() {
    tokenizer.close();
  }
}
