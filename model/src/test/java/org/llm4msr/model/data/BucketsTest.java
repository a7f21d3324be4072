package org.llm4msr.model.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.UserError;

class BucketsTest {
  private static CodedColumn column(String... values) {
    CodedColumn column = new CodedColumn();
    for (String value : values) {
      column.add(value);
    }
    return column;
  }

  private static List<String> values(CodedColumn column) {
    List<String> values = new ArrayList<>();
    for (int i = 0; i < column.size(); i++) {
      values.add(column.get(i));
    }
    return values;
  }

  @Test
  void doublingBuckets() {
    assertThat(
            values(
                Buckets.log2(
                    column("0", "1", "2", "3", "4", "7.9", "12", "1000", "-3", "Unknown", null))))
        .containsExactly(
            "0",
            "1",
            "2 to 3",
            "2 to 3",
            "4 to 7",
            "4 to 7",
            "8 to 15",
            "512 to 1023",
            "below 0",
            null,
            null);
    assertThat(values(Buckets.log2(column("1e300")))).doesNotContainNull();
  }

  @Test
  void quantileBucketsHoldEqualShares() {
    CodedColumn numbers = new CodedColumn();
    for (int i = 99; i >= 0; i--) {
      numbers.add(Integer.toString(i));
    }
    long[] once = new long[100];
    Arrays.fill(once, 1);
    CodedColumn buckets = Buckets.quantiles(numbers, once, 4);
    assertThat(buckets.dictionary().values())
        .containsExactlyInAnyOrder(
            "up to 24", "above 24 up to 49", "above 49 up to 74", "above 74");
    assertThat(buckets.get(0)).isEqualTo("above 74");
    assertThat(buckets.get(99)).isEqualTo("up to 24");
  }

  @Test
  void aHeavyValueTakesABucketOfItsOwnAndTrainingRowsCountAlone() {
    CodedColumn numbers = column("1", "2", "3", "4", "5", "x", null);
    CodedColumn buckets = Buckets.quantiles(numbers, new long[] {97, 1, 1, 1, 0, 50}, 4);
    assertThat(values(buckets))
        .containsExactly("up to 1", "above 1", "above 1", "above 1", "above 1", null, null);
    assertThat(values(Buckets.quantiles(column("7"), new long[] {1}, 4))).containsExactly("any");
    assertThatThrownBy(() -> Buckets.quantiles(numbers, new long[6], 1))
        .isInstanceOf(UserError.class);
  }

  @Test
  void aRuleMergesAndDropsValues() {
    CodedColumn genres = column("Action, Drama", null, "Comedy", "Action", "");
    CodedColumn first = genres.apply(new ValueRule.FirstElement(", "));
    assertThat(values(first)).containsExactly("Action", null, "Comedy", "Action", null);
    assertThat(first.dictionary().size()).isEqualTo(2);
  }
}
