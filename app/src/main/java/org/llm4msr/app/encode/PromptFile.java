package org.llm4msr.app.encode;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.prompt.PromptSource;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Prompts, one JSON object per line: {@code {"id": string, "text": string}}, or {@code {"id":
 * string, "tokens": [int…]}}, whose tokens are taken as they are. Empty lines are skipped. {@value
 * PromptSource#KEY} may stand beside them, the same in all lines that have it.
 *
 * @param ids distinct, in the order of the lines
 * @param tokens what the model will read
 * @param source what the prompts were made from; null if no line says
 * @param shortened prompts that were longer than the model's positions
 */
record PromptFile(List<String> ids, List<int[]> tokens, PromptSource source, int shortened) {

  /**
   * Reads and tokenises a file.
   *
   * @throws UserError if a line is malformed (file, line and problem are named), an id occurs
   *     twice, or there is no prompt
   */
  static PromptFile read(Path file, FrozenEncoder encoder) {
    FileErrors.requireFile(file);
    Reader reader = new Reader(file, encoder);
    reader.read();
    if (reader.ids.isEmpty()) {
      throw new UserError(file + ": holds no prompt, expected lines {\"id\": …, \"text\": …}");
    }
    return new PromptFile(reader.ids, reader.tokens, reader.source, reader.shortened);
  }

  private static final class Reader {
    /** Texts that are tokenised together: enough for all threads, few enough for the heap. */
    private static final int CHUNK = 4096;

    private final Path file;
    private final FrozenEncoder encoder;
    private final List<String> ids = new ArrayList<>();
    private final List<int[]> tokens = new ArrayList<>();
    private final Map<String, Integer> lineOf = new HashMap<>();
    private final List<String> texts = new ArrayList<>();
    private final List<Integer> textPrompts = new ArrayList<>();
    private JsonNode madeFrom;
    private PromptSource source;
    private int sourceLine;
    private int shortened;
    private int line;

    Reader(Path file, FrozenEncoder encoder) {
      this.file = file;
      this.encoder = encoder;
    }

    void read() {
      // Unlike Files.newBufferedReader's decoder, readLine's errors come with the line's number.
      try (BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(
                  Files.newInputStream(file), StandardCharsets.UTF_8.newDecoder()))) {
        for (String text = lines.readLine(); text != null; text = lines.readLine()) {
          line++;
          if (!text.isBlank()) {
            readLine(text);
          }
        }
      } catch (CharacterCodingException e) {
        throw new UserError(file + ":" + (line + 1) + ": not valid UTF-8, here or soon after", e);
      } catch (IOException e) {
        throw FileErrors.reading(file, e);
      }
      tokenizeTexts();
    }

    private void readLine(String text) {
      ObjectNode object = StrictJson.object(text, file + ":" + line);
      JsonNode id = object.get("id");
      if (id == null || !id.isString() || id.stringValue().isEmpty()) {
        throw error("id is " + found(id) + ", expected a string that is not empty");
      }
      Integer earlier = lineOf.put(id.stringValue(), line);
      if (earlier != null) {
        throw error("the id \"" + id.stringValue() + "\" is that of line " + earlier + " already");
      }
      JsonNode prompt = object.get("text");
      JsonNode tokenIds = object.get("tokens");
      if ((prompt == null) == (tokenIds == null)) {
        throw error("expected either text or tokens beside the id");
      }
      readSource(object.get(PromptSource.KEY));
      ids.add(id.stringValue());
      if (prompt != null) {
        if (!prompt.isString()) {
          throw error("text is " + found(prompt) + ", expected a string");
        }
        texts.add(prompt.stringValue());
        textPrompts.add(ids.size() - 1);
        tokens.add(null);
        if (texts.size() == CHUNK) {
          tokenizeTexts();
        }
      } else {
        tokens.add(fitted(readTokens(tokenIds), id.stringValue(), line));
      }
    }

    private void readSource(JsonNode found) {
      if (found == null || found.equals(madeFrom)) {
        return;
      }
      if (source != null) {
        throw error(
            "the prompt was made from other training rows than that of line "
                + sourceLine
                + "; encode each file of prompts by itself");
      }
      try {
        source = PromptSource.of(found);
      } catch (UserError e) {
        throw error(e.getMessage());
      }
      madeFrom = found;
      sourceLine = line;
    }

    private int[] readTokens(JsonNode array) {
      if (!array.isArray()) {
        throw error("tokens is " + found(array) + ", expected an array of whole numbers");
      }
      int[] read = new int[array.size()];
      for (int i = 0; i < read.length; i++) {
        JsonNode token = array.get(i);
        if (!token.isIntegralNumber() || !token.canConvertToInt()) {
          throw error("tokens holds " + found(token) + ", expected whole numbers");
        }
        read[i] = token.intValue();
      }
      return read;
    }

    private void tokenizeTexts() {
      if (texts.isEmpty()) {
        return;
      }
      List<int[]> tokenized = encoder.tokenize(texts);
      for (int i = 0; i < tokenized.size(); i++) {
        int prompt = textPrompts.get(i);
        String id = ids.get(prompt);
        tokens.set(prompt, fitted(tokenized.get(i), id, lineOf.get(id)));
      }
      texts.clear();
      textPrompts.clear();
    }

    private int[] fitted(int[] prompt, String id, int promptLine) {
      int[] fitted;
      try {
        fitted = encoder.fitted(prompt);
      } catch (UserError e) {
        throw new UserError(
            file
                + ":"
                + promptLine
                + ": prompt \""
                + FileErrors.printable(id)
                + "\": "
                + e.getMessage(),
            e);
      }
      if (fitted.length < prompt.length) {
        shortened++;
      }
      return fitted;
    }

    private UserError error(String problem) {
      return new UserError(file + ":" + line + ": " + FileErrors.printable(problem));
    }

    private static String found(JsonNode node) {
      if (node == null) {
        return "missing";
      }
      String text = node.toString();
      return text.length() > 60 ? text.substring(0, 60) + "…" : text;
    }
  }
}
