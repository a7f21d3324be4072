package org.llm4msr.bench.suite;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.kernels.KernelCase.Limit;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.runtime.UserError;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The file of a day's figures, part by part; what is measured again replaces what was there. */
final class Results {
  private static final JsonMapper JSON = JsonMapper.shared();

  private final Path file;
  private final ObjectNode root;
  private ObjectNode part;

  private Results(Path file, ObjectNode root) {
    this.file = file;
    this.root = root;
  }

  /**
   * @throws UserError if the file is there and is not one of these
   */
  static Results of(Path file) {
    try {
      if (!Files.exists(file)) {
        return new Results(file, JSON.createObjectNode());
      }
      JsonNode read = JSON.readTree(Files.readString(file));
      if (read instanceof ObjectNode root && root.path("parts") instanceof ObjectNode) {
        return new Results(file, root);
      }
    } catch (JacksonException e) {
      // Told below.
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    throw new UserError(file + " is not a file of results: move it away");
  }

  Path file() {
    return file;
  }

  /** Notes the machine's rates for each instruction set, and returns lines that tell them. */
  List<String> ceilings(Ceilings one, Ceilings all) {
    root.put("machine", Machine.describe("cpu"));
    root.put("commit", commit());
    ArrayNode noted = root.putArray("ceilings");
    List<String> lines = new ArrayList<>();
    Isa best = Isa.selected();
    for (Ceilings ceilings : all.threads() == 1 ? List.of(one) : List.of(one, all)) {
      double read = ceilings.memory().best(MemoryRate.Form.READ);
      double copy = ceilings.memory().best(MemoryRate.Form.COPY);
      double update = ceilings.memory().best(MemoryRate.Form.UPDATE);
      double triad = ceilings.memory().best(MemoryRate.Form.TRIAD);
      lines.add(
          String.format(
              Locale.ROOT,
              "%d thread(s): memory read %.1f, copy %.1f, update %.1f, triad %.1f GB/s",
              ceilings.threads(),
              read,
              copy,
              update,
              triad));
      for (Isa isa : Parts.isas()) {
        isa.select();
        double fma = ceilings.best(Limit.FMA);
        double int8 = ceilings.best(Limit.INT8);
        noted
            .addObject()
            .put("threads", ceilings.threads())
            .put("isa", isa.name())
            .put("fma", fma)
            .put("int8", int8)
            .put("read", read)
            .put("copy", copy)
            .put("update", update)
            .put("triad", triad)
            .put("memory", Math.max(Math.max(read, copy), Math.max(update, triad)));
        lines.add(
            String.format(
                Locale.ROOT,
                "%d thread(s), %s: multiply-adds F32 %.1f GFLOP/s, int8 %.1f GFLOP/s",
                ceilings.threads(),
                isa,
                fma,
                int8));
      }
      best.select();
    }
    return lines;
  }

  private static String commit() {
    try {
      Process git =
          new ProcessBuilder("git", "describe", "--always", "--dirty")
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      return new String(git.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      return "";
    }
  }

  void begin(String name) {
    part = JSON.createObjectNode();
    part.put("began", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    part.put("load", Machine.loadAverage());
    part.putArray("figures");
    root.withObject("/parts").set(name, part);
  }

  void add(Figure figure) {
    part.withArray("/figures").add(JSON.valueToTree(figure));
  }

  /** Of a comparison with peers, the lines that {@link org.llm4msr.bench.Rounds} left. */
  void add(String comparison, ArrayNode contenders) {
    part.withObject("/comparisons").set(comparison, contenders);
  }

  JsonNode ceilings() {
    return root.path("ceilings");
  }

  JsonNode figures(String name) {
    return root.path("parts").path(name).path("figures");
  }

  void save() {
    try {
      Files.createDirectories(file.getParent());
      Files.writeString(
          file, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
