package org.llm4msr.app.data;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.llm4msr.app.data.DataDescription.Feature;
import org.llm4msr.app.data.DataDescription.Interactions;
import org.llm4msr.app.data.DataDescription.LabelRule;
import org.llm4msr.app.data.DataDescription.Representation;
import org.llm4msr.app.data.DataDescription.ScenarioText;
import org.llm4msr.app.data.DataDescription.SplitSource;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Split;
import org.llm4msr.runtime.UserError;

/** Takes the log row by row, checks every value, and hands it to the builder. */
final class LogReader implements TableReader.RowConsumer {
  private static final int USER = 0;
  private static final int ITEM = 1;
  private static final int SCENARIO = 2;
  private static final int LABEL = 3;

  private final DataDescription description;
  private final Interactions log;
  private final DatasetBuilder builder;
  private final Map<String, Integer> scenarioOfValue = new HashMap<>();
  private final List<String> names = new ArrayList<>();
  private final List<String> keys = new ArrayList<>();
  private final List<FeatureColumn> features = new ArrayList<>();
  private final int timeColumn;
  private final int splitColumn;
  private final int logitColumn;
  private final int firstRepresentation;
  private final List<String> representation;
  private float[] numbers = {};
  private final int firstFeature;
  private final int tableUsers;
  private final int tableItems;
  private long rowsOfTableUsers;
  private long rowsOfTableItems;

  /**
   * @param scenarios by their value in the log, in the builder's order
   * @param builder already holds the users and items of their own tables
   */
  LogReader(
      DataDescription description,
      Map<String, ScenarioText> scenarios,
      DatasetBuilder builder,
      Collection<FeatureColumn> columns) {
    this.description = description;
    this.log = description.interactions();
    this.builder = builder;
    this.tableUsers = builder.users();
    this.tableItems = builder.items();
    scenarios.keySet().forEach(value -> scenarioOfValue.put(value, scenarioOfValue.size()));
    column(log.user(), "interactions.user");
    column(log.item(), "interactions.item");
    column(log.scenario(), "interactions.scenario");
    column(log.label().column(), "interactions.label");
    timeColumn = log.time().map(name -> column(name, "interactions.time")).orElse(-1);
    splitColumn =
        description.split() instanceof SplitSource.Column(String name)
            ? column(name, "split.column")
            : -1;
    logitColumn = log.logit().map(name -> column(name, "interactions.logit")).orElse(-1);
    firstRepresentation = names.size();
    representation = log.representation().map(Representation::columns).orElse(List.of());
    representation.forEach(name -> column(name, "interactions.representation"));
    firstFeature = names.size();
    for (FeatureColumn column : columns) {
      Feature feature = column.feature();
      if (feature.owner() == Field.Owner.ROW) {
        column(feature.column().orElseThrow(), "features." + feature.name());
        features.add(column);
      }
    }
  }

  private int column(String name, String key) {
    names.add(name);
    keys.add(key);
    return names.size() - 1;
  }

  /** The columns to read, after a check that the table has them. */
  List<String> columns(Set<String> ofTable) {
    for (int c = 0; c < names.size(); c++) {
      DatasetLoader.requireColumn(log.table(), ofTable, names.get(c), keys.get(c));
    }
    return names;
  }

  @Override
  public void accept(long row, String[] values) {
    for (int c = USER; c <= LABEL; c++) {
      if (values[c] == null || values[c].isBlank()) {
        throw error(row, "column " + names.get(c) + " is empty");
      }
    }
    int user = builder.user(values[USER]);
    int item = builder.item(values[ITEM]);
    rowsOfTableUsers += user < tableUsers ? 1 : 0;
    rowsOfTableItems += item < tableItems ? 1 : 0;
    builder.row(
        user,
        item,
        scenario(row, values[SCENARIO]),
        label(row, values[LABEL]),
        splitColumn < 0 ? null : split(row, values[splitColumn]),
        timeColumn < 0 ? Dataset.NO_TIME : time(row, values[timeColumn]));
    if (logitColumn >= 0) {
      builder.logit(logit(row, values[logitColumn]));
    }
    if (!representation.isEmpty()) {
      builder.representation(representation(row, values));
    }
    for (int f = 0; f < features.size(); f++) {
      String value = DatasetLoader.text(values[firstFeature + f]);
      features.get(f).set(builder.rows() - 1, value, log.table(), row);
    }
  }

  /** A users or items table that shares no id with the log is a mistake in a key. */
  void requireKnownUsersAndItems() {
    if (tableUsers > 0 && rowsOfTableUsers == 0 && builder.rows() > 0) {
      throw noneKnown(description.users().orElseThrow(), log.user(), "users");
    }
    if (tableItems > 0 && rowsOfTableItems == 0 && builder.rows() > 0) {
      throw noneKnown(description.items().orElseThrow(), log.item(), "items");
    }
  }

  private UserError noneKnown(DataDescription.Entities table, String column, String what) {
    return new UserError(
        table.table().path()
            + ": column "
            + table.key()
            + " holds none of the "
            + what
            + " in column "
            + column
            + " of "
            + log.table().path()
            + "; check both");
  }

  private UserError error(long row, String problem) {
    return new UserError(log.table().path() + ": row " + row + ": " + problem);
  }

