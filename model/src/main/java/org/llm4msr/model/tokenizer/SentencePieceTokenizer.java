package org.llm4msr.model.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.llm4msr.model.tokenizer.SentencePieceModel.Piece;
import org.llm4msr.model.tokenizer.SentencePieceModel.Type;
import org.llm4msr.runtime.UserError;

/**
 * A SentencePiece model, run by the original library (through DJL's binding, which is optional).
 */
public final class SentencePieceTokenizer implements Tokenizer {
  private final SentencePieceModel model;
  private final DjlSentencePiece library;
  private final int[] prefix;
  private final int[] suffix;
  private final Map<String, Integer> ids = new HashMap<>();
  private final Pattern special;
  private final int vocabularySize;

  private SentencePieceTokenizer(
      SentencePieceModel model,
      DjlSentencePiece library,
      List<String> added,
      List<String> prefix,
      List<String> suffix) {
    this.model = model;
    this.library = library;
    List<String> specials = new ArrayList<>(added);
    for (int id = 0; id < model.pieces().size(); id++) {
      Piece piece = model.pieces().get(id);
      ids.put(piece.text(), id);
      if (piece.type() == Type.CONTROL) {
        specials.add(piece.text());
      }
    }
    for (String token : added) {
      ids.putIfAbsent(token, ids.size());
    }
    this.vocabularySize = ids.size();
    this.prefix = ids(prefix);
    this.suffix = ids(suffix);
    this.special =
        Pattern.compile(
            specials.stream()
                .sorted(Comparator.comparingInt(token -> -token.length()))
                .map(Pattern::quote)
                .collect(Collectors.joining("|", "(?:", specials.isEmpty() ? "(?!))" : ")")));
  }

  /**
   * @param added special tokens that follow the model's pieces
   * @param prefix tokens that begin every text
   * @param suffix tokens that end it
   * @throws UserError if the library is not on the class path, does not run here or refuses the
   *     model
   */
  public static SentencePieceTokenizer open(
      SentencePieceModel model, List<String> added, List<String> prefix, List<String> suffix) {
    return OptionalLibrary.load(
        model.where(),
        "ai.djl.sentencepiece:sentencepiece",
        () ->
            new SentencePieceTokenizer(
                model, DjlSentencePiece.create(model), added, prefix, suffix));
  }

  private int[] ids(List<String> tokens) {
    return tokens.stream().mapToInt(ids::get).toArray();
  }

  @Override
  public int[] encode(String text) {
    return Texts.framed(prefix, library.encode(text), suffix);
  }

  @Override
  public int[] encodeRendered(String text) {
    List<int[]> parts = new ArrayList<>();
    Matcher matcher = special.matcher(text);
    int end = 0;
    while (matcher.find()) {
      if (matcher.start() > end) {
        parts.add(library.encode(text.substring(end, matcher.start())));
      }
      parts.add(new int[] {ids.get(matcher.group())});
      end = matcher.end();
    }
    if (end < text.length()) {
      parts.add(library.encode(text.substring(end)));
    }
    return parts.stream().flatMapToInt(Arrays::stream).toArray();
  }

  /** In plain Java: the library's binding loses characters beyond the basic plane. */
  @Override
  public String decode(int[] tokens) {
    ByteArrayOutputStream utf8 = new ByteArrayOutputStream();
    boolean first = model.addDummyPrefix();
    for (int token : tokens) {
      if (token < 0 || token >= vocabularySize) {
        throw new IllegalArgumentException("token " + token + " of " + vocabularySize);
      }
      if (token >= model.pieces().size()) {
        continue;
      }
      Piece piece = model.pieces().get(token);
      if (piece.type() == Type.BYTE) {
        utf8.write(Integer.parseInt(piece.text(), 3, 5, 16));
        first = false;
      } else if (piece.type() != Type.CONTROL) {
        String text =
            piece.type() == Type.UNKNOWN ? " \u2047 " : piece.text().replace('\u2581', ' ');
        // The space that was put before the text.
        utf8.writeBytes(
            text.substring(first && text.startsWith(" ") ? 1 : 0).getBytes(StandardCharsets.UTF_8));
        first = false;
      }
    }
    return utf8.toString(StandardCharsets.UTF_8);
  }

  @Override
  public OptionalInt id(String token) {
    Integer id = ids.get(token);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  @Override
  public int vocabularySize() {
    return vocabularySize;
  }

  @Override
  public String name() {
    return "SentencePiece " + model.algorithm().name().toLowerCase(Locale.ROOT);
  }

  /** Frees the native tokenizer; closing twice is harmless. */
  @Override
  public void close() {
    library.close();
  }
}
