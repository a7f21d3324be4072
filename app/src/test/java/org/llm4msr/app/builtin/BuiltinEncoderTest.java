package org.llm4msr.app.builtin;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.app.demo.DemoWorld;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Pooling;

class BuiltinEncoderTest {
  private static final int TEXTS_PER_CATEGORY = 10;
  private static final int TITLES_PER_TEXT = 6;

  @TempDir static Path folder;
  private static Path directory;

  @BeforeAll
  static void unpack() throws IOException {
    directory = BuiltinEncoder.unpack(folder.resolve("encoder"));
  }

  @Test
  void whatShipsIsWhatTheToolMakes(@TempDir Path rebuilt) throws IOException {
    EncoderBuilder.build(rebuilt);
    long bytes = 0;
    try (var files = Files.list(rebuilt)) {
      for (Path file : files.toList()) {
        assertThat(directory.resolve(file.getFileName()))
            .as("make the resource again as the Javadoc of EncoderBuilder says")
            .hasSameBinaryContentAs(file);
        bytes += Files.size(file);
      }
    }
    assertThat(bytes).isLessThan(4_000_000);
  }

  @ParameterizedTest
  @CsvSource({"title", "title_ja"})
  void textsAboutTheSameThingsLieNearerThanOthers(String column) throws IOException {
    Map<String, List<String>> titles = titlesByCategory(column);
    List<String> texts = new ArrayList<>();
    for (List<String> ofCategory : titles.values()) {
      // No title is used twice: what the texts of a category share is words, not articles.
      for (int t = 0; t < TEXTS_PER_CATEGORY; t++) {
        int first = t * TITLES_PER_TEXT;
        texts.add(String.join(", ", ofCategory.subList(first, first + TITLES_PER_TEXT)));
      }
    }
    float[][] vectors;
    EncoderOptions options = EncoderOptions.defaults().withPooling(Pooling.MEAN_PROMPT);
    try (FrozenEncoder encoder = FrozenEncoder.load(directory, options)) {
      vectors = encoder.encode(texts);
    }
    centre(vectors);
    double same = 0;
    double other = 0;
    int nearestIsSame = 0;
    for (int i = 0; i < vectors.length; i++) {
      double best = Double.NEGATIVE_INFINITY;
      int nearest = -1;
      for (int j = 0; j < vectors.length; j++) {
        double cosine = cosine(vectors[i], vectors[j]);
        if (i != j && cosine > best) {
          best = cosine;
          nearest = j;
        }
        if (i != j && category(i) == category(j)) {
          same += cosine / (vectors.length * (TEXTS_PER_CATEGORY - 1.0));
        } else if (i != j) {
          other += cosine / (vectors.length * (vectors.length - (double) TEXTS_PER_CATEGORY));
        }
      }
      nearestIsSame += category(nearest) == category(i) ? 1 : 0;
    }
    assertThat(same).isGreaterThan(other + 0.3);
    assertThat(nearestIsSame).isGreaterThan(vectors.length * 9 / 10);
  }

  @Test
  void everyTextSurvivesTheTokenizer() throws IOException {
    List<String> texts =
        List.of(
            "Yukimori Handmade Rice Bowl",
            "ユキモリ 手作り ご飯茶碗",
            "  two  spaces,\ttabs\nand lines\r\n",
            "Ünïcödé ß 𝒳 🦊 العربية",
            "don't 12,345.67 %$#",
            "");
    try (HuggingFaceTokenizer tokenizer =
        HuggingFaceTokenizer.newInstance(directory.resolve("tokenizer.json"))) {
      for (String text : texts) {
        assertThat(tokenizer.decode(tokenizer.encode(text).getIds())).isEqualTo(text);
      }
    }
  }

  @Test
  void categoriesAreSingleTokens() throws IOException {
    try (HuggingFaceTokenizer tokenizer =
        HuggingFaceTokenizer.newInstance(directory.resolve("tokenizer.json"))) {
      for (String word : List.of(" Pets", " Electronics", "ペット用品", "家電")) {
        assertThat(tokenizer.encode(word).getIds()).as(word).hasSize(1);
      }
    }
  }

  private static Map<String, List<String>> titlesByCategory(String column) throws IOException {
    DemoWorld.generate(DemoWorld.SEED, 1, 1).write(folder.resolve("world"));
    List<String> lines = Files.readAllLines(folder.resolve("world").resolve("items.csv"));
    List<String> names = List.of(lines.getFirst().split(","));
    Map<String, List<String>> titles = new TreeMap<>();
    // The articles of a subcategory stand together, 25 of them: step over them to mix.
    for (int offset = 0; offset < 25; offset++) {
      for (int i = 1 + offset; i < lines.size(); i += 25) {
        String[] fields = lines.get(i).split(",");
        titles
            .computeIfAbsent(fields[names.indexOf("category")], k -> new ArrayList<>())
            .add(fields[names.indexOf(column)]);
      }
    }
    return titles;
  }

  private static int category(int text) {
    return text / TEXTS_PER_CATEGORY;
  }

  private static void centre(float[][] vectors) {
    for (int d = 0; d < vectors[0].length; d++) {
      double mean = 0;
      for (float[] vector : vectors) {
        mean += vector[d] / (double) vectors.length;
      }
      for (float[] vector : vectors) {
        vector[d] -= (float) mean;
      }
    }
  }

  private static double cosine(float[] a, float[] b) {
    double product = 0;
    double squareA = 0;
    double squareB = 0;
    for (int d = 0; d < a.length; d++) {
      product += a[d] * b[d];
      squareA += a[d] * a[d];
      squareB += b[d] * b[d];
    }
    return product / Math.sqrt(squareA * squareB);
  }
}
