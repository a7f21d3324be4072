package org.llm4msr.model.data;

import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/** Small logs for tests. */
final class Logs {
  private Logs() {}

  /** A random log with fields of users, items and rows; row r has time r. */
  static DatasetBuilder random(int rows, int users, int items, int scenarios, long seed) {
    Random random = new Random(seed);
    List<Scenario> names =
        IntStream.range(0, scenarios).mapToObj(s -> new Scenario("s" + s)).toList();
    DatasetBuilder builder = new DatasetBuilder("random", "", names);
    for (int row = 0; row < rows; row++) {
      int user = builder.user("u" + random.nextInt(users));
      int item = builder.item("i" + random.nextInt(items));
      builder.row(user, item, random.nextInt(scenarios), random.nextInt(2), null, row);
    }
    return builder;
  }

  static Dataset randomWithFields(int rows, int users, int items, int scenarios, long seed) {
    DatasetBuilder builder = random(rows, users, items, scenarios, seed);
    builder.split(new SplitRule.Random(new SplitRule.Ratios(8, 1, 1), 3));
    builder.userIdField(1);
    builder.itemIdField(1);
    CodedColumn hour = new CodedColumn();
    for (int row = 0; row < rows; row++) {
      hour.add("h" + row % 24);
    }
    NumberColumn age = new NumberColumn();
    for (int user = 0; user < builder.users(); user++) {
      age.add(user % 9 == 0 ? Double.NaN : 20 + user);
    }
    builder.numberField("age", Field.Owner.USER, age, 0);
    builder.field("hour", Field.Owner.ROW, hour, 1);
    ListColumn tags = new ListColumn();
    for (int item = 0; item < builder.items(); item++) {
      tags.set(item, List.of("t" + item % 3, "t" + item % 5).subList(0, item % 2 + 1));
    }
    builder.listField("tags", Field.Owner.ITEM, tags, FieldOptions.DEFAULT, Pooling.MEAN, 5);
    return builder.build();
  }
}
