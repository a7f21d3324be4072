package org.llm4msr.app.data;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PushbackReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.zip.GZIPInputStream;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.data.ListColumn;
import org.llm4msr.runtime.UserError;

/**
 * Reads tables with DuckDB, in memory and row by row, every value as the text that the file holds:
 * an id 007 stays 007.
 */
final class TableReader implements AutoCloseable {
  /** Stands between the values of a row on their way from DuckDB. */
  private static final char VALUE_SEPARATOR = '\u001E';

  /** Stands for a value that is missing. */
  private static final char MISSING = '\u001D';

  private static final int LONGEST_HEADER_CHARS = 1 << 20;

  /** Takes one row: a value per column asked for, null where there is none. */
  interface RowConsumer {
    /**
     * @param row number of the row, from 1, the header not counted
     * @param values reused for the next row
     */
    void accept(long row, String[] values);
  }

  private final Connection connection;

  TableReader() {
    Properties settings = new Properties();
    settings.setProperty("jdbc_stream_results", "true");
    settings.setProperty("threads", "2");
    settings.setProperty("memory_limit", "1GB");
    // Nothing here sorts or joins, so nothing needs to spill; nothing is fetched from elsewhere.
    settings.setProperty("temp_directory", "");
    settings.setProperty("autoinstall_known_extensions", "false");
    settings.setProperty("autoload_known_extensions", "false");
    try {
      connection = DriverManager.getConnection("jdbc:duckdb:", settings);
    } catch (SQLException e) {
      throw new UserError("cannot start DuckDB: " + firstLine(e), e);
    } catch (LinkageError e) {
      throw new UserError(
          "cannot load DuckDB's native library, which is unpacked into "
              + System.getProperty("java.io.tmpdir")
              + " and takes 80 MB there: "
              + rootCause(e)
              + "; LLM4MSR_JAVA_OPTS=-Djava.io.tmpdir=FOLDER chooses another folder",
          e);
    }
  }

  private static String rootCause(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return FileErrors.printable(String.valueOf(cause.getMessage()));
  }

  /** The elements of a list written as text, and of a list column of Parquet or JSON. */
  static List<String> elements(String value, Optional<String> separator) {
    return value == null ? List.of() : ListColumn.elements(value, separator.orElse(""));
  }

  /** The columns of a table, by name, with DuckDB's type. */
  Map<String, String> columns(Table table) {
    Map<String, String> columns = new LinkedHashMap<>();
    if (table.format() == Table.Format.CSV) {
      for (String name : csvHeader(table)) {
        if (columns.put(name, "VARCHAR") != null) {
          throw new UserError(table.path() + ": column '" + name + "' is there twice");
        }
      }
      return columns;
    }
    String source =
        table.format() == Table.Format.PARQUET
            ? "read_parquet(" + path(table) + ")"
            : "read_json(" + path(table) + ", format='newline_delimited', sample_size=-1)";
    query(
        table.path(),
        List.of("column_name", "column_type"),
        "(DESCRIBE SELECT * FROM " + source + ")",
        (row, values) -> columns.put(values[0], values[1]));
    return columns;
  }

  /**
   * Gives all rows of a table, in order, to {@code consumer}.
   *
   * @param columns all columns of the table with their types
   * @param wanted the ones to read
   * @return number of rows
   */
  long read(Table table, Map<String, String> columns, List<String> wanted, RowConsumer consumer) {
    return query(
        table.path(),
        wanted.stream().map(name -> asText(name, columns.get(name))).toList(),
        source(table, columns, wanted),
        consumer);
  }

  private static String source(Table table, Map<String, String> columns, List<String> wanted) {
    return switch (table.format()) {
      case PARQUET -> "read_parquet(" + path(table) + ")";
      case CSV ->
          "read_csv("
              + path(table)
              + ", auto_detect=false, header=true, quote='\"', escape='\"', delim="
              + literal(String.valueOf(table.delimiter()))
              + ", columns="
              + types(columns, List.copyOf(columns.keySet()))
              + ")";
      case JSONL ->
          "read_json("
              + path(table)
              + ", format='newline_delimited', columns="
              + types(columns, wanted)
              + ")";
    };
  }

  private static String types(Map<String, String> columns, List<String> names) {
    return names.stream()
        .distinct()
        .map(name ->
            literal(name) + ": " + (isList(columns.get(name)) ? "'VARCHAR[]'" : "'VARCHAR'"))
        .collect(Collectors.joining(", ", "{", "}"));
  }

  private static boolean isList(String type) {
    return type.endsWith("[]");
  }

  private static String asText(String name, String type) {
    String quoted = '"' + name.replace("\"", "\"\"") + '"';
    return isList(type)
        ? "array_to_string(CAST("
            + quoted
            + " AS VARCHAR[]), chr("
            + (int) ListColumn.SEPARATOR
            + "))"
        : "CAST(" + quoted + " AS VARCHAR)";
  }

  private static String path(Table table) {
    String path = table.path().toString();
    if (path.matches(".*[*?\\[\\]{}].*")) {
      throw new UserError(path + ": a path must not hold any of * ? [ ] { }; rename it");
    }
    return literal(path);
  }

