package org.llm4msr.model.tokenizer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.runtime.UserError;

/**
 * A SentencePiece model: what {@code tokenizer.model} files hold, and GGUF files too in their own
 * form. The original library, which would end the process over a broken one, only ever sees the
 * bytes that {@link #serialise} makes of a checked model.
 *
 * @param where begins the message of an error
 * @param pieces in the order of their ids
 * @param addDummyPrefix whether a space is put before the text
 * @param removeExtraSpaces whether runs of spaces become one
 * @param bos id of the token that begins a text, or -1
 * @param eos id of the token that ends it, or -1
 * @see <a
 *     href="https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto">the
 *     format</a>
 */
public record SentencePieceModel(
    String where,
    Algorithm algorithm,
    List<Piece> pieces,
    boolean addDummyPrefix,
    boolean removeExtraSpaces,
    int bos,
    int eos) {
  private static final long MAX_BYTES = 64 << 20;
  private static final int MAX_PIECES = 1 << 20;
  private static final int MAX_PIECE_BYTES = 1 << 10;

  /** How a text is cut. */
  public enum Algorithm {
    UNIGRAM(1),
    BPE(2);

    private final int number;

    Algorithm(int number) {
      this.number = number;
    }
  }

  /** What a piece is, numbered from 1. */
  public enum Type {
    NORMAL,
    UNKNOWN,
    CONTROL,
    USER_DEFINED,
    UNUSED,
    BYTE;

    private static final Type[] ALL = values();

    /** The type of this number, or null. */
    public static Type of(long number) {
      return number < 1 || number > ALL.length ? null : ALL[(int) number - 1];
    }
  }

  /** A token, spaces written as U+2581. */
  public record Piece(String text, float score, Type type) {}

  /**
   * @throws UserError if no library would make sense of it
   */
  public SentencePieceModel {
    pieces = List.copyOf(pieces);
    if (pieces.isEmpty() || pieces.size() > MAX_PIECES) {
      throw new UserError(
          where + ": holds " + pieces.size() + " pieces, expected 1 to " + MAX_PIECES);
    }
    Set<String> seen = new HashSet<>();
    int unknown = 0;
    int bytes = 0;
    for (int id = 0; id < pieces.size(); id++) {
      Piece piece = pieces.get(id);
      int length = piece.text.getBytes(StandardCharsets.UTF_8).length;
      if (length == 0 || length > MAX_PIECE_BYTES || piece.text.indexOf('\0') >= 0) {
        throw new UserError(
            where + ": piece " + id + " is " + length + " bytes long or holds a zero");
      }
      if (!Float.isFinite(piece.score)) {
        throw new UserError(where + ": the score of piece " + id + " is " + piece.score);
      }
      if (!seen.add(piece.text)) {
        throw new UserError(
            where + ": the piece " + FileErrors.printable(piece.text) + " is there twice");
      }
      unknown += piece.type == Type.UNKNOWN ? 1 : 0;
      if (piece.type == Type.BYTE) {
        if (!piece.text.matches("<0x[0-9A-F]{2}>")) {
          throw new UserError(where + ": piece " + id + " is no byte, such as <0x0A>");
        }
        bytes++;
      }
    }
    if (unknown != 1) {
      throw new UserError(where + ": has " + unknown + " unknown pieces, expected one");
    }
    if (bytes != 0 && bytes != 256) {
      throw new UserError(where + ": has " + bytes + " byte pieces, expected 256 or none");
    }
    if (bos < -1 || bos >= pieces.size() || eos < -1 || eos >= pieces.size()) {
      throw new UserError(where + ": begins or ends texts with a token that it does not have");
    }
  }

  /**
   * Reads a {@code tokenizer.model}.
   *
   * @throws UserError if it is missing, broken or needs what is not supported
   */
  public static SentencePieceModel read(Path file) {
    FileErrors.requireFile(file);
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new UserError(
            file + ": " + Files.size(file) + " bytes, expected at most " + MAX_BYTES);
      }
      return new Reader(file.toString())
          .read(new Protobuf(file.toString(), Files.readAllBytes(file)));
    } catch (IOException e) {
      throw FileErrors.reading(file, e);
    }
  }

  /** Whether bytes that no piece covers become byte pieces. */
  boolean byteFallback() {
    return pieces.stream().anyMatch(piece -> piece.type == Type.BYTE);
  }

  /** A file's bytes with nothing in it but what has been checked. */
  byte[] serialise() {
    Protobuf.Writer model = new Protobuf.Writer();
    int unknown = 0;
    for (int id = 0; id < pieces.size(); id++) {
      Piece piece = pieces.get(id);
      unknown = piece.type == Type.UNKNOWN ? id : unknown;
      Protobuf.Writer entry = new Protobuf.Writer();
      entry.bytes(1, piece.text.getBytes(StandardCharsets.UTF_8));
      entry.fixed32(2, piece.score);
      entry.varint(3, piece.type.ordinal() + 1);
      model.bytes(1, entry.toByteArray());
    }
    Protobuf.Writer trainer = new Protobuf.Writer();
    trainer.varint(3, algorithm.number);
    trainer.varint(4, pieces.size());
    trainer.varint(35, byteFallback() ? 1 : 0);
    trainer.varint(40, unknown);
    trainer.varint(41, bos);
    trainer.varint(42, eos);
    trainer.bytes(45, pieces.get(unknown).text.getBytes(StandardCharsets.UTF_8));
    if (bos >= 0) {
      trainer.bytes(46, pieces.get(bos).text.getBytes(StandardCharsets.UTF_8));
    }
    if (eos >= 0) {
      trainer.bytes(47, pieces.get(eos).text.getBytes(StandardCharsets.UTF_8));
    }
    model.bytes(2, trainer.toByteArray());
    Protobuf.Writer normalizer = new Protobuf.Writer();
    normalizer.bytes(1, "identity".getBytes(StandardCharsets.UTF_8));
    normalizer.varint(3, addDummyPrefix ? 1 : 0);
    normalizer.varint(4, removeExtraSpaces ? 1 : 0);
    normalizer.varint(5, 1);
    model.bytes(3, normalizer.toByteArray());
    return model.toByteArray();
  }

  /** Field numbers as in sentencepiece_model.proto. */
  private static final class Reader {
    private final String where;
    private final List<Piece> pieces = new ArrayList<>();
    private Algorithm algorithm = Algorithm.UNIGRAM;
    private boolean addDummyPrefix = true;
    private boolean removeExtraSpaces = true;
    private boolean suffix;
    private long bos = 1;
    private long eos = 2;

    Reader(String where) {
      this.where = where;
    }

    SentencePieceModel read(Protobuf file) {
      while (file.next()) {
        switch (file.field()) {
          case 1 -> {
            if (pieces.size() == MAX_PIECES) {
              throw new UserError(where + ": holds more than " + MAX_PIECES + " pieces");
            }
            pieces.add(piece(file.message()));
          }
          case 2 -> trainer(file.message());
          case 3 -> normalizer(file.message());
          default -> {
            // Test vectors and a denormalizer: neither changes how a text is cut.
          }
        }
      }
      if (suffix) {
        throw new UserError(where + ": puts the space behind words: not supported");
      }
      int first = isControl(bos) ? (int) bos : -1;
      int last = isControl(eos) ? (int) eos : -1;
      return new SentencePieceModel(
          where, algorithm, pieces, addDummyPrefix, removeExtraSpaces, first, last);
    }

    private boolean isControl(long id) {
      return id >= 0 && id < pieces.size() && pieces.get((int) id).type == Type.CONTROL;
    }

    private Piece piece(Protobuf message) {
      String text = "";
      float score = 0;
      Type type = Type.NORMAL;
      while (message.next()) {
        switch (message.field()) {
          case 1 -> text = message.text();
          case 2 -> score = message.real();
          case 3 -> {
            type = Type.of(message.number());
            if (type == null) {
              throw new UserError(where + ": a piece is of an unknown type");
            }
          }
          default -> {
            // Extensions.
          }
        }
      }
      return new Piece(text, score, type);
    }

    private void trainer(Protobuf message) {
      while (message.next()) {
        switch (message.field()) {
          case 3 ->
              algorithm =
                  switch ((int) message.number()) {
                    case 1 -> Algorithm.UNIGRAM;
                    case 2 -> Algorithm.BPE;
                    default ->
                        throw new UserError(
                            where
                                + ": cuts texts into words or characters, supported are unigram"
                                + " and bpe");
                  };
          case 24 -> suffix = message.number() != 0;
          case 41 -> bos = (int) message.number();
          case 42 -> eos = (int) message.number();
          default -> {
            // How it was trained.
          }
        }
      }
    }

    private void normalizer(Protobuf message) {
      while (message.next()) {
        switch (message.field()) {
          case 2 -> {
            if (message.length() > 0) {
              throw new UserError(
                  where
                      + ": normalises characters by a table of its own, which is not supported:"
                      + " save the tokenizer as tokenizer.json");
            }
          }
          case 3 -> addDummyPrefix = message.number() != 0;
          case 4 -> removeExtraSpaces = message.number() != 0;
          case 5 -> {
            if (message.number() == 0) {
              throw new UserError(where + ": does not escape spaces: not supported");
            }
          }
          default -> {
            // The normalizer's name.
          }
        }
      }
    }
  }
}
