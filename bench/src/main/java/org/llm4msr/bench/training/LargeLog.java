package org.llm4msr.bench.training;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * Writes a synthetic log of any size and its description, for {@code bench/large.py}: 50 rows a
 * user, 500 an item, few of them very frequent, three scenarios. Users, items, and how a user's
 * segment suits an item's kind in a scenario decide about the label, so that there is something to
 * learn. Every number is a hash of the row's: the same size gives the same log. Arguments: folder,
 * rows.
 */
public final class LargeLog {
  private static final String DESCRIPTION =
      """
      name: large
      interactions: {path: log.parquet, user: user, item: item, scenario: scenario, label: label}
      users: {path: users.parquet, key: user}
      items: {path: items.parquet, key: item}
      features:
        - user
        - item
        - {name: segment, from: users}
        - {name: kind, from: items}
        - {name: hour, from: interactions}
      split: {random: {train: 98, valid: 1, test: 1}}
      """;

  private LargeLog() {}

  public static void main(String[] args) throws IOException, SQLException {
    Path folder = Path.of(args[0]);
    long rows = Long.parseLong(args[1]);
    long users = Math.max(100, rows / 50);
    long items = Math.max(100, rows / 500);
    Files.createDirectories(folder);
    try (Connection database = DriverManager.getConnection("jdbc:duckdb:");
        Statement sql = database.createStatement()) {
      sql.execute("SET memory_limit = '1GB'");
      sql.execute("SET threads = 2");
      sql.execute("SET preserve_insertion_order = false");
      // Uniform in [0, 1), from a number and the purpose it is drawn for.
      sql.execute(
          "CREATE MACRO u(n, purpose) AS (hash(n * 16 + purpose) >> 11) / 9007199254740992.");
      sql.execute("CREATE MACRO segment(user) AS floor(10 * u(user, 0))::INT");
      sql.execute("CREATE MACRO kind(item) AS floor(20 * u(item, 1))::INT");
      copy(
          sql,
          folder.resolve("users.parquet"),
          "SELECT 'u' || n AS user, 's' || segment(n) AS segment FROM range(%d) r(n)"
              .formatted(users));
      copy(
          sql,
          folder.resolve("items.parquet"),
          "SELECT 'i' || n AS item, 'k' || kind(n) AS kind FROM range(%d) r(n)".formatted(items));
      copy(sql, folder.resolve("log.parquet"), log(rows, users, items));
    }
    Files.writeString(folder.resolve("large.yaml"), DESCRIPTION);
  }

  private static String log(long rows, long users, long items) {
    return """
    WITH drawn AS (
      SELECT n,
          floor(%d * pow(u(n, 2), 1.5))::BIGINT AS usr,
          floor(%d * pow(u(n, 3), 2))::BIGINT AS itm,
          CASE WHEN u(n, 4) < 0.5 THEN 0 WHEN u(n, 4) < 0.8 THEN 1 ELSE 2 END AS s
      FROM range(%d) r(n))
    SELECT 'u' || usr AS user, 'i' || itm AS item, ['web', 'app', 'store'][s + 1] AS scenario,
        'h' || floor(24 * u(n, 5))::INT AS hour,
        (u(n, 6) < 1 / (1 + exp(1 - 3 * (u(usr, 7) - 0.5) - 3 * (u(itm, 8) - 0.5)
            - 1.5 * sin(1.7 * segment(usr) + 2.3 * kind(itm) + s))))::INT AS label
    FROM drawn\
    """
        .formatted(users, items, rows);
  }

  private static void copy(Statement sql, Path file, String query) throws SQLException {
    String path = file.toString().replace("'", "''");
    sql.execute("COPY (" + query + ") TO '" + path + "' (FORMAT parquet, ROW_GROUP_SIZE 100000)");
  }
}
