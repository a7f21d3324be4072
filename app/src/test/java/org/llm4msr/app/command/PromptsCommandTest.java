package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.Main;
import org.llm4msr.app.demo.DemoWorld;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class PromptsCommandTest {
  private static final int USERS = 60;

  @TempDir Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... args) {
    List<String> all = new ArrayList<>(List.of("prompts", "--data", yaml().toString()));
    all.addAll(List.of(args));
    return Main.run(
        all.toArray(String[]::new), new PrintWriter(out, true), new PrintWriter(err, true));
  }

  private Path yaml() {
    try {
      DemoWorld.generate(5, USERS, 6_000).write(folder.resolve("world"));
      try (Stream<Path> files = Files.list(folder.resolve("world"))) {
        return files.filter(f -> f.toString().endsWith(".yaml")).findFirst().orElseThrow();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private List<JsonNode> lines(Path file) throws IOException {
    return Files.readAllLines(file).stream().map(JsonMapper.shared()::readTree).toList();
  }

  private List<String> filesInFolder() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).filter(f -> !f.equals("world")).toList();
    }
  }

  @Test
  void writesALinePerScenarioAndUser() throws IOException {
    Path file = folder.resolve("p.jsonl");
    assertThat(run("--out", file.toString())).as(err.toString()).isZero();
    List<JsonNode> lines = lines(file);
    assertThat(lines).hasSize(4 + 3 * USERS);
    assertThat(lines).extracting(line -> line.get("id").stringValue()).doesNotHaveDuplicates();
    assertThat(lines.getFirst().get("id").stringValue()).isEqualTo("scenario/web_shop");
    assertThat(lines.getFirst().get("text").stringValue()).contains("This one is: Web shop.");
    assertThat(lines)
        .allSatisfy(line -> assertThat(line.get("text").stringValue()).hasSizeBetween(1, 900));
    assertThat(out.toString()).contains("184 prompts for 4 scenarios and 60 users");
    assertThat(filesInFolder()).containsExactly("p.jsonl");
  }

  @Test
  void languageLengthAndFoldsCanBeChosen() throws IOException {
    Path file = folder.resolve("p.jsonl");
    String[] args = {
      "--out", file.toString(), "--language", "ja", "--folds", "3", "--max-chars", "300", "--json"
    };
    assertThat(run(args)).as(err.toString()).isZero();
    List<JsonNode> lines = lines(file);
    assertThat(lines).hasSize(4 + 4 * USERS);
    assertThat(lines.getFirst().get("text").stringValue()).contains("ウェブショップ");
    assertThat(lines).anyMatch(line -> line.get("id").stringValue().endsWith("#fold3"));
    assertThat(lines).allMatch(line -> line.get("text").stringValue().length() <= 300);
    JsonNode report = JsonMapper.shared().readTree(out.toString());
    assertThat(report.get("prompts").intValue()).isEqualTo(4 + 4 * USERS);
    assertThat(report.get("privacy").get("min_group").intValue()).isEqualTo(5);
    assertThat(report.get("findings").get("identifier").intValue()).isZero();
  }

  @Test
  void aFileThatIsThereIsReplacedByForceOnly() throws IOException {
    Path file = Files.writeString(folder.resolve("p.jsonl"), "precious");
    assertThat(run("--out", file.toString())).isEqualTo(1);
    assertThat(err.toString()).contains("exists already").contains("--force");
    assertThat(file).hasContent("precious");
    assertThat(run("--out", file.toString(), "--force")).isZero();
    assertThat(lines(file)).hasSize(4 + 3 * USERS);
  }

  @Test
  void failuresAreOneLineAndLeaveNothingBehind() throws IOException {
    Path nowhere = folder.resolve("none").resolve("p.jsonl");
    assertThat(run("--out", nowhere.toString())).isEqualTo(1);
    assertThat(err.toString().lines())
        .singleElement()
        .asString()
        .contains("cannot write: there is no folder");
    assertThat(filesInFolder()).isEmpty();
  }

  @Test
  void wrongOptionsAreWrongUsage() {
    assertThat(run()).isEqualTo(2);
    assertThat(run("--out", "x", "--folds", "1")).isEqualTo(2);
    assertThat(run("--out", "x", "--max-chars", "10")).isEqualTo(2);
    assertThat(run("--out", "x", "--language", "fr")).isEqualTo(2);
    assertThat(err.toString()).contains("--folds: expected 0 or at least 2");
  }

  /** In a process of its own, because an environment variable cannot be set in this one. */
  @Test
  void theEnvironmentSaysWhereDataLies() throws IOException, InterruptedException {
    Path moved = Files.createDirectory(folder.resolve("elsewhere")).resolve("d.yaml");
    Files.move(yaml(), moved);
    Path file = folder.resolve("p.jsonl");
    ProcessBuilder builder =
        CommandLineRun.process(
            List.of("prompts", "--data", moved.toString(), "--out", file.toString()));
    builder.environment().put("LLM4MSR_DATA", folder.resolve("world").toString());
    Process process = builder.start();
    String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(printed).isZero();
    assertThat(lines(file)).hasSize(4 + 3 * USERS);

    builder.environment().remove("LLM4MSR_DATA");
    builder.command().add("--force");
    process = builder.start();
    printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isEqualTo(1);
    assertThat(printed.lines()).singleElement().asString().contains("no such file");
  }

  /** The same as of {@code encode --explain}, and each text as {@code generate} continues it. */
  @Test
  void writesWhatAModelConcludes() throws IOException {
    String file = folder.resolve("p.jsonl").toString();
    String[] args = {
      "--out", file, "--folds", "0", "--explain", "--model", "builtin", "--max-new-tokens", "3"
    };
    assertThat(run(args)).as(err.toString()).isZero();
    Path explained = folder.resolve("p.explained.jsonl");
    List<JsonNode> prompts = lines(Path.of(file));
    List<JsonNode> texts = lines(explained);
    assertThat(texts).hasSize(4 + USERS);
    assertThat(texts)
        .extracting(line -> line.get("id").stringValue())
        .containsExactlyElementsOf(
            prompts.stream().map(line -> line.get("id").stringValue()).toList());
    for (int i : new int[] {0, 4, 40}) {
      String prompt = prompts.get(i).get("text").stringValue();
      out.getBuffer().setLength(0);
      command(
          "generate", "--model", "builtin", "--max-new-tokens", "3", "--json", "--prompt", prompt);
      JsonNode generated = JsonMapper.shared().readTree(out.toString());
      assertThat(texts.get(i).get("text")).isEqualTo(generated.get("text"));
    }

    String vectors = folder.resolve("k.safetensors").toString();
    command(
        "encode",
        "--model",
        "builtin",
        "--input",
        file,
        "--out",
        vectors,
        "--explain",
        "--max-new-tokens",
        "3");
    assertThat(folder.resolve("k.explained.jsonl")).hasSameTextualContentAs(explained);

    // Texts that are there are not generated again.
    String kept = Files.readString(explained).replaceFirst("\"text\":\"[^\"]*\"", "\"text\":\"?\"");
    Files.writeString(explained, kept);
    List<String> again = new ArrayList<>(List.of(args));
    again.add("--force");
    assertThat(run(again.toArray(String[]::new))).as(err.toString()).isZero();
    assertThat(explained).hasContent(kept);
  }

  private void command(String... args) {
    int code = Main.run(args, new PrintWriter(out, true), new PrintWriter(err, true));
    assertThat(code).as(err.toString()).isZero();
  }

  @Test
  void explainingNeedsAModelAndAModelExplaining() throws IOException {
    String file = folder.resolve("p.jsonl").toString();
    assertThat(run("--out", file, "--explain")).isEqualTo(2);
    assertThat(err.toString()).contains("--model");
    assertThat(run("--out", file, "--model", "builtin")).isEqualTo(2);
    assertThat(err.toString()).contains("--explain");
    String[] none = {"--out", file, "--explain", "--model", "builtin", "--max-new-tokens", "0"};
    assertThat(run(none)).isEqualTo(2);
    assertThat(err.toString()).contains("--max-new-tokens: expected at least 1, found 0");
    assertThat(filesInFolder()).isEmpty();
  }

  @Test
  void theHelpShowsExamples() {
    assertThat(run("--help")).isZero();
    assertThat(out.toString()).contains("Examples:", "--folds");
  }
}
