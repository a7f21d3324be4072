package org.llm4msr.model.tokenizer;

import java.nio.file.Path;
import java.util.OptionalInt;
import org.llm4msr.runtime.UserError;

/**
 * A Hugging Face {@code tokenizer.json}, run by the original library (through DJL's binding, which
 * is optional on the class path). Truncation and padding that the file may ask for are switched
 * off.
 */
public final class HfTokenizer implements Tokenizer {
  private static final int[] NONE = {};

  private final TokenizerFile file;
  private final DjlTokenizer tokenizer;
  // What stands around a text in place of what the file's post-processor adds, or null.
  private int[] prefix;
  private int[] suffix;

  private HfTokenizer(TokenizerFile file, DjlTokenizer tokenizer) {
    this.file = file;
    this.tokenizer = tokenizer;
  }

  /**
   * Opens {@code tokenizer.json} of a model directory. The file itself says which special tokens
   * stand around a text, unless {@code tokenizer_config.json} overrules it.
   *
   * @throws UserError if it is missing or broken, or the library is not on the class path or does
   *     not run here
   */
  public static HfTokenizer open(Path directory) {
    TokenizerConfig config = TokenizerConfig.read(directory);
    HfTokenizer tokenizer = open(TokenizerFile.read(directory.resolve("tokenizer.json")));
    try {
      tokenizer.follow(config);
      return tokenizer;
    } catch (RuntimeException | Error e) {
      tokenizer.close();
      throw e;
    }
  }

  /**
   * Opens the content of a {@code tokenizer.json} that was made in memory.
   *
   * @param path begins the messages of errors
   * @throws UserError as {@link #open(Path)} says
   */
  public static HfTokenizer of(Path path, byte[] json) {
    return open(TokenizerFile.of(path, json));
  }

  private static HfTokenizer open(TokenizerFile file) {
    return OptionalLibrary.load(
        file.path().toString(),
        "ai.djl.huggingface:tokenizers",
        () -> new HfTokenizer(file, DjlTokenizer.create(file)));
  }

  /** In the classes that follow Llama's the config's flags stand above the file's own rule. */
  private void follow(TokenizerConfig config) {
    if (!config.flagsCount() || config.addBos() == null && config.addEos() == null) {
      return;
    }
    int[] empty = tokenizer.encode("", true);
    int bos = required(config, config.bosToken(), config.addBos());
    int eos = required(config, config.eosToken(), config.addEos());
    boolean first = config.addBos() != null ? config.addBos() : contains(empty, bos);
    boolean last = config.addEos() != null ? config.addEos() : contains(empty, eos);
    prefix = first ? new int[] {bos} : NONE;
    suffix = last ? new int[] {eos} : NONE;
  }

  private int required(TokenizerConfig config, String token, Boolean added) {
    OptionalInt id = token == null ? OptionalInt.empty() : id(token);
    if (Boolean.TRUE.equals(added) && id.isEmpty()) {
      throw new UserError(
          config.file() + ": asks for the token " + token + ", which " + file.path() + " lacks");
    }
    return id.orElse(-1);
  }

  private static boolean contains(int[] tokens, int id) {
    for (int token : tokens) {
      if (token == id) {
        return true;
      }
    }
    return false;
  }

  @Override
  public int[] encode(String text) {
    return prefix == null
        ? tokenizer.encode(text, true)
        : Texts.framed(prefix, tokenizer.encode(text, false), suffix);
  }

  @Override
  public int[] encodeRendered(String text) {
    return tokenizer.encode(text, false);
  }

  @Override
  public String decode(int[] tokens) {
    for (int token : tokens) {
      if (token < 0) {
        throw new IllegalArgumentException("token " + token);
      }
    }
    return tokenizer.decode(tokens);
  }

  /** Special and added tokens are found, and those that are written as they are. */
  @Override
  public OptionalInt id(String token) {
    int[] ids = tokenizer.encode(token, false);
    return ids.length == 1 ? OptionalInt.of(ids[0]) : OptionalInt.empty();
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
