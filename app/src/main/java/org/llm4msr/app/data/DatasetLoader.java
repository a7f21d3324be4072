package org.llm4msr.app.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.llm4msr.app.data.DataDescription.Entities;
import org.llm4msr.app.data.DataDescription.Feature;
import org.llm4msr.app.data.DataDescription.ListPooling;
import org.llm4msr.app.data.DataDescription.ScenarioText;
import org.llm4msr.app.data.DataDescription.SplitSource;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.data.ColumnStore;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.prompt.Language;
import org.llm4msr.runtime.UserError;

/** Reads the tables that a {@link DataDescription} names into a {@link Dataset}. */
public final class DatasetLoader {
  /** More distinct values than this are no scenarios but a wrong column. */
  private static final int MOST_SCENARIOS = 1000;

  private final DataDescription description;
  private final Language language;
  private final TableReader reader;
  private final Map<String, Double> cut;
  private final ColumnStore store;
  private final Map<Feature, FeatureColumn> columns = new LinkedHashMap<>();

  private DatasetLoader(
      DataDescription description,
      Language language,
      Map<String, Double> cut,
      TableReader reader,
      ColumnStore store) {
    this.description = description;
    this.language = language;
    this.cut = cut;
    this.reader = reader;
    this.store = store;
  }

  /** Reads a data set with titles, categories and descriptions in the description's language. */
  public static Dataset load(DataDescription description) {
    return load(description, description.prompts().language());
  }

  /**
   * Reads a data set into files of the folder for temporary ones, which lasts until it is closed.
   *
   * @param language of titles, categories and descriptions, where they exist in several
   * @throws UserError with one line for anything that is wrong with the files
   */
  public static Dataset load(DataDescription description, Language language) {
    return load(description, language, Map.of());
  }

  /**
   * Reads a data set and leaves training rows of some scenarios out.
   *
   * @param cut shares of the training rows to keep, by the scenario's name; above 0, at most 1
   * @throws UserError with one line for anything that is wrong with the files or the shares
   */
  public static Dataset load(
      DataDescription description, Language language, Map<String, Double> cut) {
    ColumnStore store = ColumnStore.inFiles(Path.of(System.getProperty("java.io.tmpdir")));
    try (TableReader reader = new TableReader()) {
      return new DatasetLoader(description, language, cut, reader, store).load();
    } catch (RuntimeException | Error e) {
      store.close();
      throw e;
    }
  }

  private Dataset load() {
    Table log = description.interactions().table();
    Map<String, String> logColumns = columnsOf(log);
    Map<String, ScenarioText> scenarios = scenarios(logColumns);
    DatasetBuilder builder =
        new DatasetBuilder(
            description.name(),
            description.description().in(language),
            scenarios.values().stream().map(this::scenario).toList(),
            store);
    description.features().stream()
        .filter(feature -> feature.column().isPresent())
        .forEach(feature -> columns.put(feature, FeatureColumn.of(feature, store)));

    description.users().ifPresent(users -> readEntities(users, Field.Owner.USER, builder));
    description.items().ifPresent(items -> readEntities(items, Field.Owner.ITEM, builder));
    LogReader rows = new LogReader(description, scenarios, builder, columns.values());
    reader.read(log, logColumns, rows.columns(logColumns.keySet()), rows);
    rows.requireKnownUsersAndItems();
    if (description.split() instanceof SplitSource.Rule(SplitRule rule)) {
      builder.split(rule);
    }
    cut(builder, scenarios.values().stream().map(ScenarioText::name).toList());
    description.features().forEach(feature -> addField(builder, feature));
    return builder.build();
  }

  private void cut(DatasetBuilder builder, List<String> names) {
    cut.forEach((name, share) -> {
      if (!names.contains(name)) {
        throw new UserError(
            "--cut: "
                + description.name()
                + " has no scenario '"
                + name
                + "'; scenarios: "
                + String.join(", ", names));
      }
      if (!(share > 0 && share <= 1)) {
        throw new UserError(
            "--cut: expected a share above 0 and at most 1 for " + name + ", found " + share);
      }
      builder.cut(names.indexOf(name), share);
    });
  }

  private Scenario scenario(ScenarioText text) {
    return new Scenario(text.name(), text.title().in(language), text.description().in(language));
  }

  private Map<String, String> columnsOf(Table table) {
    table.require(description);
    return reader.columns(table);
  }

