package org.llm4msr.model.gguf;

import java.util.List;
import java.util.Map;

/**
 * How a byte-level vocabulary cuts texts before its merges apply, by the names that {@code
 * tokenizer.ggml.pre} has for them. The expressions are those of the models' {@code
 * tokenizer.json}.
 *
 * @param splits expressions, each applied to the pieces that those before it left
 * @param digits whether each digit stands alone
 * @param gpt2 whether GPT-2's own expression is applied at the end
 * @param composed whether characters are composed first (NFC)
 * @param wholeTokens whether a piece that is a token is not merged from its bytes
 * @param addBos whether texts begin with BOS where the file does not say
 */
record PreTokenizer(
    List<String> splits,
    boolean digits,
    boolean gpt2,
    boolean composed,
    boolean wholeTokens,
    boolean addBos) {
  private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  private static final String REST =
      " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  /** Words, {@code digits} and the rest, as in cl100k. */
  private static String cl100k(String digits) {
    return CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" + digits + "|" + REST;
  }

  private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

  /** Words that may hold one change from capitals to small letters, as in o200k. */
  private static String cased(String contractions, String digits) {
    return "[^\\r\\n\\p{L}\\p{N}]?"
        + UPPER
        + "*"
        + LOWER
        + "+"
        + contractions
        + "|[^\\r\\n\\p{L}\\p{N}]?"
        + UPPER
        + "+"
        + LOWER
        + "*"
        + contractions
        + "|"
        + digits
        + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  }

  private static PreTokenizer regex(String regex) {
    return new PreTokenizer(List.of(regex), false, false, false, false, false);
  }

  private static final PreTokenizer GPT2 =
      new PreTokenizer(List.of(), false, true, false, false, false);
  private static final PreTokenizer LLAMA3 =
      new PreTokenizer(List.of(cl100k("\\p{N}{1,3}")), false, false, false, true, true);
  private static final PreTokenizer QWEN2 =
      new PreTokenizer(List.of(cl100k("\\p{N}")), false, false, true, false, false);

  private static final Map<String, PreTokenizer> BY_NAME =
      Map.ofEntries(
          Map.entry("gpt-2", GPT2),
          Map.entry("phi-2", GPT2),
          Map.entry("mpt", GPT2),
          Map.entry("olmo", GPT2),
          Map.entry("llama3", LLAMA3),
          Map.entry("llama-v3", LLAMA3),
          Map.entry("llama-bpe", LLAMA3),
          Map.entry("dbrx", regex(cl100k("\\p{N}{1,3}"))),
          Map.entry("smaug-bpe", regex(cl100k("\\p{N}{1,3}"))),
          Map.entry("chatglm-bpe", regex(cl100k("\\p{N}{1,3}"))),
          Map.entry("glm4", regex(cl100k("\\p{N}{1,3}"))),
          Map.entry("qwen2", QWEN2),
          Map.entry(
              "deepseek-r1-qwen", new PreTokenizer(QWEN2.splits, false, false, false, false, true)),
          Map.entry(
              "tekken",
              new PreTokenizer(List.of(cased("", "\\p{N}")), false, false, false, true, true)),
          Map.entry("gpt-4o", regex(cased(CONTRACTIONS + "?", "\\p{N}{1,3}"))),
          Map.entry("smollm", new PreTokenizer(List.of(), true, true, false, false, false)),
          Map.entry("starcoder", new PreTokenizer(List.of(), true, true, false, false, false)),
          Map.entry(
              "deepseek-coder",
              new PreTokenizer(
                  List.of(
                      "[\\r\\n]",
                      "\\s?\\p{L}+",
                      "\\s?\\p{P}+",
                      "[\\x{4e00}-\\x{9fa5}\\x{0800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"),
                  true,
                  false,
                  false,
                  false,
                  false)));

  /** The pre-tokenizer of this name, or null. */
  static PreTokenizer named(String name) {
    return BY_NAME.get(name);
  }

  static String names() {
    return String.join(", ", BY_NAME.keySet().stream().sorted().toList());
  }
}
