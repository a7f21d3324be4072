package org.llm4msr.app.data;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.FieldOptions;
import org.llm4msr.model.data.Pooling;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.prompt.PromptOptions;

/**
 * What a data set's YAML file says; {@code docs/datasets.md} explains every key.
 *
 * @param file the YAML file
 * @param folder what relative paths start from
 * @param scenarios declared ones by their value in the log; empty when the log's own values are to
 *     be used
 */
public record DataDescription(
    Path file,
    Path folder,
    String name,
    Localized<String> description,
    Interactions interactions,
    Optional<Entities> items,
    Optional<Entities> users,
    Map<String, ScenarioText> scenarios,
    List<Feature> features,
    SplitSource split,
    PromptOptions prompts) {

  /** The environment variable with the folder that relative paths start from. */
  public static final String DATA_FOLDER = "LLM4MSR_DATA";

  /**
   * The log itself.
   *
   * @param logit column with what an existing recommender says
   * @param representation how an existing recommender represents the rows; not beside a logit
   */
  record Interactions(
      Table table,
      String user,
      String item,
      String scenario,
      LabelRule label,
      Optional<String> time,
      Optional<String> logit,
      Optional<Representation> representation) {}

  /**
   * Columns whose numbers, one after the other, represent a row.
   *
   * @param separator what divides the numbers of a column that holds several
   */
  record Representation(List<String> columns, Optional<String> separator) {}

  /** A table about items or users. */
  record Entities(
      Table table,
      String key,
      Optional<Localized<String>> title,
      Optional<Localized<List<String>>> categories,
      Optional<String> separator) {}

  /** What people call a scenario. */
  record ScenarioText(String name, Localized<String> title, Localized<String> description) {}

  /** How a row gets its label. */
  sealed interface LabelRule {
    String column();

    /** The column holds 0 or 1. */
    record Binary(String column) implements LabelRule {}

    /** 1 above the threshold (or at it, when {@code inclusive}), 0 otherwise. */
    record Threshold(String column, double threshold, boolean inclusive) implements LabelRule {}
  }

  /** Where a row's part comes from. */
  sealed interface SplitSource {
    record Column(String column) implements SplitSource {}

    record Rule(SplitRule rule) implements SplitSource {}
  }

  /** How a number becomes a category. */
  sealed interface Bucketing {
    record Log() implements Bucketing {}

    record Quantiles(int count) implements Bucketing {}
  }

  /**
   * An input of the model.
   *
   * @param column empty for the user's or the item's own id, and for a history
   * @param number whether the column holds numbers that enter as such
   * @param separator what divides a list, of which only the first element is used without pooling
   * @param pooling how a list's elements become one, where all of them count
   * @param labels words in place of coded values
   */
  record Feature(
      String name,
      Field.Owner owner,
      Optional<String> column,
      boolean number,
      Optional<String> separator,
      Optional<Bucketing> buckets,
      Map<String, String> labels,
      FieldOptions options,
      Optional<ListPooling> pooling) {
    /** Whether it is what a row's user liked before it. */
    boolean isHistory() {
      return column.isEmpty() && pooling.isPresent();
    }
  }

  /**
   * A list of which all elements count.
   *
   * @param most elements, the first ones
   */
  record ListPooling(Pooling pooling, int most) {}

  /**
   * Reads a description. Relative paths start from the file's folder, or from the folder in the
   * environment variable {@value #DATA_FOLDER} where that is set.
   */
  public static DataDescription read(Path file) {
    String dataFolder = System.getenv(DATA_FOLDER);
    return read(
        file,
        dataFolder == null || dataFolder.isBlank()
            ? file.toAbsolutePath().normalize().getParent()
            : Path.of(dataFolder));
  }

  /** Reads a description whose relative paths start from {@code folder}. */
  public static DataDescription read(Path file, Path folder) {
    return new DescriptionReader(file, folder).read();
  }
}