  private static String shown(String value) {
    return value == null ? "empty" : "'" + FileErrors.printable(value) + "'";
  }

  private int scenario(long row, String value) {
    Integer scenario = scenarioOfValue.get(value);
    if (scenario == null) {
      throw error(
          row,
          "scenario "
              + shown(value)
              + " is not declared; "
              + description.file()
              + " declares "
              + String.join(", ", description.scenarios().keySet()));
    }
    return scenario;
  }

  private int label(long row, String value) {
    return switch (log.label()) {
      case LabelRule.Binary binary -> binaryLabel(row, value);
      case LabelRule.Threshold(String column, double threshold, boolean inclusive) -> {
        double number = number(value);
        if (Double.isNaN(number)) {
          throw error(row, column + " is " + shown(value) + ", expected a number");
        }
        yield number > threshold || (inclusive && number == threshold) ? 1 : 0;
      }
    };
  }

  private int binaryLabel(long row, String value) {
    if (value.length() == 1 && (value.charAt(0) == '0' || value.charAt(0) == '1')) {
      return value.charAt(0) - '0';
    }
    double number =
        switch (value.toLowerCase(Locale.ROOT)) {
          case "true" -> 1;
          case "false" -> 0;
          default -> number(value);
        };
    if (number != 0 && number != 1) {
      throw error(
          row,
          "column "
              + log.label().column()
              + " is "
              + shown(value)
              + ", expected 0 or 1; make one of a rating with label: {column: "
              + log.label().column()
              + ", above: NUMBER}");
    }
    return (int) number;
  }

  private double logit(long row, String text) {
    String value = DatasetLoader.text(text);
    double logit = value == null ? Double.NaN : number(value);
    if (!Double.isFinite(logit)) {
      throw error(
          row,
          "logit "
              + names.get(logitColumn)
              + " is "
              + shown(value)
              + ", expected a number in every row: log(p / (1 - p)) of the existing recommender's"
              + " probability p");
    }
    return logit;
  }

  /** The numbers of all columns, as many as the first row has. */
  private float[] representation(long row, String[] values) {
    Optional<String> separator = log.representation().orElseThrow().separator();
    int count = 0;
    for (int c = 0; c < representation.size(); c++) {
      for (String text : TableReader.elements(values[firstRepresentation + c], separator)) {
        float number = (float) number(text);
        if (!Float.isFinite(number)) {
          throw error(
              row,
              "column "
                  + representation.get(c)
                  + " holds "
                  + shown(text)
                  + ", expected finite numbers: the existing recommender's representation");
        }
        if (row == 1 && count == numbers.length) {
          numbers = Arrays.copyOf(numbers, count + 1);
        }
        if (count < numbers.length) {
          numbers[count] = number;
        }
        count++;
      }
    }
    if (count != numbers.length || count == 0) {
      throw error(
          row,
          "the existing recommender's representation ("
              + String.join(", ", representation)
              + ") has "
              + count
              + " numbers, expected "
              + (row == 1 ? "at least one" : numbers.length + " as in the first row"));
    }
    return numbers;
  }

  /** The number that a text holds, NaN when it holds none. */
  private static double number(String value) {
    try {
      return Double.parseDouble(value);
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }

  private Split split(long row, String value) {
    if (value != null) {
      switch (value.strip().toLowerCase(Locale.ROOT)) {
        case "train", "training" -> {
          return Split.TRAIN;
        }
        case "valid", "validation", "val", "dev" -> {
          return Split.VALID;
        }
        case "test" -> {
          return Split.TEST;
        }
        default -> {}
      }
    }
    throw error(
        row,
        "split "
            + names.get(splitColumn)
            + " is "
            + shown(value)
            + ", expected train, valid or test");
  }

  /** A number as it is; a date or a date and time as microseconds since 1970. */
  private long time(long row, String value) {
    if (value == null || value.isBlank()) {
      return Dataset.NO_TIME;
    }
    String text = value.strip();
    try {
      if (text.indexOf('-', 1) < 0 || text.indexOf('e') > 0 || text.indexOf('E') > 0) {
        return text.indexOf('.') < 0 ? Long.parseLong(text) : (long) Double.parseDouble(text);
      }
      return microseconds(text.replace(' ', 'T'));
    } catch (NumberFormatException | DateTimeException e) {
      throw error(
          row,
          "time "
              + names.get(timeColumn)
              + " is "
              + shown(value)
              + ", expected a number or a date such as 2026-01-31 or 2026-01-31 12:30:00");
    }
  }

  private static long microseconds(String text) {
    if (text.indexOf('T') < 0) {
      return micros(LocalDate.parse(text).atStartOfDay().toInstant(ZoneOffset.UTC));
    }
    String clock = text.substring(text.indexOf('T'));
    if (clock.endsWith("Z") || clock.indexOf('+') >= 0 || clock.indexOf('-') >= 0) {
      // DuckDB writes an offset of whole hours with two digits, which Java does not accept.
      String offset = clock.matches(".*[+-]\\d\\d") ? text + ":00" : text;
      return micros(OffsetDateTime.parse(offset).toInstant());
    }
    return micros(LocalDateTime.parse(text).toInstant(ZoneOffset.UTC));
  }

  private static long micros(Instant instant) {
    return ChronoUnit.MICROS.between(Instant.EPOCH, instant);
  }
}
