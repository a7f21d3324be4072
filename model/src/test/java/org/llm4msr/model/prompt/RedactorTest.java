package org.llm4msr.model.prompt;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.model.prompt.Audit.Finding;
import org.llm4msr.model.prompt.PrivacyPolicy.Pattern;

class RedactorTest {
  private static final Set<String> IDENTIFIERS =
      Set.of("usr-7f3a9", "sku-00123", "alice_s", "b00x4whp5e", "客-0042");

  private static PrivacyPolicy policy(Set<Pattern> patterns, String... terms) {
    return new PrivacyPolicy(List.of(), 1, patterns, List.of(terms));
  }

  private final Audit audit = new Audit();
  private final Redactor redactor =
      new Redactor(policy(EnumSet.allOf(Pattern.class), "Tanaka", "山田"), IDENTIFIERS);

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "write to ann.b+c@mail.example.co.jp now | write to [email] now",
        "連絡先はbob@example.jpまで | [email]",
        "see https://shop.example/u?id=5&t=x for more | see [link] for more",
        "WWW.example.com/a | [link]",
        "card 4111 1111 1111 1111 ok | card [card] ok",
        "card 4111111111111111 | card [card]",
        "3782-822463-10005 | [card]",
        "call +81 90-1234-5678 | call [phone]",
        "call 090-1234-5678 | call [phone]",
        "電話03-1234-5678まで | 電話[phone]まで",
        "０９０－１２３４－５６７８ | [phone]",
        "(555) 123-4567 | [phone]",
        "555-123-4567 | [phone]",
        "+1 (555) 123 4567 | [phone]",
        "06 12 34 56 78 | [phone]",
        "order 12345678 | order [number]",
        "１２３４５６７８ | [number]",
        "session 550e8400-e29b-41d4-a716-446655440000 | session [token]",
        "key a1b2c3d4e5f6a7b8c9 | key [token]",
        "Gift of USR-7F3A9! | Gift of [id]!",
        "cup (sku-00123) | cup ([id])",
        "商品SKU-00123です | 商品[id]です",
        "by alice_s. | by [id].",
        "ＵＳＲ－７Ｆ３Ａ９ | [id]",
        "u\u200Bsr-7f3a9 | [id]",
        "B00X4WHP5E B00X4WHP5E | [id] [id]",
        "nach 客-0042 | nach [id]",
        "ask TANAKA | ask [removed]",
        "山田さんの本 | [removed]さんの本",
      })
  void whatGivesSomeoneAwayIsReplaced(String text, String expected) {
    assertThat(redactor.redact(text, audit)).contains(expected.strip());
    // What the pattern took has left nothing of itself.
    assertThat(redactor.redact(text, audit)).doesNotContainPattern("[0-9]{5}|example\\.(jp|co)");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "2001: A Space Odyssey (1968)",
        "Blade Runner 2049 (2017)",
        "THE iDOLM@STER",
        "11eyes, Area 88, 86, Major S6",
        "Evangelion: 1.0, 2.22, 3.33 and 3.0+1.0",
        "1999-2000, 2001-2010",
        "231,116 rows, 4,621 users, 63 % liked",
        "Comedy 20/25, Action 12/14, Drama 6/6",
        "Tanakas and Kitanaka",
        "XUSR-7F3A9 and sku-001234",
        "007 / Goldfinger",
        "Ocean's 11 12 13 (2001 2004 2007)",
        "Mahou Shoujo Madoka★Magica Movie 3: Hangyaku no Monogatari",
        "Supercalifragilisticexpialidocious",
        "機動戦士ガンダム00 第2期",
        "4111 1111 1111 1112",
      })
  void ordinaryTitlesStayAsTheyAre(String text) {
    assertThat(redactor.redact(text, audit)).isEqualTo(text);
  }

  @Test
  void findingsAreCounted() {
    redactor.redact("a@b.cc and c@d.ee, 12345678, alice_s, Tanaka", audit);
    assertThat(audit.count(Finding.EMAIL)).isEqualTo(2);
    assertThat(audit.count(Finding.NUMBER)).isEqualTo(1);
    assertThat(audit.count(Finding.IDENTIFIER)).isEqualTo(1);
    assertThat(audit.count(Finding.TERM)).isEqualTo(1);
    assertThat(audit.count(Finding.PHONE)).isZero();
  }

  @Test
  void identifiersGoEvenWhenNoPatternIsAskedFor() {
    Redactor lenient = new Redactor(policy(EnumSet.noneOf(Pattern.class)), IDENTIFIERS);
    assertThat(lenient.redact("a@b.cc 12345678 usr-7f3a9", audit))
        .isEqualTo("a@b.cc 12345678 [id]");
  }

  @Test
  void lettersThatChangeLengthWithTheirCaseDoNoHarm() {
    assertThat(redactor.redact("İİİ usr-7f3a9 ß", audit)).contains("[id]").doesNotContain("7f3a9");
  }

  @Test
  void longHostileTextsAreSearchedInReasonableTime() {
    // Quadratic behaviour over this length would take minutes.
    for (String piece : List.of("a", "1", "a1", "a.", "+1", "0-", "@", "1 ", "http:", "www.")) {
      assertThat(redactor.redact(piece.repeat(20_000), audit)).isNotNull();
    }
  }
}
