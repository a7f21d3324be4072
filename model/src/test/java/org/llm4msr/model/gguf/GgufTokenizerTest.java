package org.llm4msr.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.model.SharedFolder;
import org.llm4msr.model.tokenizer.Tokenizer;

/** llama.cpp's own pairs of texts and ids for the vocabularies of its test files. */
class GgufTokenizerTest {
  private static final String SEPARATOR = "\n__ggml_vocab_test__\n";

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

  private static int[] ids(String line) {
    return Arrays.stream(line.strip().split("\\s+"))
        .filter(id -> !id.isEmpty())
        .mapToInt(Integer::parseInt)
        .toArray();
  }
}
