package org.llm4msr.model.tokenizer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.runtime.UserError;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * A {@code tokenizer.json} in memory, and the little of it that the native library does not tell.
 *
 * @param kind the model's type: BPE, Unigram, WordPiece or WordLevel
 * @param vocabularySize one more than the largest id of the model's vocabulary
 */
record TokenizerFile(Path path, byte[] bytes, String kind, int vocabularySize) {
  private static final long MAX_BYTES = 500_000_000;
  private static final int MAX_NODES = 100_000;
  private static final Set<String> CHECKED =
      Set.of("normalizer", "pre_tokenizer", "post_processor", "decoder");

  static TokenizerFile read(Path path) {
    FileErrors.requireFile(path);
    try {
      if (Files.size(path) > MAX_BYTES) {
        throw new UserError(
            path + ": " + Files.size(path) + " bytes, expected at most " + MAX_BYTES);
      }
      return of(path, Files.readAllBytes(path));
    } catch (IOException e) {
      throw FileErrors.reading(path, e);
    }
  }

  /** A file's content, wherever it comes from; {@code path} begins the messages of errors. */
  static TokenizerFile of(Path path, byte[] bytes) {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      try (JsonParser parser = StrictJson.parser(text)) {
        Reader reader = new Reader(path, parser);
        reader.readRoot();
        return new TokenizerFile(path, bytes, reader.kind, Math.toIntExact(reader.largestId + 1));
      }
    } catch (CharacterCodingException e) {
      throw new UserError(path + ": not valid UTF-8", e);
    } catch (JacksonException e) {
      throw new UserError(path + ": not valid JSON: " + StrictJson.reason(e), e);
    }
  }

  private static final class Reader {
    private final Path path;
    private final JsonParser parser;
    private String kind;
    private long largestId = -1;
    private String prefix = "";
    private boolean noUnknown;

    Reader(Path path, JsonParser parser) {
      this.path = path;
      this.parser = parser;
    }

    void readRoot() {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new UserError(path + ": expected a JSON object");
      }
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        JsonToken value = parser.nextToken();
        if (key.equals("model") && value == JsonToken.START_OBJECT) {
          readModel();
        } else if (CHECKED.contains(key)) {
          TokenizerChecks.check(path.toString(), key, StrictJson.tree(parser, MAX_NODES));
        } else {
          parser.skipChildren();
        }
      }
      if (parser.nextToken() != null) {
        throw new UserError(path + ": has content after its object");
      }
      if (largestId < 0) {
        throw new UserError(path + ": model.vocab is missing or empty");
      }
      if (!prefix.isEmpty() && !"WordPiece".equals(kind)) {
        throw new UserError(
            path + ": model.continuing_subword_prefix is supported for WordPiece only");
      }
      if (noUnknown && "Unigram".equals(kind)) {
        throw new UserError(path + ": model.unk_id is null: texts could not be tokenised");
      }
      if (kind == null) {
        // Older files leave the type out; their vocabulary's form tells the library which it is.
        kind = "tokenizer";
      }
    }

    private void readModel() {
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        JsonToken value = parser.nextToken();
        if (key.equals("type") && value == JsonToken.VALUE_STRING) {
          kind = parser.getString();
        } else if (key.equals("continuing_subword_prefix") && value == JsonToken.VALUE_STRING) {
          prefix = parser.getString();
        } else if (key.equals("unk_id") && value == JsonToken.VALUE_NULL) {
          noUnknown = true;
        } else if (key.equals("dropout") && value.isNumeric() && parser.getDoubleValue() != 0) {
          throw new UserError(
              path + ": model.dropout is set: the same text would give other tokens each time");
        } else if (key.equals("vocab") && value == JsonToken.START_OBJECT) {
          readIds();
        } else if (key.equals("vocab") && value == JsonToken.START_ARRAY) {
          readScores();
        } else {
          parser.skipChildren();
        }
      }
    }

    /** {token: id}. */
    private void readIds() {
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        if (parser.nextToken() != JsonToken.VALUE_NUMBER_INT) {
          throw new UserError(path + ": model.vocab: expected whole numbers as ids");
        }
        long id = parser.getLongValue();
        if (id < 0 || id >= Integer.MAX_VALUE) {
          throw new UserError(path + ": model.vocab: the id " + id + " is out of range");
        }
        largestId = Math.max(largestId, id);
      }
    }

    /** [[token, score], …] in the order of the ids. */
    private void readScores() {
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        parser.skipChildren();
        largestId++;
      }
    }
  }
}
