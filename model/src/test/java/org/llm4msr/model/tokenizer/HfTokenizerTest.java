package org.llm4msr.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.model.SharedFolder;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class HfTokenizerTest {
  /** One token per word; asks for truncation and padding, which the engine does not want. */
  private static final String WORDS =
      """
      {"version":"1.0",
       "truncation":{"direction":"Right","max_length":3,"strategy":"LongestFirst","stride":0},
       "padding":{"strategy":{"Fixed":8},"direction":"Right","pad_to_multiple_of":null,
                  "pad_id":0,"pad_type_id":0,"pad_token":"[UNK]"},
       "added_tokens":[{"id":5,"content":"<end>","single_word":false,"lstrip":false,
                        "rstrip":false,"normalized":false,"special":true}],
       "normalizer":null,
       "pre_tokenizer":{"type":"Whitespace"},
       "post_processor":{"type":"TemplateProcessing",
         "single":[{"SpecialToken":{"id":"[BOS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
         "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
         "special_tokens":{"[BOS]":{"id":"[BOS]","ids":[1],"tokens":["[BOS]"]}}},
       "decoder":null,
       "model":{"type":"WordLevel","vocab":{"[UNK]":0,"[BOS]":1,"web":2,"shop":3,"映画":4},
                "unk_token":"[UNK]"}}\
      """;

  @TempDir Path folder;

  private Path write(String json) throws IOException {
    return Files.writeString(folder.resolve("tokenizer.json"), json);
  }

  @Test
  void addsSpecialTokensAndNeitherTruncatesNorPads() throws IOException {
    write(WORDS);
    try (HfTokenizer tokenizer = HfTokenizer.open(folder)) {
      assertThat(tokenizer.encode("web shop web 映画 nothing <end>"))
          .containsExactly(1, 2, 3, 2, 4, 0, 5);
      assertThat(tokenizer.encode("")).containsExactly(1);
      assertThat(tokenizer.name()).isEqualTo("WordLevel");
      assertThat(tokenizer.vocabularySize()).isEqualTo(5);
    }
  }

  @Test
  void survivesAnyJavaString() throws IOException {
    write(WORDS);
    try (HfTokenizer tokenizer = HfTokenizer.open(folder)) {
      assertThat(tokenizer.encode("web \ud83d shop")).containsExactly(1, 2, 0, 3);
      assertThat(tokenizer.encode("web \udd25\ud83d\udd25\ud83d")).startsWith(1, 2);
      assertThat(tokenizer.encode("web \u0000 shop")).startsWith(1, 2).endsWith(3);
    }
  }

  @Test
  void servesSeveralThreadsAndFreesItsNativePart() throws IOException {
    write(WORDS);
    int openBefore = AllocationTracker.open().size();
    HfTokenizer tokenizer = HfTokenizer.open(folder);
    List<int[]> ids =
        IntStream.range(0, 400)
            .parallel()
            .mapToObj(i -> tokenizer.encode("web ".repeat(i % 50)))
            .toList();
    for (int i = 0; i < 400; i++) {
      assertThat(ids.get(i)).hasSize(1 + i % 50);
    }
    tokenizer.close();
    tokenizer.close();
    assertThat(AllocationTracker.open()).hasSize(openBefore);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\u0001',
      textBlock =
          """
          {"model":                                              | not valid JSON
          []                                                     | expected a JSON object
          {}                                                     | model.vocab is missing
          {"model":{"type":"BPE","vocab":{},"merges":[]}}        | model.vocab is missing or empty
          {"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}  | the id -1 is out of range
          {"model":{"type":"BPE","vocab":{"a":"b"}}}             | expected whole numbers
          {"model":{"type":"BPE","vocab":{"a":0},"dropout":0.1}} | model.dropout is set
          {"model":{"type":"Nonsense","vocab":{"a":0}}}          | not a valid tokenizer
          {"version":"1.0","added_tokens":3,"model":{"type":"BPE","vocab":{"a":0},"merges":[]}} | not a valid tokenizer
          """)
  void refusesBrokenFiles(String json, String message) throws IOException {
    Path file = write(json);
    assertThatThrownBy(() -> HfTokenizer.open(folder))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith(file.toString())
        .hasMessageContaining(message)
        .hasMessageNotContaining("\n");
  }

  @Test
  void saysThatTheFileIsMissing() {
    assertThatThrownBy(() -> HfTokenizer.open(folder))
        .isInstanceOf(UserError.class)
        .hasMessage(folder.resolve("tokenizer.json") + ": no such file");
  }

  /** Loads this package anew and hides DJL, as on a class path without it. */
  private static final class WithoutDjl extends ClassLoader {
    WithoutDjl() {
      super(HfTokenizerTest.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (name.startsWith("ai.djl.")) {
        throw new ClassNotFoundException(name);
      }
      Class<?> loaded = findLoadedClass(name);
      if (loaded != null || !name.startsWith("org.llm4msr.model.tokenizer.")) {
        return loaded != null ? loaded : super.loadClass(name, resolve);
      }
      try (InputStream code = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
        byte[] bytes = code.readAllBytes();
        return defineClass(name, bytes, 0, bytes.length);
      } catch (IOException e) {
        throw new ClassNotFoundException(name, e);
      }
    }
  }

  @Test
  void saysThatTheLibraryIsNotOnTheClassPath() throws Exception {
    Path file = write(WORDS);
    Class<?> type = new WithoutDjl().loadClass(HfTokenizer.class.getName());
    assertThatThrownBy(() -> type.getMethod("open", Path.class).invoke(null, folder))
        .cause()
        .isInstanceOf(UserError.class)
        .hasMessage(file + ": needs ai.djl.huggingface:tokenizers, which is not on the class path");
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "qwen", "phi-3-mini", "bert-uncased"})
  void agreesWithTheOriginalOnRealTokenizers(String family) {
    Path directory = SharedFolder.require("tokenizers/" + family);
    JsonNode cases =
        JsonMapper.shared().readTree(directory.resolve("golden.json").toFile()).get("cases");
    assertThat(cases.size()).isGreaterThan(200);
    try (HfTokenizer tokenizer = HfTokenizer.open(directory)) {
      for (JsonNode example : cases) {
        assertThat(tokenizer.encode(example.get("text").stringValue()))
            .as("%s", example.get("text"))
            .containsExactly(
                example
                    .get("ids_with_special")
                    .valueStream()
                    .mapToInt(JsonNode::intValue)
                    .toArray());
      }
    }
  }

  @Test
  void agreesWithTheOriginalOnASmallRealModel() {
    Path directory = SharedFolder.require("weights/tinystories-656k");
    JsonNode examples =
        JsonMapper.shared().readTree(directory.resolve("golden_hidden.json").toFile());
    try (HfTokenizer tokenizer = HfTokenizer.open(directory)) {
      assertThat(tokenizer.vocabularySize()).isEqualTo(2048);
      for (JsonNode example : examples) {
        // The golden's library rebuilt this tokenizer without its unknown token; the file has one.
        assertThat(
                Arrays.stream(tokenizer.encode(example.get("text").stringValue()))
                    .filter(id -> id != 0))
            .containsExactly(
                example.get("ids").valueStream().map(JsonNode::intValue).toArray(Integer[]::new));
      }
    }
  }
}
