package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.app.Main;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.knowledge.KnowledgeFile;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class EncodeCommandTest {
  // Goldens of the model module; Maven runs tests in the module's folder.
  private static final Path LLAMA =
      Path.of("../model/src/test/resources/golden/transformers/llama").toAbsolutePath();

  private static final String WORDS =
      """
      {"version":"1.0","added_tokens":[],"pre_tokenizer":{"type":"Whitespace"},
       "model":{"type":"WordLevel","vocab":{"[UNK]":0,"web":1,"shop":2},"unk_token":"[UNK]"}}\
      """;

  @TempDir Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int encode(String... args) {
    List<String> all = new ArrayList<>(List.of("encode"));
    all.addAll(List.of(args));
    return Main.run(
        all.toArray(String[]::new), new PrintWriter(out, true), new PrintWriter(err, true));
  }

  private Path write(String name, String... lines) throws IOException {
    return Files.writeString(folder.resolve(name), String.join("\n", lines) + "\n");
  }

  private Path knowledge() {
    return folder.resolve("k.safetensors");
  }

  private int encodeOn(Path model, Path input, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "--model",
                model.toString(),
                "--input",
                input.toString(),
                "--out",
                knowledge().toString(),
                "--device",
                "reference"));
    args.addAll(List.of(more));
    return encode(args.toArray(String[]::new));
  }

  @ParameterizedTest
  @CsvSource({"last_prompt, last_token", "mean_prompt, mean_pooled"})
  void tokenLinesNeedNoTokenizerAndGiveTheGoldensVectors(String pool, String expectedName)
      throws IOException {
    float[] expected;
    long[] ids;
    try (Safetensors golden = Safetensors.open(LLAMA.resolve("golden.safetensors"))) {
      expected = golden.tensor(expectedName).data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
      ids = golden.tensor("input_ids").data().toArray(ValueLayout.JAVA_LONG_UNALIGNED);
    }
    int[] lengths = {7, 12, 5};
    Path input =
        write(
            "p.jsonl",
            IntStream.range(0, 3)
                .mapToObj(row ->
                    "{\"id\":\"row "
                        + row
                        + "\",\"tokens\":"
                        + IntStream.range(0, lengths[row])
                            .mapToObj(i -> Long.toString(ids[row * 12 + i]))
                            .collect(Collectors.joining(",", "[", "]"))
                        + "}")
                .toArray(String[]::new));
    assertThat(encodeOn(LLAMA, input, "--pool", pool, "--json")).as(err.toString()).isZero();
    JsonNode summary = JsonMapper.shared().readTree(out.toString());
    assertThat(summary.get("prompts").intValue()).isEqualTo(3);
    assertThat(summary.get("encoded").intValue()).isEqualTo(3);
    assertThat(summary.get("tokens").intValue()).isEqualTo(24);
    assertThat(summary.get("width").intValue()).isEqualTo(64);
    assertThat(err.toString()).contains("reference");
    try (KnowledgeFile file = KnowledgeFile.open(knowledge())) {
      assertThat(file.ids()).containsExactly("row 0", "row 1", "row 2");
      assertThat(file.pool()).isEqualTo(pool);
      float[] vector = new float[64];
      for (int row = 0; row < 3; row++) {
        file.read("row " + row, vector);
        for (int i = 0; i < 64; i++) {
          assertThat(vector[i]).isCloseTo(expected[row * 64 + i], within(1e-4f));
        }
      }
    }
  }

  @Test
  void sharedBeginningsAreComputedOnceAndMakeNoDifference() throws IOException {
    String beginning = "1,2,3,4,5,6,7,8,9,10,11,12";
    Path input =
        write(
            "p.jsonl",
            IntStream.range(0, 20)
                .mapToObj(
                    i -> "{\"id\":\"" + i + "\",\"tokens\":[" + beginning + "," + (20 + i) + "]}")
                .toArray(String[]::new));
    assertThat(encodeOn(LLAMA, input, "--json")).as(err.toString()).isZero();
    JsonNode summary = JsonMapper.shared().readTree(out.toString());
    assertThat(summary.get("tokens").intValue()).isEqualTo(260);
    assertThat(summary.get("computedTokens").intValue()).isEqualTo(32);
    assertThat(err.toString()).containsPattern("needs \\d+ MB of memory .* are free");
    float[] shared = new float[64];
    float[] alone = new float[64];
    try (KnowledgeFile file = KnowledgeFile.open(knowledge())) {
      file.read("7", shared);
    }
    assertThat(encodeOn(LLAMA, input, "--no-prefix-reuse", "--force")).isZero();
    try (KnowledgeFile file = KnowledgeFile.open(knowledge())) {
      file.read("7", alone);
    }
    assertThat(alone).containsExactly(shared, within(1e-5f));
  }

  @Test
  void whatIsReadBelongsToTheKnowledge() throws IOException {
    Path input = write("p.jsonl", "{\"id\":\"a\",\"tokens\":[1,2,3]}");
    String[][] forms = {
      {"last_prompt,layer=1,no_final_norm", "--layer", "1", "--no-final-norm"},
      {"mean_prompt,l2", "--pool", "mean_prompt", "--l2"},
      {"last_generated,max_new_tokens=3", "--pool", "last_generated", "--max-new-tokens", "3"}
    };
    for (String[] form : forms) {
      String[] options = Arrays.copyOfRange(form, 1, form.length);
      assertThat(encodeOn(LLAMA, input, options)).as(err.toString()).isZero();
      assertThat(out.toString()).contains("1 prompts encoded");
      try (KnowledgeFile file = KnowledgeFile.open(knowledge())) {
        assertThat(file.pool()).isEqualTo(form[0]);
      }
      out.getBuffer().setLength(0);
    }
    assertThat(encodeOn(LLAMA, input, "--layer", "3")).isEqualTo(1);
    assertThat(err.toString()).contains("layer 3 is asked for, but the model has 2");
  }

  @Test
  void explanationsAreKeptBesideTheVectorsAndNotGeneratedAgain() throws IOException {
    Path model = modelWithWords();
    Path input =
        write("p.jsonl", "{\"id\":\"a\",\"text\":\"web shop\"}", "{\"id\":\"b\",\"tokens\":[2,1]}");
    String[] options = {"--explain", "--max-new-tokens", "4"};
    assertThat(encodeOn(model, input, options)).as(err.toString()).isZero();
    Path explained = folder.resolve("k.explained.jsonl");
    List<String> lines = Files.readAllLines(explained);
    assertThat(lines).hasSize(2);
    assertThat(JsonMapper.shared().readTree(lines.get(0)).get("id").stringValue()).isEqualTo("a");
    assertThat(JsonMapper.shared().readTree(lines.get(1)).get("text").isString()).isTrue();
    // As a crash might leave it: the first text is there, the second is cut off.
    String kept = lines.get(0).replaceFirst("\"text\":\"[^\"]*\"", "\"text\":\"kept\"");
    Files.writeString(explained, kept + "\n" + lines.get(1).substring(0, 20));
    assertThat(encodeOn(model, input, options)).as(err.toString()).isZero();
    assertThat(Files.readAllLines(explained)).containsExactly(kept, lines.get(1));
  }

  /** The golden model with a tokenizer of three words. */
  private Path modelWithWords() throws IOException {
    Path model = Files.createDirectories(folder.resolve("model"));
    for (String name : List.of("config.json", "model.safetensors")) {
      Files.copy(LLAMA.resolve(name), model.resolve(name));
    }
    Files.writeString(model.resolve("tokenizer.json"), WORDS);
    return model;
  }

  @Test
  void textAndTokensOfTheSamePromptGiveTheSameVector() throws IOException {
    Path input =
        write(
            "p.jsonl",
            "{\"id\":\"a\",\"text\":\"web shop nothing\",\"note\":\"unknown fields may be there\"}",
            "",
            "{\"id\":\"b\",\"tokens\":[1,2,0]}",
            "{\"id\":\"c\",\"text\":\"shop\"}");
    assertThat(encodeOn(modelWithWords(), input)).as(err.toString()).isZero();
    assertThat(out.toString()).contains("3 vectors of width 64; 2 prompts encoded (4 tokens");
    float[] a = new float[64];
    float[] b = new float[64];
    try (KnowledgeFile file = KnowledgeFile.open(knowledge())) {
      file.read("a", a);
      file.read("b", b);
    }
    assertThat(a).containsExactly(b);
  }

  @Test
  void theBuiltinEncoderReadsTextAndSaysWhatItIs() throws IOException {
    Path input =
        write(
            "p.jsonl",
            "{\"id\":\"a\",\"text\":\"likes science fiction\"}",
            "{\"id\":\"b\",\"text\":\"映画が好き\"}");
    assertThat(encodeOn(Path.of("builtin"), input)).as(err.toString()).isZero();
    assertThat(err.toString()).contains("hold no knowledge");
    try (KnowledgeFile file = KnowledgeFile.open(knowledge())) {
      assertThat(file.ids()).containsExactly("a", "b");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\u0001',
      textBlock =
          """
          {"id":"x","text":                    | not valid JSON
          ["x"]                                | expected a JSON object
          {"id":"x","id":"y","text":"web"}     | Duplicate
          {"text":"web"}                       | id is missing
          {"id":7,"text":"web"}                | id is 7, expected a string
          {"id":"","text":"web"}               | id is "", expected
          {"id":"x"}                           | expected either text or tokens
          {"id":"x","text":"web","tokens":[1]} | expected either text or tokens
          {"id":"x","text":null}               | text is null, expected a string
          {"id":"x","tokens":"1"}              | tokens is "1", expected an array
          {"id":"x","tokens":[1,2.5]}          | tokens holds 2.5, expected whole numbers
          {"id":"x","tokens":[1,99999999999]}  | tokens holds 99999999999
          {"id":"x","tokens":[]}               | prompt "x": the prompt has no tokens
          {"id":"x","tokens":[1,384]}          | prompt "x": token 1 has the id 384
          {"id":"x","text":""}                 | prompt "x": the prompt has no tokens
          {"id":"first","text":"web"}          | the id "first" is that of line 1 already
          """)
  void saysWhereTheInputIsWrong(String line, String message) throws IOException {
    Path input = write("p.jsonl", "{\"id\":\"first\",\"tokens\":[1]}", line);
    assertThat(encodeOn(modelWithWords(), input)).isEqualTo(1);
    assertFails(input + ":2: ", message);
    assertThat(folder.toFile().list()).containsExactlyInAnyOrder("p.jsonl", "model");
  }

  private void assertFails(String... parts) {
    List<String> lines =
        err.toString().lines().filter(text -> text.startsWith("llm4msr:")).toList();
    assertThat(lines).hasSize(1);
    assertThat(lines.get(0)).contains(parts);
    assertThat(err.toString()).doesNotContain("\tat ");
  }

  @Test
  void saysWhatIsWrongWithTheFiles() throws IOException {
    assertThat(encodeOn(LLAMA, folder.resolve("no.jsonl"))).isEqualTo(1);
    assertFails("no.jsonl: no such file");
  }

  @Test
  void anEmptyInputIsAMistake() throws IOException {
    assertThat(encodeOn(LLAMA, write("p.jsonl", ""))).isEqualTo(1);
    assertFails("p.jsonl: holds no prompt");
  }

  @Test
  void anInputThatIsNotUtf8IsAMistake() throws IOException {
    Path input = folder.resolve("p.jsonl");
    Files.write(input, "{\"id\":\"\u00e9\"}\n".getBytes(StandardCharsets.ISO_8859_1));
    assertThat(encodeOn(LLAMA, input)).isEqualTo(1);
    assertFails("p.jsonl:1: not valid UTF-8");
  }

  @Test
  void textWithoutATokenizerIsAMistake() throws IOException {
    assertThat(encodeOn(LLAMA, write("p.jsonl", "{\"id\":\"a\",\"text\":\"web\"}"))).isEqualTo(1);
    assertFails("neither tokenizer.json nor tokenizer.model is there");
  }

  @Test
  void neverWritesOverAnythingButKnowledge() throws IOException {
    Path input = write("p.jsonl", "{\"id\":\"a\",\"tokens\":[1]}");
    String[] args = {
      "--model", LLAMA.toString(), "--input", input.toString(), "--device", "reference", "--out"
    };
    List<String> all = new ArrayList<>(List.of(args));
    all.add(input.toString());
    assertThat(encode(all.toArray(String[]::new))).isEqualTo(1);
    assertFails("p.jsonl: exists and is no knowledge file");
    assertThat(input).hasContent("{\"id\":\"a\",\"tokens\":[1]}\n");
  }

  @Test
  void wrongOptionsAreWrongUsage() throws IOException {
    Path input = write("p.jsonl", "{\"id\":\"a\",\"tokens\":[1]}");
    assertThat(encodeOn(LLAMA, input, "--pool", "first")).isEqualTo(2);
    assertThat(err.toString()).containsIgnoringCase("last_prompt, mean_prompt");
    assertThat(encodeOn(LLAMA, input, "--tokens-per-batch", "0")).isEqualTo(2);
    assertThat(encode("--input", "x")).isEqualTo(2);
  }

  private static final int LONG = 80;

  /** Enough work for a few seconds on the reference backend. */
  private Path longInput() throws IOException {
    Random random = new Random(1);
    return write(
        "long.jsonl",
        IntStream.range(0, LONG)
            .mapToObj(i ->
                random
                    .ints(20 + random.nextInt(40), 0, 384)
                    .mapToObj(Integer::toString)
                    .collect(Collectors.joining(",", "{\"id\":\"u" + i + "\",\"tokens\":[", "]}")))
            .toArray(String[]::new));
  }

  private Process start(String shellPrefix, Path input) throws IOException {
    List<String> command = new ArrayList<>();
    if (shellPrefix != null) {
      command.addAll(List.of("sh", "-c", shellPrefix + "; exec \"$@\"", "sh"));
    }
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:-UsePerfData",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            Main.class.getName(),
            "encode",
            "--model",
            LLAMA.toString(),
            "--input",
            input.toString(),
            "--out",
            knowledge().toString(),
            "--device",
            "reference",
            "--tokens-per-batch",
            "100"));
    return new ProcessBuilder(command)
        .redirectOutput(folder.resolve("stdout").toFile())
        .redirectError(folder.resolve("stderr").toFile())
        .start();
  }

  /** Starts a job and returns when it has finished some vectors, long before its end. */
  private Process startAndWait(Path input) throws IOException, InterruptedException {
    Process process = start(null, input);
    Path partial = folder.resolve("k.safetensors.partial");
    while (process.isAlive() && !(Files.exists(partial) && Files.size(partial) > 5_000)) {
      Thread.sleep(5);
    }
    return process;
  }

  private byte[] undisturbed(Path input) throws IOException {
    assertThat(encodeOn(LLAMA, input, "--tokens-per-batch", "100")).isZero();
    byte[] bytes = Files.readAllBytes(knowledge());
    Files.delete(knowledge());
    return bytes;
  }

  @Test
  void aKilledJobGoesOnAndEndsWithTheSameBits() throws Exception {
    Path input = longInput();
    byte[] expected = undisturbed(input);
    Process process = startAndWait(input);
    process.destroyForcibly();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(knowledge()).doesNotExist();
    assertThat(folder.resolve("k.safetensors.partial")).exists();

    assertThat(encodeOn(LLAMA, input, "--tokens-per-batch", "100", "--json")).isZero();
    JsonNode summary =
        JsonMapper.shared().readTree(out.toString().substring(out.toString().indexOf('{')));
    assertThat(summary.get("resumed").intValue()).isPositive();
    assertThat(summary.get("resumed").intValue() + summary.get("encoded").intValue())
        .isEqualTo(LONG);
    assertThat(Files.readAllBytes(knowledge())).isEqualTo(expected);
    assertThat(folder.resolve("k.safetensors.partial")).doesNotExist();
  }

  @Test
  void aStoppedJobSaysWhatItKeepsAndGoesOn() throws Exception {
    Path input = longInput();
    byte[] expected = undisturbed(input);
    Process process = startAndWait(input);
    // SIGTERM takes the same way as Ctrl-C's SIGINT, which a background process may ignore.
    process.destroy();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isNotZero();
    assertThat(Files.readString(folder.resolve("stderr")))
        .containsPattern("llm4msr: stopped; [1-9]\\d* vectors are kept in .*k.safetensors.partial")
        .contains("the same command goes on from there");
    assertThat(knowledge()).doesNotExist();
    assertThat(encodeOn(LLAMA, input, "--tokens-per-batch", "100")).isZero();
    assertThat(Files.readAllBytes(knowledge())).isEqualTo(expected);
  }

  @Test
  void aDiskThatIsFullEndsInOneLine() throws Exception {
    // A limit on the size of files (in blocks of 512 bytes) stands for the disk's end.
    Process process = start("ulimit -f 40", longInput());
    assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
    String stderr = Files.readString(folder.resolve("stderr"));
    assertThat(process.exitValue()).as(stderr).isEqualTo(1);
    assertThat(stderr.lines().filter(line -> line.startsWith("llm4msr:")))
        .singleElement()
        .asString()
        .contains("k.safetensors.partial: cannot write: ");
    assertThat(knowledge()).doesNotExist();
  }

  @Test
  void takesAGgufFileAndQuantisesDirectories() throws IOException {
    Path input = write("p.jsonl", "{\"id\": \"a\", \"tokens\": [1, 2, 3]}");
    Path gguf = LLAMA.resolve("../../gguf/llama-Q8_0.gguf").normalize();
    assertThat(encodeOn(gguf, input)).as(err.toString()).isZero();
    float[] fromFile = vector();
    assertThat(encodeOn(LLAMA, input, "--quantize", "q8_0")).as(err.toString()).isZero();
    assertThat(vector()).hasSameSizeAs(fromFile).isNotEqualTo(fromFile);
    float[] quantised = vector();
    assertThat(encodeOn(LLAMA, input)).as(err.toString()).isZero();
    // Another model to the file, so nothing is taken over from the run before.
    assertThat(vector()).isNotEqualTo(quantised).containsExactly(quantised, within(0.2f));
    assertThat(encodeOn(LLAMA, input, "--quantize", "w8a8")).as(err.toString()).isZero();
    float[] int8 = vector();
    assertThat(int8).isNotEqualTo(quantised).containsExactly(quantised, within(0.2f));
    assertThat(encodeOn(gguf, input, "--quantize", "w8a8")).as(err.toString()).isZero();
    assertThat(vector()).isNotEqualTo(fromFile).containsExactly(fromFile, within(0.2f));
    assertThat(encodeOn(gguf, input, "--quantize", "a8")).as(err.toString()).isZero();
    assertThat(vector()).isNotEqualTo(fromFile).containsExactly(fromFile, within(0.2f));
    assertThat(encodeOn(LLAMA, input, "--quantize", "q8_0_a8")).as(err.toString()).isZero();
    assertThat(vector()).isNotEqualTo(quantised).containsExactly(quantised, within(0.2f));
    assertThat(encodeOn(LLAMA, input, "--quantize", "a8")).isEqualTo(1);
    assertThat(err.toString()).contains("a8 multiplies weights in Q8_0, Q4_0, Q4_K or Q6_K");
    assertThat(encodeOn(LLAMA, input, "--quantize", "q3_k")).isEqualTo(2);
    assertThat(err.toString())
        .contains("--quantize: expected w8a8, a8, q8_0, q4_0, q8_0_a8 or q4_0_a8, found q3_k");
    assertThat(encodeOn(gguf, input, "--quantize", "q4_0")).isEqualTo(1);
    assertThat(err.toString()).contains("a GGUF file keeps the types it has");
  }

  @Test
  void asksForAChatTemplate() throws IOException {
    Path input = write("p.jsonl", "{\"id\": \"a\", \"text\": \"web shop\"}");
    assertThat(encodeOn(LLAMA, input, "--chat")).isEqualTo(1);
    assertThat(err.toString()).contains("has no chat template");
  }

  @Test
  void encodesWhatIsNewOrChangedSince() throws IOException {
    Path old = folder.resolve("old.safetensors");
    String[] lines = {
      "{\"id\": \"a\", \"tokens\": [1, 2, 3]}",
      "{\"id\": \"b\", \"tokens\": [4]}",
      "{\"id\": \"c\", \"tokens\": [5]}"
    };
    assertThat(encodeOn(LLAMA, write("old.jsonl", lines))).as(err.toString()).isZero();
    Files.move(knowledge(), old);
    lines[1] = "{\"id\": \"b\", \"tokens\": [4, 4]}";
    lines[2] = "{\"id\": \"d\", \"tokens\": [6]}";
    Path input = write("new.jsonl", lines);
    assertThat(encodeOn(LLAMA, input, "--since", old.toString())).as(err.toString()).isZero();
    assertThat(out.toString())
        .contains("3 vectors", "2 prompts encoded", "1 prompts are new, 1 have changed, 1 are the")
        .contains("same, 1 are gone");
    assertThat(encodeOn(LLAMA, input, "--since", old.toString(), "--force")).isEqualTo(2);
    assertThat(encodeOn(LLAMA, input, "--since", "nothing")).isEqualTo(1);
    assertThat(encodeOn(LLAMA, input, "--since", old.toString(), "--l2")).isEqualTo(1);
    assertThat(err.toString()).contains("old.safetensors: its vectors are pooled as last_prompt");
  }

  private float[] vector() {
    try (Safetensors file = Safetensors.open(knowledge())) {
      return file.tensor("hidden").data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    }
  }
}
