package org.llm4msr.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.model.SharedFolder;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Published tokenizers, id for id as their own libraries have it. */
class TokenizerGoldenTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "bert-uncased, tokenizer.json, bert, WordPiece",
    "gpt2, tokenizer.json, gpt2, BPE",
    "phi-3-mini, tokenizer.json, phi3, BPE",
    "qwen, tokenizer.json, qwen2, BPE",
    "llama2, tokenizer.model, llama, SentencePiece bpe",
    "mistral-v3, tokenizer.model, mistral, SentencePiece bpe",
    "chatglm2, tokenizer.model, chatglm, SentencePiece bpe"
  })
  void givesTheSameIds(String name, String file, String modelType, String kind) throws IOException {
    Path source = SharedFolder.require("tokenizers/" + name);
    Files.createSymbolicLink(folder.resolve(file), source.resolve(file).toAbsolutePath());
    Files.writeString(
        folder.resolve("config.json"), "{\"model_type\": \"%s\"}".formatted(modelType));
    JsonNode golden = JsonMapper.shared().readTree(source.resolve("golden.json").toFile());
    int cases = 0;
    try (Tokenizer tokenizer = Tokenizers.open(folder)) {
      assertThat(tokenizer.name()).isEqualTo(kind);
      for (JsonNode example : golden.get("cases")) {
        String text = example.get("text").stringValue();
        assertThat(tokenizer.encode(text))
            .as("with special tokens: %s", text)
            .containsExactly(ids(example.get("ids_with_special")));
        int[] ids = ids(example.get("ids"));
        // Written out special tokens are recognised; SentencePiece alone would not.
        if (file.equals("tokenizer.json") || !text.matches("(?s).*(<|\\[|[se]op).*")) {
          assertThat(tokenizer.encodeRendered(text)).as("bare: %s", text).containsExactly(ids);
        }
        if (kind.startsWith("SentencePiece")) {
          assertThat(tokenizer.decode(ids)).isEqualTo(example.get("decoded").stringValue());
        }
        cases++;
      }
    }
    assertThat(cases).isEqualTo(golden.get("count").intValue()).isGreaterThan(200);
  }

  private static int[] ids(JsonNode array) {
    return array.valueStream().mapToInt(JsonNode::intValue).toArray();
  }
}
