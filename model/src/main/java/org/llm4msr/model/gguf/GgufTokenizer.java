package org.llm4msr.model.gguf;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import org.llm4msr.model.tokenizer.ChatTemplate;
import org.llm4msr.model.tokenizer.HfTokenizer;
import org.llm4msr.model.tokenizer.SentencePieceModel;
import org.llm4msr.model.tokenizer.SentencePieceModel.Piece;
import org.llm4msr.model.tokenizer.SentencePieceModel.Type;
import org.llm4msr.model.tokenizer.SentencePieceTokenizer;
import org.llm4msr.model.tokenizer.Tokenizer;
import org.llm4msr.runtime.UserError;

/**
 * The vocabulary of a GGUF file, turned into the form that the library of its kind reads: a
 * SentencePiece model, or a {@code tokenizer.json}.
 */
public final class GgufTokenizer {
  private static final String KEYS = "tokenizer.ggml.";
  static final int MAX_TOKENS = 1 << 21;

  private final GgufMetadata metadata;
  private final String[] tokens;
  private final Type[] types;

  private GgufTokenizer(GgufMetadata metadata) {
    this.metadata = metadata;
    this.tokens = metadata.texts(KEYS + "tokens", MAX_TOKENS);
    this.types = readTypes();
  }

  /**
   * @throws UserError if the file has no vocabulary, a broken one or one of an unsupported kind, or
   *     its library does not run here
   */
  public static Tokenizer open(GgufFile file) {
    GgufMetadata metadata = file.metadata();
    if (!metadata.has(KEYS + "model")) {
      throw metadata.error(KEYS + "model", "is missing: the file has no tokenizer");
    }
    String kind = metadata.text(KEYS + "model");
    return switch (kind) {
      case "llama" -> new GgufTokenizer(metadata).sentencePiece();
      case "gpt2" -> new GgufTokenizer(metadata).bytePairs();
      case "bert" -> new GgufTokenizer(metadata).wordPieces();
      default ->
          throw metadata.error(
              KEYS + "model", "is \"" + kind + "\", supported are llama, gpt2 and bert");
    };
  }

  /**
   * The chat template of a file.
   *
   * @throws UserError if it has none, or one of unknown form
   */
  public static ChatTemplate chatTemplate(GgufFile file) {
    GgufMetadata metadata = file.metadata();
    String jinja = metadata.text("tokenizer.chat_template", null);
    GgufTokenizer vocabulary = jinja == null ? null : new GgufTokenizer(metadata);
    return ChatTemplate.of(
        file.file().toString(),
        jinja,
        jinja == null ? null : vocabulary.name("bos_token_id"),
        jinja == null ? null : vocabulary.name("eos_token_id"));
  }

  private String name(String key) {
    OptionalInt id = special(key);
    return id.isPresent() ? tokens[id.getAsInt()] : null;
  }

  private Type[] readTypes() {
    Type[] result = new Type[tokens.length];
    if (!metadata.has(KEYS + "token_type")) {
      Arrays.fill(result, Type.NORMAL);
      return result;
    }
    int[] numbers = metadata.wholes(KEYS + "token_type", MAX_TOKENS);
    if (numbers.length != tokens.length) {
      throw metadata.error(
          KEYS + "token_type",
          "has " + numbers.length + " entries for " + tokens.length + " tokens");
    }
    for (int i = 0; i < numbers.length; i++) {
      result[i] = Type.of(numbers[i]);
      if (result[i] == null) {
        throw metadata.error(KEYS + "token_type", "holds the unknown type " + numbers[i]);
      }
    }
    return result;
  }

  /** A special token's id, or nothing where the file names none. */
  private OptionalInt special(String key) {
    long id = metadata.whole(KEYS + key, -1);
    // Some files store "none" as the largest number of 32 bits.
    if (id == -1 || id == 0xffffffffL) {
      return OptionalInt.empty();
    }
    if (id < 0 || id >= tokens.length) {
      throw metadata.error(KEYS + key, "is " + id + ", expected less than " + tokens.length);
    }
    return OptionalInt.of((int) id);
  }

  private OptionalInt added(String flag, boolean otherwise, String key) {
    if (!metadata.flag(KEYS + flag, otherwise)) {
      return OptionalInt.empty();
    }
    OptionalInt id = special(key);
    if (id.isEmpty() && metadata.has(KEYS + flag)) {
      throw metadata.error(KEYS + key, "is missing, but " + flag + " is true");
    }
    return id;
  }

  private List<String> names(OptionalInt id) {
    return id.isPresent() ? List.of(tokens[id.getAsInt()]) : List.of();
  }