  /** The scenarios by their value in the log: the declared ones, or what the log has, sorted. */
  private Map<String, ScenarioText> scenarios(Map<String, String> logColumns) {
    if (!description.scenarios().isEmpty()) {
      return description.scenarios();
    }
    Table table = description.interactions().table();
    String column = description.interactions().scenario();
    requireColumn(table, logColumns.keySet(), column, "interactions.scenario");
    TreeSet<String> values = new TreeSet<>();
    reader.read(
        table,
        logColumns,
        List.of(column),
        (row, found) -> {
          if (found[0] != null && values.add(found[0]) && values.size() > MOST_SCENARIOS) {
            throw new UserError(
                table.path()
                    + ": column "
                    + column
                    + " has more than "
                    + MOST_SCENARIOS
                    + " different values; is it the scenario?");
          }
        });
    if (values.isEmpty()) {
      throw new UserError(table.path() + ": has no rows, expected some below the header");
    }
    Map<String, ScenarioText> scenarios = new LinkedHashMap<>();
    for (String value : values) {
      if (ResultParts.isReserved(value)) {
        throw new UserError(
            "%s: column %s: results call another part of the rows '%s'; declare the scenarios in %s and give this one another name"
                .formatted(table.path(), column, value, description.file()));
      }
      scenarios.put(value, new ScenarioText(value, Localized.of(value), Localized.of("")));
    }
    return scenarios;
  }

  static void requireColumn(Table table, Set<String> columns, String column, String key) {
    if (!columns.contains(column)) {
      throw new UserError(
          table.path()
              + ": has no column '"
              + column
              + "', which the description names as "
              + key
              + "; columns: "
              + FileErrors.printable(String.join(", ", columns))
              + (table.format() == Table.Format.CSV && columns.size() == 1
                  ? "; if something else than '"
                      + FileErrors.printable(String.valueOf(table.delimiter()))
                      + "' divides its fields, say so with delimiter"
                  : ""));
    }
  }

  private void readEntities(Entities entities, Field.Owner owner, DatasetBuilder builder) {
    Table table = entities.table();
    Map<String, String> tableColumns = columnsOf(table);
    String section = owner == Field.Owner.USER ? "users" : "items";
    List<String> wanted = new ArrayList<>();
    wanted.add(entities.key());
    requireColumn(table, tableColumns.keySet(), entities.key(), section + ".key");
    entities
        .title()
        .ifPresent(title -> {
          requireColumn(table, tableColumns.keySet(), title.in(language), section + ".title");
          wanted.add(title.in(language));
        });
    int firstCategory = wanted.size();
    List<String> categories = entities.categories().map(c -> c.in(language)).orElse(List.of());
    for (String category : categories) {
      requireColumn(table, tableColumns.keySet(), category, section + ".categories");
      wanted.add(category);
    }
    int firstFeature = wanted.size();
    List<FeatureColumn> features = new ArrayList<>();
    columns.forEach((feature, column) -> {
      if (feature.owner() == owner) {
        String name = feature.column().orElseThrow();
        requireColumn(table, tableColumns.keySet(), name, "features." + feature.name());
        wanted.add(name);
        features.add(column);
      }
    });
    reader.read(
        table,
        tableColumns,
        wanted,
        (row, values) -> {
          String key = values[0];
          if (key == null || key.isBlank()) {
            throw new UserError(
                table.path() + ": row " + row + ": column " + entities.key() + " is empty");
          }
          // Every row adds one entity, so an index below the last row's is an older row's.
          int index = owner == Field.Owner.USER ? builder.user(key) : builder.item(key);
          if (index != row - 1) {
            throw new UserError(
                table.path()
                    + ": row "
                    + row
                    + ": "
                    + entities.key()
                    + " '"
                    + key
                    + "' is there already, in row "
                    + (index + 1));
          }
          String title = firstCategory == 2 ? text(values[1]) : null;
          List<String> names = new ArrayList<>();
          for (int c = firstCategory; c < firstFeature; c++) {
            names.addAll(TableReader.elements(values[c], entities.separator()));
          }
          if (owner == Field.Owner.USER) {
            builder.userText(index, title, names);
          } else {
            builder.itemText(index, title, names);
          }
          for (int f = 0; f < features.size(); f++) {
            features.get(f).set(index, text(values[firstFeature + f]), table, row);
          }
        });
  }

  /** Text without the white space around it; null when nothing is left. */
  static String text(String value) {
    return value == null || value.isBlank() ? null : value.strip();
  }

  private void addField(DatasetBuilder builder, Feature feature) {
    if (feature.column().isPresent()) {
      columns.get(feature).addTo(builder);
    } else if (feature.isHistory()) {
      ListPooling pooling = feature.pooling().orElseThrow();
      builder.historyField(feature.name(), pooling.pooling(), pooling.most());
    } else if (feature.owner() == Field.Owner.USER) {
      builder.userIdField(feature.options());
    } else {
      builder.itemIdField(feature.options());
    }
  }
}
