package org.llm4msr.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.model.SharedFolder;
import org.llm4msr.model.tokenizer.Tokenizer;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** llama.cpp's own pairs of texts and ids for the vocabularies of its test files. */
class GgufTokenizerTest {
  private static final String SEPARATOR = "\n__ggml_vocab_test__\n";

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    // Ids that stand before and behind every text.
    "gpt-2, '', ''",
    "deepseek-coder, 32013, ''",
    "llama-spm, 1, ''",
    "bert-bge, 101, 102",
    "llama-bpe, 128000, ''",
    "qwen2, '', ''"
  })
  void givesTheSameIds(String name, String before, String behind) throws IOException {
    String base = "tokenizers/gguf-vocab/ggml-vocab-" + name + ".gguf";
    Path vocabulary = SharedFolder.require(base);
    String[] texts = Files.readString(SharedFolder.require(base + ".inp")).split(SEPARATOR, -1);
    List<String> lines = Files.readString(SharedFolder.require(base + ".out")).lines().toList();
    // The last text is empty, and its line may be missing.
    assertThat(lines.size()).isBetween(texts.length - 1, texts.length);
    try (GgufFile file = GgufFile.open(vocabulary);
        Tokenizer tokenizer = GgufTokenizer.open(file)) {
      for (int i = 0; i < lines.size(); i++) {
        int[] expected = ids(lines.get(i));
        assertThat(tokenizer.encodeRendered(texts[i]))
            .as("text %d: %s", i, texts[i])
            .containsExactly(expected);
        assertThat(tokenizer.encode(texts[i]))
            .containsExactly(ids(before + " " + lines.get(i) + " " + behind));
      }
    }
  }

  /** Qwen's published vocabulary stored as a GGUF file, against the ids of its own library. */
  @Test
  void givesTheSameIdsForQwen() throws IOException {
    Path source = SharedFolder.require("tokenizers/qwen");
    JsonNode json = JsonMapper.shared().readTree(source.resolve("tokenizer.json").toFile());
    Map<Integer, String> tokens = new TreeMap<>();
    json.get("model").get("vocab").forEachEntry((token, id) -> tokens.put(id.intValue(), token));
    int plain = tokens.size();
    json.get("added_tokens")
        .forEach(token ->
            tokens.putIfAbsent(token.get("id").intValue(), token.get("content").stringValue()));
    int[] types = new int[tokens.size()];
    Arrays.fill(types, 1);
    Arrays.fill(types, plain, types.length, 3);
    String[] merges =
        json.get("model")
            .get("merges")
            .valueStream()
            .map(merge ->
                merge.isString()
                    ? merge.stringValue()
                    : merge.get(0).stringValue() + " " + merge.get(1).stringValue())
            .toArray(String[]::new);
    Path made = folder.resolve("qwen.gguf");
    Files.write(
        made,
        new GgufFiles()
            .text("tokenizer.ggml.model", "gpt2")
            .text("tokenizer.ggml.pre", "qwen2")
            .texts("tokenizer.ggml.tokens", tokens.values().toArray(String[]::new))
            .wholes("tokenizer.ggml.token_type", types)
            .texts("tokenizer.ggml.merges", merges)
            .build());
    JsonNode golden = JsonMapper.shared().readTree(source.resolve("golden.json").toFile());
    try (GgufFile file = GgufFile.open(made);
        Tokenizer tokenizer = GgufTokenizer.open(file)) {
      for (JsonNode example : golden.get("cases")) {
        String text = example.get("text").stringValue();
        assertThat(tokenizer.encode(text))
            .as(text)
            .containsExactly(
                example.get("ids").valueStream().mapToInt(JsonNode::intValue).toArray());
      }
    }
  }

  private static int[] ids(String line) {
    return Arrays.stream(line.strip().split("\\s+"))
        .filter(id -> !id.isEmpty())
        .mapToInt(Integer::parseInt)
        .toArray();
  }
}
