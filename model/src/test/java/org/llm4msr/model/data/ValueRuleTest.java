package org.llm4msr.model.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.llm4msr.model.data.ValueRule.BoundedBuckets;
import org.llm4msr.model.data.ValueRule.FirstElement;
import org.llm4msr.model.data.ValueRule.Labels;
import org.llm4msr.model.data.ValueRule.LogBuckets;

class ValueRuleTest {
  @Test
  void listsAreDividedLikeRegularExpressionsDo() {
    Random random = new Random(5);
    String alphabet = "ab |\u001F,";
    for (String separator : List.of("|", ",", ", ", "||", " ")) {
      String either = Pattern.quote("\u001F") + "|" + Pattern.quote(separator);
      for (int i = 0; i < 2_000; i++) {
        StringBuilder text = new StringBuilder();
        for (int c = random.nextInt(12); c > 0; c--) {
          text.append(alphabet.charAt(random.nextInt(alphabet.length())));
        }
        List<String> expected =
            Stream.of(text.toString().split(either))
                .map(String::strip)
                .filter(e -> !e.isEmpty())
                .toList();
        assertThat(ListColumn.elements(text.toString(), separator)).isEqualTo(expected);
      }
    }
    assertThat(ListColumn.elements("a, b", "")).containsExactly("a, b");
  }

  @Test
  void rulesFollowEachOther() {
    List<ValueRule> rules =
        List.of(
            new FirstElement(";"),
            new BoundedBuckets(List.of(-1.5, 20.0)),
            new Labels(Map.of("up to -1.5", "low")));
    assertThat(ValueRule.apply(rules, " -2 ; 9")).isEqualTo("low");
    assertThat(ValueRule.apply(rules, "-1.5")).isEqualTo("low");
    assertThat(ValueRule.apply(rules, "20")).isEqualTo("above -1.5 up to 20");
    assertThat(ValueRule.apply(rules, "20.0001")).isEqualTo("above 20");
    assertThat(ValueRule.apply(rules, 21)).isEqualTo("above 20");
    for (String nothing : List.of("", ";", "low", "above 20", "NaN", "-Infinity", "1e999")) {
      assertThat(ValueRule.apply(rules, nothing)).as(nothing).isNull();
    }
    assertThat(ValueRule.applyOrName(rules, "low")).isEqualTo("low");
    assertThat(ValueRule.applyOrName(rules, "up to -1.5")).isEqualTo("low");
    assertThat(ValueRule.applyOrName(rules, "above 20")).isEqualTo("above 20");
    assertThat(ValueRule.apply(rules, Double.NaN)).isNull();
    assertThat(ValueRule.apply(List.of(new FirstElement("")), 3)).isNull();
  }

  @Test
  void whatIsUndoneIsMadeAgain() {
    List<List<ValueRule>> all =
        List.of(
            List.of(new LogBuckets()),
            List.of(new BoundedBuckets(List.of())),
            List.of(new BoundedBuckets(List.of(0.1, 7.0, 1e300))),
            List.of(new LogBuckets(), new Labels(Map.of("0", "1", "1", "0", "4 to 7", "some"))));
    double[] numbers = {-1e300, -1, 0, 0.1, 0.5, 1, 2, 3, 6.99, 7, 7.1, 4e18, 1e300, 1.1e300};
    for (List<ValueRule> rules : all) {
      for (double number : numbers) {
        String value = ValueRule.apply(rules, number);
        assertThat(ValueRule.apply(rules, ValueRule.undo(rules, value))).isEqualTo(value);
      }
    }
  }

  @Test
  void boundsMustRise() {
    for (List<Double> wrong : List.of(List.of(1.0, 1.0), List.of(2.0, 1.0), List.of(Double.NaN))) {
      assertThatThrownBy(() -> new BoundedBuckets(wrong))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
