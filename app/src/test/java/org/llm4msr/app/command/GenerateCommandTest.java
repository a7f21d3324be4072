package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.llm4msr.app.Main;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class GenerateCommandTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int generate(String... args) {
    List<String> all = new ArrayList<>(List.of("generate"));
    all.addAll(List.of(args));
    return Main.run(
        all.toArray(String[]::new), new PrintWriter(out, true), new PrintWriter(err, true));
  }

  private static String story() {
    String named = System.getProperty("LLM4MSR_SHARED", System.getenv("LLM4MSR_SHARED"));
    Path shared = named == null ? Path.of("../../shared") : Path.of(named);
    Path model = shared.resolve("weights/tinystories-656k");
    assumeTrue(Files.exists(model), "needs ../shared/weights/tinystories-656k");
    return model.toString();
  }

  @Test
  void streamsAStoryAndPrintsTheSameAsJson() {
    String model = story();
    String[] request = {"--model", model, "--prompt", "Once upon a time", "--max-new-tokens", "40"};
    assertThat(generate(request)).as(err.toString()).isZero();
    String streamed = out.toString();
    assertThat(streamed.split(" ")).hasSizeGreaterThan(15);
    out.getBuffer().setLength(0);
    List<String> json = new ArrayList<>(List.of(request));
    json.add("--json");
    assertThat(generate(json.toArray(String[]::new))).isZero();
    JsonNode node = JsonMapper.shared().readTree(out.toString());
    assertThat(node.get("text").stringValue() + System.lineSeparator()).isEqualTo(streamed);
  }

  @Test
  void drawsTheSameForTheSameSeed() {
    String model = story();
    List<String> texts = new ArrayList<>();
    for (String seed : List.of("1", "1", "2")) {
      out.getBuffer().setLength(0);
      String[] request = {
        "--model",
        model,
        "--prompt",
        "The dog",
        "--max-new-tokens",
        "20",
        "--temperature",
        "1",
        "--top-p",
        "0.9",
        "--seed",
        seed
      };
      assertThat(generate(request)).as(err.toString()).isZero();
      texts.add(out.toString());
    }
    assertThat(texts.get(1)).isEqualTo(texts.get(0));
    assertThat(texts.get(2)).isNotEqualTo(texts.get(0));
  }

  @Test
  void refusesWhatMakesNoSense() {
    String[][] wrong = {
      {"--temperature", "-1"}, {"--top-p", "0"}, {"--top-p", "1.5"}, {"--max-new-tokens", "0"}
    };
    for (String[] option : wrong) {
      assertThat(generate("--model", "x", "--prompt", "y", option[0], option[1])).isEqualTo(2);
      assertThat(err.toString()).contains(option[0] + ": expected");
    }
    assertThat(generate("--model", "no/such/folder", "--prompt", "y")).isEqualTo(1);
    assertThat(err.toString()).contains("no/such/folder");
  }
}
