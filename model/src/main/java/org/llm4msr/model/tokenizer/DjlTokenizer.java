package org.llm4msr.model.tokenizer;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Map;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

/** The only class that touches DJL, so that everything else loads without it. */
final class DjlTokenizer {
  private final HuggingFaceTokenizer tokenizer;
  private AllocationTracker.Entry allocation;

  private DjlTokenizer(HuggingFaceTokenizer tokenizer, AllocationTracker.Entry allocation) {
    this.tokenizer = tokenizer;
    this.allocation = allocation;
  }

  static DjlTokenizer create(TokenizerFile file) {
    stayOffline();
    Map<String, String> options =
        Map.of(
            "truncation", "do_not_truncate", "padding", "do_not_pad", "addSpecialTokens", "true");
    try {
      HuggingFaceTokenizer tokenizer =
          HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(file.bytes()), options);
      return new DjlTokenizer(
          tokenizer, AllocationTracker.opened("tokenizer " + file.path(), file.bytes().length));
    } catch (EngineException e) {
      throw new UserError(
          file.path() + ": the native tokenizers library does not load here: " + Texts.oneLine(e),
          e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (RuntimeException e) {
      throw new UserError(file.path() + ": not a valid tokenizer: " + Texts.oneLine(e), e);
    }
  }

  /**
   * DJL reports its use to its makers when it runs in their cloud, and fetches a library build for
   * the GPU when it sees one. Neither is wanted: prompts are private, and the bundled library does.
   */
  static void stayOffline() {
    setIfAbsent("OPT_OUT_TRACKING", "true");
    setIfAbsent("RUST_FLAVOR", "cpu");
  }

  private static void setIfAbsent(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  /** Token ids, with what the file's post-processor adds if {@code addSpecial}. */
  int[] encode(String text, boolean addSpecial) {
    if (text.length() > RegexChecks.MOST_CHARACTERS) {
      throw new UserError(
          "cannot tokenise a text: it has "
              + text.length()
              + " characters, at most "
              + RegexChecks.MOST_CHARACTERS
              + " are supported");
    }
    long[] ids;
    try {
      ids = tokenizer.encode(Texts.withoutLoneSurrogates(text), addSpecial, false).getIds();
    } catch (RuntimeException e) {
      throw new UserError("cannot tokenise a text: " + Texts.oneLine(e), e);
    }
    int[] tokens = new int[ids.length];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = Math.toIntExact(ids[i]);
    }
    return tokens;
  }

  String decode(int[] tokens) {
    return tokenizer.decode(Arrays.stream(tokens).asLongStream().toArray(), true);
  }

  void close() {
    tokenizer.close();
    if (allocation != null) {
      AllocationTracker.closed(allocation);
      allocation = null;
    }
  }
}
