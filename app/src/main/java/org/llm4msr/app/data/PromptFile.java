package org.llm4msr.app.data;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import org.llm4msr.model.checkpoint.AtomicFile;
import org.llm4msr.model.prompt.PromptFactory;
import org.llm4msr.model.prompt.PromptSource;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A file of prompts: one JSON object with {@code id}, {@code text} and {@value PromptSource#KEY}
 * per line.
 */
public final class PromptFile {
  private PromptFile() {}

  /**
   * Fails where {@link #write} would, before any long work is done.
   *
   * @param replace whether a file that is there may be replaced
   * @throws UserError if it may not, or if the folder does not exist
   */
  public static void requireRoom(Path file, boolean replace) {
    if (Files.exists(file) && !replace) {
      throw new UserError(file + ": exists already; use --force to replace it");
    }
    Path folder = file.toAbsolutePath().getParent();
    if (!Files.isDirectory(folder)) {
      throw new UserError(file + ": cannot write: there is no folder " + folder);
    }
  }

  /**
   * Writes all prompts, or nothing at all.
   *
   * @param source stands beside each prompt: lines that are taken out or put together keep it
   * @param progress told after every prompt how many are done
   * @throws UserError if the file cannot be written
   */
  public static void write(
      PromptFactory prompts, PromptSource source, Path file, LongConsumer progress) {
    ObjectNode madeFrom = source.toJson();
    JsonMapper mapper = JsonMapper.shared();
    AtomicLong done = new AtomicLong();
    try (AtomicFile out = AtomicFile.create(file)) {
      prompts.forEach(prompt -> {
        ObjectNode line = JsonNodeFactory.instance.objectNode();
        line.put("id", prompt.id()).put("text", prompt.text());
        line.set(PromptSource.KEY, madeFrom);
        String json = mapper.writeValueAsString(line) + "\n";
        out.write(ByteBuffer.wrap(json.getBytes(StandardCharsets.UTF_8)));
        progress.accept(done.incrementAndGet());
      });
      out.commit();
    }
  }
}
