package org.llm4msr.app.builtin;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.json.JsonMapper;

/**
 * A byte-level byte-pair encoding (Sennrich et al. 2016; bytes as in GPT-2), trained on given
 * texts.
 *
 * <p>Every text can be encoded, for all 256 bytes are tokens. Training starts from them and merges
 * the most frequent neighbours until the vocabulary is full; among equally frequent pairs the first
 * in the order of their strings wins, so that the same texts give the same vocabulary.
 */
final class ByteLevelBpe {
  static final String BEGIN = "<s>";
  static final String END = "</s>";

  /** GPT-2's word pattern, which is what {@code ByteLevel} of Hugging Face's tokenizers applies. */
  private static final Pattern WORD =
      Pattern.compile(
          "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
          Pattern.UNICODE_CHARACTER_CLASS);

  /** A pair that comes less often than this is no pattern of the language. */
  private static final int LEAST_COUNT = 2;

  private record Pair(String left, String right) implements Comparable<Pair> {
    private static final Comparator<Pair> ORDER =
        Comparator.comparing(Pair::left).thenComparing(Pair::right);

    @Override
    public int compareTo(Pair other) {
      return ORDER.compare(this, other);
    }
  }

  private record Word(List<String> symbols, int count) {}

  /** In order of their numbers. A set, since two different merges may give the same token. */
  private final Set<String> tokens = new LinkedHashSet<>();

  private final List<Pair> merges = new ArrayList<>();

  private ByteLevelBpe() {}

  /**
   * Trains on {@code texts}.
   *
   * @param vocabularySize largest number of tokens, the 256 bytes and two special tokens included
   */
  static ByteLevelBpe train(List<String> texts, int vocabularySize) {
    ByteLevelBpe bpe = new ByteLevelBpe();
    bpe.tokens.add(BEGIN);
    bpe.tokens.add(END);
    for (int b = 0; b < 256; b++) {
      bpe.tokens.add(symbolOfByte(b));
    }
    List<Word> words = words(texts);
    while (bpe.tokens.size() < vocabularySize) {
      Pair best = mostFrequent(words);
      if (best == null) {
        break;
      }
      bpe.merges.add(best);
      bpe.tokens.add(best.left() + best.right());
      words.forEach(word -> merge(word.symbols(), best));
    }
    return bpe;
  }

  int vocabularySize() {
    return tokens.size();
  }

  /** The content of a {@code tokenizer.json} of Hugging Face's tokenizers. */
  String toJson() {
    Map<String, Integer> vocabulary = new LinkedHashMap<>();
    tokens.forEach(token -> vocabulary.put(token, vocabulary.size()));
    Map<String, Object> model = new LinkedHashMap<>();
    model.put("type", "BPE");
    model.put("dropout", null);
    model.put("unk_token", null);
    model.put("continuing_subword_prefix", null);
    model.put("end_of_word_suffix", null);
    model.put("fuse_unk", false);
    model.put("byte_fallback", false);
    model.put("ignore_merges", false);
    model.put("vocab", vocabulary);
    model.put("merges", merges.stream().map(pair -> List.of(pair.left(), pair.right())).toList());
    Map<String, Object> byteLevel = new LinkedHashMap<>();
    byteLevel.put("type", "ByteLevel");
    byteLevel.put("add_prefix_space", false);
    byteLevel.put("trim_offsets", true);
    byteLevel.put("use_regex", true);
    Map<String, Object> root = new LinkedHashMap<>();
    root.put("version", "1.0");
    root.put("truncation", null);
    root.put("padding", null);
    root.put("added_tokens", List.of(special(0, BEGIN), special(1, END)));
    root.put("normalizer", null);
    root.put("pre_tokenizer", byteLevel);
    root.put("post_processor", null);
    root.put("decoder", byteLevel);
    root.put("model", model);
    return JsonMapper.shared().writeValueAsString(root) + "\n";
  }

  private static Map<String, Object> special(int id, String content) {
    Map<String, Object> token = new LinkedHashMap<>();
    token.put("id", id);
    token.put("content", content);
    token.put("single_word", false);
    token.put("lstrip", false);
    token.put("rstrip", false);
    token.put("normalized", false);
    token.put("special", true);
    return token;
  }

  private static List<Word> words(List<String> texts) {
    Map<String, Integer> counts = new TreeMap<>();
    for (String text : texts) {
      Matcher matcher = WORD.matcher(text);
      while (matcher.find()) {
        counts.merge(matcher.group(), 1, Integer::sum);
      }
    }
    List<Word> words = new ArrayList<>(counts.size());
    counts.forEach((word, count) -> {
      List<String> symbols = new ArrayList<>();
      for (byte b : word.getBytes(StandardCharsets.UTF_8)) {
        symbols.add(symbolOfByte(b & 0xff));
      }
      words.add(new Word(symbols, count));
    });
    return words;
  }

  private static Pair mostFrequent(List<Word> words) {
    Map<Pair, Integer> counts = new HashMap<>();
    for (Word word : words) {
      for (int i = 1; i < word.symbols().size(); i++) {
        Pair pair = new Pair(word.symbols().get(i - 1), word.symbols().get(i));
        counts.merge(pair, word.count(), Integer::sum);
      }
    }
    return counts.entrySet().stream()
        .filter(entry -> entry.getValue() >= LEAST_COUNT)
        .min(
            Map.Entry.<Pair, Integer>comparingByValue()
                .reversed()
                .thenComparing(Map.Entry.comparingByKey()))
        .map(Map.Entry::getKey)
        .orElse(null);
  }

  private static void merge(List<String> symbols, Pair pair) {
    for (int i = 0; i + 1 < symbols.size(); i++) {
      if (symbols.get(i).equals(pair.left()) && symbols.get(i + 1).equals(pair.right())) {
        symbols.set(i, pair.left() + pair.right());
        symbols.remove(i + 1);
      }
    }
  }

  /** GPT-2's printable character for a byte: itself where printable, else one from U+0100 on. */
  private static String symbolOfByte(int value) {
    boolean printable =
        (value >= '!' && value <= '~') || (value >= 0xa1 && value <= 0xff && value != 0xad);
    if (printable) {
      return String.valueOf((char) value);
    }
    int rank = value; // of the unprintable ones below it: 0..32, 127..160, 173
    if (value > 32) {
      rank = value == 0xad ? 67 : value - 127 + 33;
    }
    return String.valueOf((char) (0x100 + rank));
  }
}
