package org.llm4msr.model.tokenizer;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Map;
import org.llm4msr.model.checkpoint.FileErrors;
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
          file.path() + ": the native tokenizers library does not load here: " + oneLine(e), e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (RuntimeException e) {
      throw new UserError(file.path() + ": not a valid tokenizer: " + oneLine(e), e);
    }
  }

  /**
   * DJL reports its use to its makers when it runs in their cloud, and fetches a library build for
   * the GPU when it sees one. Neither is wanted: prompts are private, and the bundled library does.
   */
  private static void stayOffline() {
    setIfAbsent("OPT_OUT_TRACKING", "true");
    setIfAbsent("RUST_FLAVOR", "cpu");
  }

  private static void setIfAbsent(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  private static String oneLine(RuntimeException e) {
    Throwable cause = e.getCause() == null ? e : e.getCause();
    return FileErrors.printable(String.valueOf(cause.getMessage()));
  }

  int[] encode(String text) {
    long[] ids;
    try {
      ids = tokenizer.encode(withoutLoneSurrogates(text)).getIds();
    } catch (RuntimeException e) {
      throw new UserError("cannot tokenise a text: " + oneLine(e), e);
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

  /** Half a surrogate pair is no character and has no UTF-8 form; U+FFFD stands for it. */
  private static String withoutLoneSurrogates(String text) {
    StringBuilder repaired = null;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!Character.isSurrogate(c)) {
        continue;
      }
      if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
        continue;
      }
      if (repaired == null) {
        repaired = new StringBuilder(text);
      }
      repaired.setCharAt(i, '\ufffd');
    }
    return repaired == null ? text : repaired.toString();
  }

  void close() {
    tokenizer.close();
    if (allocation != null) {
      AllocationTracker.closed(allocation);
      allocation = null;
    }
  }
}
