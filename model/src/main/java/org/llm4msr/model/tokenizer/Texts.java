package org.llm4msr.model.tokenizer;

import org.llm4msr.model.checkpoint.FileErrors;

/** What both native libraries need of the texts they are given, and say in their exceptions. */
final class Texts {
  private Texts() {}

  /** Half a surrogate pair is no character and has no UTF-8 form; U+FFFD stands for it. */
  static String withoutLoneSurrogates(String text) {
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

  /** The root of an exception on one line. */
  static String oneLine(RuntimeException e) {
    Throwable cause = e.getCause() == null ? e : e.getCause();
    return FileErrors.printable(String.valueOf(cause.getMessage()));
  }

  /** Prefix, tokens and suffix behind each other. */
  static int[] framed(int[] prefix, int[] tokens, int[] suffix) {
    if (prefix.length + suffix.length == 0) {
      return tokens;
    }
    int[] framed = new int[prefix.length + tokens.length + suffix.length];
    System.arraycopy(prefix, 0, framed, 0, prefix.length);
    System.arraycopy(tokens, 0, framed, prefix.length, tokens.length);
    System.arraycopy(suffix, 0, framed, prefix.length + tokens.length, suffix.length);
    return framed;
  }
}