  private Tokenizer sentencePiece() {
    float[] scores = metadata.reals(KEYS + "scores", MAX_TOKENS);
    if (scores.length != tokens.length) {
      throw metadata.error(
          KEYS + "scores", "has " + scores.length + " entries for " + tokens.length + " tokens");
    }
    List<Piece> pieces = new ArrayList<>();
    for (int i = 0; i < tokens.length; i++) {
      pieces.add(new Piece(tokens[i], scores[i], types[i]));
    }
    SentencePieceModel model =
        new SentencePieceModel(
            metadata.file().toString(),
            SentencePieceModel.Algorithm.BPE,
            pieces,
            metadata.flag(KEYS + "add_space_prefix", true),
            metadata.flag(KEYS + "remove_extra_whitespaces", false),
            special("bos_token_id").orElse(-1),
            special("eos_token_id").orElse(-1));
    return SentencePieceTokenizer.open(
        model,
        List.of(),
        names(added("add_bos_token", true, "bos_token_id")),
        names(added("add_eos_token", false, "eos_token_id")));
  }

  private Tokenizer bytePairs() {
    String name = metadata.text(KEYS + "pre", "default");
    PreTokenizer pre = PreTokenizer.named(name);
    if (pre == null) {
      throw metadata.error(
          KEYS + "pre", "is \"" + name + "\", supported are " + PreTokenizer.names());
    }
    TokenizerJson json = new TokenizerJson(tokens);
    addSpecialTokens(json);
    json.bytePairs(merges(), pre);
    List<Integer> prefix = new ArrayList<>();
    if (name.equals("chatglm-bpe") || name.equals("glm4")) {
      prefix.add(json.id("[gMASK]", metadata));
      prefix.add(json.id("<sop>", metadata));
    } else {
      added("add_bos_token", pre.addBos(), "bos_token_id").ifPresent(prefix::add);
    }
    List<Integer> suffix = new ArrayList<>();
    added("add_eos_token", false, "eos_token_id").ifPresent(suffix::add);
    json.frame(prefix, suffix);
    return HfTokenizer.of(metadata.file(), json.bytes());
  }

  /** "left right" in the order of their rank, each half a token. */
  private String[] merges() {
    String[] merges = metadata.texts(KEYS + "merges", MAX_TOKENS);
    Set<String> known = new HashSet<>(List.of(tokens));
    for (int i = 0; i < merges.length; i++) {
      int space = merges[i].indexOf(' ', 1);
      boolean valid =
          space > 0
              && space < merges[i].length() - 1
              && known.contains(merges[i].substring(0, space))
              && known.contains(merges[i].substring(space + 1))
              && known.contains(merges[i].substring(0, space) + merges[i].substring(space + 1));
      if (!valid) {
        throw metadata.error(KEYS + "merges", "entry " + i + " is no pair of tokens that make one");
      }
    }
    return merges;
  }

  private Tokenizer wordPieces() {
    // llama.cpp marks where a word begins, WordPiece where it goes on.
    String[] pieces = new String[tokens.length];
    for (int i = 0; i < tokens.length; i++) {
      String token = tokens[i];
      if (token.startsWith("\u2581")) {
        pieces[i] = token.substring(1);
      } else if (token.startsWith("[") && token.endsWith("]")) {
        pieces[i] = token;
      } else {
        pieces[i] = "##" + token;
      }
    }
    TokenizerJson json = new TokenizerJson(pieces);
    addSpecialTokens(json);
    int unknown = special("unknown_token_id").orElseGet(() -> json.id("[UNK]", metadata));
    json.wordPieces(unknown, metadata.flag(KEYS + "normalizer.lowercase", true));
    int first =
        special(metadata.has(KEYS + "cls_token_id") ? "cls_token_id" : "bos_token_id")
            .orElseGet(() -> json.id("[CLS]", metadata));
    // The format's own spelling.
    String separator =
        metadata.has(KEYS + "seperator_token_id") ? "seperator_token_id" : "eos_token_id";
    int last = special(separator).orElseGet(() -> json.id("[SEP]", metadata));
    json.frame(List.of(first), List.of(last));
    return HfTokenizer.of(metadata.file(), json.bytes());
  }

  private void addSpecialTokens(TokenizerJson json) {
    Set<String> seen = new HashSet<>();
    for (int i = 0; i < tokens.length; i++) {
      if (!seen.add(tokens[i])) {
        throw metadata.error(KEYS + "tokens", "holds " + tokens[i] + " twice");
      }
      if (types[i] == Type.CONTROL || types[i] == Type.UNKNOWN) {
        json.add(i, true);
      } else if (types[i] == Type.USER_DEFINED) {
        json.add(i, false);
      }
    }
  }
}
