package org.llm4msr.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.json.JsonMapper;

class RegexChecksTest {
  private static final Path FILE = Path.of("tokenizer.json");

  /**
   * Of GPT-2, cl100k, o200k, DeepSeek V3 and Coder, BLOOM, Falcon, Kimi and numbers from behind.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
            + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+|"
            + " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
            + "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
            + "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}|"
            + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
            + " ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "[\\x{4e00}-\\x{9fa5}\\x{0800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+",
        " ?[^(\\s|[.,!?…。，、।۔،])]+",
        "[0-9][0-9][0-9]",
        "[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{M}&&[^\\p{Han}]]+",
        "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?:\\P{N}|$))",
        "[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*)+",
        "[\\[]a+"
      })
  void acceptsWhatModelsUse(String regex) {
    assertThatCode(() -> RegexChecks.check("t", regex)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(a+)+$",
        "(a*)*b",
        "(?:a|a)*b",
        "(a|aa)+$",
        "(?:a?){30}a{30}",
        "a*a*a*b",
        ".*.*x",
        "(?:\\w+\\s?)*$",
        "(?=(a+)+$)a",
        "(?>(a+)+$)",
        "(?:(?:a+b)+)",
        "((a{2,3}){2,3}){2,3}c",
        "a{0,900}b",
        "(?i:[ßs])+$",
        "(?i)(?:st|ß)*$",
        "a{2}+{2}+b"
      })
  void refusesWhatCouldTakeForever(String regex) {
    assertThatThrownBy(() -> RegexChecks.check("t: pre_tokenizer", regex))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith("t: pre_tokenizer: the expression " + regex)
        .hasMessageContaining("forever");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(a)\\1+b",
        "(?<n>a|b\\g<n>c)",
        "(?~ab)",
        "(?x)a # (",
        "(?#x)a",
        "a(?i)b|c",
        "[]a+]",
        "\\c[(a+)+$]",
        "\\Q(\\E",
        "(*FAIL)",
        "(a",
        "a)",
        "[a",
        "a{x}",
        "+a",
        "a{9999}",
        "\\",
        "\\x{4"
      })
  void refusesWhatItCannotRead(String regex) {
    assertThatThrownBy(() -> RegexChecks.check("t", regex))
        .isInstanceOf(UserError.class)
        .hasMessageContaining(" has ");
  }

  @Test
  void refusesDeepGroupsAndLongExpressions() {
    assertThatThrownBy(() -> RegexChecks.check("t", "(".repeat(60) + ")".repeat(60)))
        .hasMessageContaining("nested too deeply");
    assertThatThrownBy(() -> RegexChecks.check("t", "a".repeat(10_001)))
        .hasMessageContaining("10001 characters");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
            + "\"pattern\":{\"Regex\":\"(a+)+$\"},\"behavior\":\"Isolated\",\"invert\":false}]}",
        "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a+)+$\"},\"content\":\"\"}",
        "\"decoder\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a+)+$\"},\"content\":\"\"}"
      })
  void noPartOfATokenizerKeepsOne(String part) {
    assertThatThrownBy(() -> open(part))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith(FILE + ": " + part.substring(1, part.indexOf("\":")) + ": ")
        .hasMessageContaining("(a+)+$");
  }

  private static HfTokenizer open(String part) {
    String json =
        "{\"version\":\"1.0\",\"added_tokens\":[],"
            + part
            + ",\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"u\":0},\"unk_token\":\"u\"}}";
    return HfTokenizer.of(FILE, json.getBytes(StandardCharsets.UTF_8));
  }

  private static HfTokenizer splitting(String regex) {
    return open(
        "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":"
            + JsonMapper.shared().writeValueAsString(regex)
            + "},\"behavior\":\"Isolated\",\"invert\":false}");
  }

  @Test
  void refusesTextsBeyondTheBound() {
    try (HfTokenizer tokenizer = splitting("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")) {
      String longest = " ".repeat(RegexChecks.MOST_CHARACTERS);
      assertThat(tokenizer.encode(longest)).isNotEmpty();
      assertThatThrownBy(() -> tokenizer.encode(longest + " "))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("at most " + RegexChecks.MOST_CHARACTERS + " are supported");
    }
  }

  /**
   * The native library itself is the judge: what would step back exponentially, or with the square
   * of the length, ends the process on these texts.
   */
  @Test
  void theLibraryEndsOnWhatIsAccepted() {
    long seed = Long.getLong("llm4msr.regexSeed", 20_261_124L);
    int wanted = Integer.getInteger("llm4msr.regexes", 40);
    System.out.println("seed " + seed + " (-Dllm4msr.regexSeed), " + wanted + " expressions");
    Random random = new Random(seed);
    int accepted = 0;
    while (accepted < wanted) {
      String regex = alternatives(random, 3);
      try {
        RegexChecks.check("t", regex);
      } catch (UserError e) {
        continue;
      }
      accepted++;
      try (HfTokenizer tokenizer = splitting(regex)) {
        for (String text : new String[] {"a", "b", "ab", "ba"}) {
          assertThat(tokenizer.encode(text.repeat(3_500 / text.length()) + "c")).isNotEmpty();
        }
      } catch (UserError e) {
        // The library has its own limits, such as lookbehind of variable length.
        assertThat(e).hasMessageContaining("not a valid tokenizer");
      }
    }
  }

  private static String alternatives(Random random, int depth) {
    String branch = sequence(random, depth);
    return random.nextInt(3) == 0 ? branch + "|" + sequence(random, depth) : branch;
  }

  private static String sequence(Random random, int depth) {
    StringBuilder text = new StringBuilder();
    for (int parts = 1 + random.nextInt(4); parts > 0; parts--) {
      String[] atoms = {"a", "b", "[ab]", ".", "\\w", "c", "$", "\\b"};
      int kind = random.nextInt(depth == 0 ? 1 : 3);
      String[] groups = {"(", "(?:", "(?=", "(?!", "(?>", "(?<=", "(?i:"};
      text.append(
          kind == 0
              ? atoms[random.nextInt(atoms.length)]
              : groups[random.nextInt(groups.length)] + alternatives(random, depth - 1) + ")");
      String[] marks = {
        "", "", "", "*", "+", "?", "*?", "+?", "++", "{2}", "{1,3}", "{2,}", "{,2}"
      };
      text.append(marks[random.nextInt(marks.length)]);
    }
    return text.toString();
  }
}
