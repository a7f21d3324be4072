package org.llm4msr.app.builtin;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ByteLevelBpeTest {
  /** The worked example of Sennrich et al. 2016, figure 2, without the end-of-word symbol. */
  @Test
  void mergesTheMostFrequentPairFirst() {
    List<String> texts = new ArrayList<>();
    texts.addAll(Collections.nCopies(5, "low"));
    texts.addAll(Collections.nCopies(2, "lowest"));
    texts.addAll(Collections.nCopies(6, "newer"));
    texts.addAll(Collections.nCopies(3, "wider"));
    JsonNode model = model(ByteLevelBpe.train(texts, 258 + 3));
    // e r: 9 times; then l o and o w: 7 each, the first in order of their strings; then lo w: 7.
    assertThat(merges(model)).containsExactly("e r", "l o", "lo w");
    assertThat(model.get("vocab").get("er").asInt()).isEqualTo(258);
    assertThat(model.get("vocab").get("low").asInt()).isEqualTo(260);
  }

  @Test
  void stopsWhenNoPairComesTwice() {
    JsonNode model = model(ByteLevelBpe.train(List.of("abc"), 1000));
    assertThat(merges(model)).isEmpty();
  }

  @Test
  void numbersAreWithoutGapsAndAllBytesAreThere() {
    ByteLevelBpe bpe = ByteLevelBpe.train(List.of("お茶 お茶 お茶", "abab abab"), 300);
    Set<Integer> ids = new HashSet<>();
    JsonNode vocabulary = model(bpe).get("vocab");
    vocabulary.forEach(id -> ids.add(id.asInt()));
    assertThat(ids).hasSize(bpe.vocabularySize());
    assertThat(Collections.max(ids)).isEqualTo(bpe.vocabularySize() - 1);
    // GPT-2's table: space, newline, delete, soft hyphen and a plain letter.
    for (String symbol : List.of("Ġ", "Ċ", "ġ", "Ń", "a")) {
      assertThat(vocabulary.has(symbol)).as(symbol).isTrue();
    }
  }

  private static JsonNode model(ByteLevelBpe bpe) {
    return JsonMapper.shared().readTree(bpe.toJson()).get("model");
  }

  private static List<String> merges(JsonNode model) {
    List<String> merges = new ArrayList<>();
    model.get("merges").forEach(m -> merges.add(m.get(0).asString() + " " + m.get(1).asString()));
    return merges;
  }
}