  private static String literal(String text) {
    return "'" + text.replace("'", "''") + "'";
  }

  /**
   * Asks for a row as one string, since each string that crosses from DuckDB costs more than the
   * reading of its value.
   */
  private long query(Path path, List<String> texts, String source, RowConsumer consumer) {
    String sql =
        texts.stream()
            .map(TableReader::coded)
            .collect(
                Collectors.joining(
                    " || chr(" + (int) VALUE_SEPARATOR + ") || ", "SELECT ", " FROM " + source));
    String[] values = new String[texts.size()];
    long row = 0;
    try (Statement statement = connection.createStatement();
        ResultSet result = statement.executeQuery(sql)) {
      while (result.next()) {
        row++;
        if (!split(result.getString(1), values)) {
          throw new UserError(
              path
                  + ": row "
                  + row
                  + ": holds the control character U+001E, or a value that is U+001D; remove it");
        }
        consumer.accept(row, values);
      }
      return row;
    } catch (SQLException e) {
      throw new UserError(path + ": cannot read: " + reason(sql, e), e);
    }
  }

  /** A value, or what stands for a missing one; a value that looks like that breaks the row. */
  private static String coded(String text) {
    String missing = "chr(" + (int) MISSING + ")";
    String broken = "chr(" + (int) VALUE_SEPARATOR + ")";
    return "CASE WHEN %1$s = %2$s THEN %3$s ELSE coalesce(%1$s, %2$s) END"
        .formatted(text, missing, broken);
  }

  /** Takes a row apart; false when a value holds the separator. */
  private static boolean split(String text, String[] values) {
    int start = 0;
    for (int c = 0; c < values.length; c++) {
      int end = text.indexOf(VALUE_SEPARATOR, start);
      boolean last = c == values.length - 1;
      if (last != end < 0) {
        return false;
      }
      int length = (last ? text.length() : end) - start;
      boolean missing = length == 1 && text.charAt(start) == MISSING;
      values[c] = missing ? null : text.substring(start, start + length);
      start = end + 1;
    }
    return true;
  }

  /** A stream that breaks off does not say why; a statement that is no stream does. */
  private String reason(String sql, SQLException broken) {
    String counted = "CREATE TEMP TABLE reason AS SELECT count(COLUMNS(*)) FROM (" + sql + ")";
    try (Statement statement = connection.createStatement()) {
      statement.execute(counted);
    } catch (SQLException e) {
      return firstLine(e);
    }
    return firstLine(broken);
  }

  /**
   * What DuckDB complains of, without its advice on its own options and without the file's text.
   */
  private static String firstLine(SQLException e) {
    List<String> lines =
        e.getMessage()
            .lines()
            .takeWhile(
                line -> !line.isBlank() && !line.startsWith("Possible") && !line.startsWith("LINE"))
            .map(String::strip)
            .toList();
    if (lines.stream().anyMatch(line -> line.startsWith("Original Line"))) {
      // The text that follows may go over many lines; what is wrong with it comes last.
      lines = List.of(lines.getFirst(), lines.getLast());
    }
    String kept = String.join(" ", lines);
    return FileErrors.printable(kept.replaceFirst("^(Invalid Input|IO|Binder) Error: ", ""));
  }

  /** The names in a CSV file's first record. */
  private static List<String> csvHeader(Table table) {
    Path path = table.path();
    boolean zipped = path.toString().toLowerCase(Locale.ROOT).endsWith(".gz");
    try (InputStream file = new BufferedInputStream(Files.newInputStream(path));
        InputStream bytes = zipped ? new GZIPInputStream(file) : file;
        PushbackReader reader =
            new PushbackReader(new InputStreamReader(bytes, StandardCharsets.UTF_8.newDecoder()))) {
      int first = reader.read();
      if (first < 0) {
        throw new UserError(path + ": is empty; expected a header line");
      }
      if (first != '\uFEFF') {
        reader.unread(first);
      }
      return record(path, reader, table.delimiter());
    } catch (IOException e) {
      throw FileErrors.reading(path, e);
    }
  }

  private static List<String> record(Path path, PushbackReader reader, char delimiter)
      throws IOException {
    List<String> names = new ArrayList<>();
    StringBuilder name = new StringBuilder();
    boolean quoted = false;
    int count = 0;
    int c;
    while ((c = reader.read()) >= 0 && (quoted || (c != '\n' && c != '\r'))) {
      if (++count > LONGEST_HEADER_CHARS) {
        throw new UserError(path + ": no end of the header line found; is this a CSV file?");
      }
      if (c == '"' && quoted) {
        // Two quotation marks inside quotes stand for one; a single one ends the quotes.
        int next = reader.read();
        if (next == '"') {
          name.append('"');
        } else {
          quoted = false;
          if (next >= 0) {
            reader.unread(next);
          }
        }
      } else if (c == '"') {
        quoted = true;
      } else if (c == delimiter && !quoted) {
        names.add(name.toString());
        name.setLength(0);
      } else {
        name.append((char) c);
      }
    }
    names.add(name.toString());
    return names;
  }

  @Override
  public void close() {
    try {
      connection.close();
    } catch (SQLException e) {
      throw new UserError("cannot close DuckDB: " + firstLine(e), e);
    }
  }
}
