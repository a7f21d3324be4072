package org.llm4msr.app.encode;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.GenerationOptions;
import org.llm4msr.model.knowledge.PromptHash;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What the model concludes from each prompt, as text: a file of JSON lines {@code {"id": …, "text":
 * …, "prompt": …, "model": …}}, where {@code prompt} is the hash of the prompt's tokens and of how
 * it was continued. Texts are appended as they come; a line that holds for the present model and
 * prompt is not generated again.
 */
final class Explanations {
  /** Prompts between two looks at whether to stop. */
  private static final int GROUP = 32;

  private final FrozenEncoder encoder;
  private final GenerationOptions generation;
  private final Path file;
  private final boolean force;

  /**
   * @param out the file of vectors or prompts that they belong to
   * @param force generate everything anew
   */
  Explanations(FrozenEncoder encoder, GenerationOptions generation, Path out, boolean force) {
    this.encoder = encoder;
    this.generation = generation;
    this.file = beside(out);
    this.force = force;
  }

  /**
   * The file that belongs to another: {@code k.explained.jsonl} for {@code k.safetensors} or {@code
   * k.jsonl}.
   */
  static Path beside(Path out) {
    String name = out.getFileName().toString().replaceFirst("\\.(safetensors|jsonl)$", "");
    return out.resolveSibling(name + ".explained.jsonl");
  }

  /**
   * Brings the file up to date; its lines are in the order of the prompts when all is done.
   *
   * @param done hears how many prompts have their text
   * @return false if {@code stop} asked to end before all was there
   * @throws UserError if the file cannot be read or written
   */
  boolean write(List<String> ids, List<int[]> prompts, LongConsumer done, BooleanSupplier stop) {
    Map<String, String> known = force ? new HashMap<>() : known();
    List<String> keys = prompts.stream().map(this::key).toList();
    List<Integer> missing = new ArrayList<>();
    for (int i = 0; i < ids.size(); i++) {
      if (!known.containsKey(ids.get(i) + "\n" + keys.get(i))) {
        missing.add(i);
      }
    }
    done.accept(ids.size() - missing.size());
    try {
      if (!append(ids, prompts, keys, missing, known, done, stop)) {
        return false;
      }
      rewrite(ids, keys, known);
      return true;
    } catch (IOException e) {
      throw FileErrors.writing(file, e);
    }
  }

  private boolean append(
      List<String> ids,
      List<int[]> prompts,
      List<String> keys,
      List<Integer> missing,
      Map<String, String> known,
      LongConsumer done,
      BooleanSupplier stop)
      throws IOException {
    try (BufferedWriter lines =
        Files.newBufferedWriter(
            file,
            StandardCharsets.UTF_8,
            StandardOpenOption.CREATE,
            force ? StandardOpenOption.TRUNCATE_EXISTING : StandardOpenOption.APPEND)) {
      if (Files.size(file) > 0) {
        // What a crash left of a line ends here.
        lines.newLine();
      }
      for (int begin = 0; begin < missing.size(); begin += GROUP) {
        if (stop.getAsBoolean()) {
          return false;
        }
        List<Integer> group = missing.subList(begin, Math.min(missing.size(), begin + GROUP));
        List<int[]> texts =
            encoder.generate(
                group.stream().map(i -> fitted(prompts.get(i))).toList(), generation, (_, _) -> {});
        for (int j = 0; j < group.size(); j++) {
          int i = group.get(j);
          String text = encoder.decode(texts.get(j));
          known.put(ids.get(i) + "\n" + keys.get(i), text);
          lines.write(line(ids.get(i), keys.get(i), text));
          lines.newLine();
        }
        lines.flush();
        done.accept(ids.size() - missing.size() + begin + group.size());
      }
      return true;
    }
  }

  private void rewrite(List<String> ids, List<String> keys, Map<String, String> known)
      throws IOException {
    Path sorted = file.resolveSibling("." + file.getFileName() + ".tmp");
    try (BufferedWriter lines = Files.newBufferedWriter(sorted, StandardCharsets.UTF_8)) {
      for (int i = 0; i < ids.size(); i++) {
        lines.write(line(ids.get(i), keys.get(i), known.get(ids.get(i) + "\n" + keys.get(i))));
        lines.newLine();
      }
    }
    Files.move(sorted, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
  }

  /** A prompt that leaves room for the text. */
  private int[] fitted(int[] prompt) {
    return encoder.fitted(prompt, encoder.positions() - generation.maxNewTokens());
  }

  private String key(int[] prompt) {
    return PromptHash.of(prompt).hex() + "-" + generation.maxNewTokens();
  }

  private String line(String id, String key, String text) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("id", id);
    node.put("text", text);
    node.put("prompt", key);
    node.put("model", encoder.checksum());
    return node.toString();
  }

  /** Texts of this model by id and prompt; lines that are no such thing count as absent. */
  private Map<String, String> known() {
    Map<String, String> known = new HashMap<>();
    if (!Files.exists(file)) {
      return known;
    }
    List<String> lines;
    try {
      lines = Files.readAllLines(file, StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw FileErrors.reading(file, e);
    }
    for (String line : lines) {
      try {
        ObjectNode node = StrictJson.object(line, file.toString());
        if (node.path("model").stringValue("").equals(encoder.checksum())) {
          known.put(
              node.path("id").stringValue("") + "\n" + node.path("prompt").stringValue(""),
              node.path("text").stringValue(""));
        }
      } catch (UserError e) {
        // Cut off by a crash: generated again.
        continue;
      }
    }
    return known;
  }
}
