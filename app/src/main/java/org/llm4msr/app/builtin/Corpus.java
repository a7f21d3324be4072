package org.llm4msr.app.builtin;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.app.demo.DemoWorld;

/**
 * The texts that the tokenizer is trained on: what the demo company calls its goods, categories and
 * scenarios, and sentences like those of the prompts, in English and Japanese.
 */
final class Corpus {
  /** Counts up to here become tokens of their own where the vocabulary has room. */
  private static final int NUMBERS = 60;

  private static final List<String> SENTENCES =
      List.of(
          "What one person likes, scenario by scenario. The person is 25-34 years old. ",
          "People meet items in four scenarios. This one is the web shop. More sweets, less coffee. ",
          "Nothing is known yet about what this person likes. Liked of seen: such as twice. ",
          "Rows, users, most seen, shared, frequent in all, fewer than 5 against overall. ",
          "In short, this person likes quality over price and people in the store like bargains. ",
          "ある人の好みを場面ごとにまとめる。この人は二十代。",
          "人と品物が出会う場面は四つある。ここで扱う場面はウェブショップ。",
          "この人の好みはまだ分からない。好き/見た数。多いもの、少なめ、共通点、たとえば。",
          "まとめると、この人が好きなのは質の良いもので、実店舗で好まれるのは手頃なもの。");

  private Corpus() {}

  static List<String> texts() {
    List<String> texts = new ArrayList<>();
    for (String text : DemoWorld.generate(DemoWorld.SEED, 1, 1).texts()) {
      texts.add(text);
      texts.add(" " + text); // inside a sentence a word carries the space before it
    }
    for (int n = 1; n <= NUMBERS; n++) {
      texts.addAll(SENTENCES);
      texts.add("liked %d of %d, %d/%d, %d %%, %d件中%d件が好き".formatted(n, n, n, n, n, n, n));
    }
    return texts;
  }
}
