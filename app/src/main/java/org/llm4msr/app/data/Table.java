package org.llm4msr.app.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import org.llm4msr.runtime.UserError;

/**
 * A file with rows and named columns.
 *
 * @param delimiter of a CSV file
 */
record Table(Path path, Format format, char delimiter) {
  enum Format {
    CSV,
    PARQUET,
    JSONL
  }

  /** What a table's keys {@code path}, {@code format} and {@code delimiter} say. */
  static Table of(Yaml yaml, Path folder) {
    Path path = folder.resolve(yaml.get("path").text());
    String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
    Format format =
        yaml.find("format")
            .map(f -> f.oneOf(Format.class))
            .or(() -> byName(name))
            .orElseThrow(() ->
                yaml.get("path")
                    .error(
                        "cannot tell the format of "
                            + name
                            + " by its name; add format: csv, parquet or jsonl"));
    Optional<Yaml> delimiter = yaml.find("delimiter");
    if (delimiter.isPresent() && format != Format.CSV) {
      throw delimiter.get().error("only CSV files have a delimiter");
    }
    return new Table(path, format, delimiter.map(Table::character).orElse(byDefault(name)));
  }

  private static Optional<Format> byName(String name) {
    String plain = name.replaceFirst("\\.(gz|zst)$", "");
    if (plain.endsWith(".csv") || plain.endsWith(".tsv")) {
      return Optional.of(Format.CSV);
    }
    if (plain.endsWith(".parquet")) {
      return Optional.of(Format.PARQUET);
    }
    boolean jsonl = plain.endsWith(".jsonl") || plain.endsWith(".ndjson");
    return jsonl ? Optional.of(Format.JSONL) : Optional.empty();
  }

  private static char byDefault(String name) {
    return name.contains(".tsv") ? '\t' : ',';
  }

  private static char character(Yaml yaml) {
    if (yaml.text().length() != 1) {
      throw yaml.error("expected one character, found '" + yaml.text() + "'");
    }
    return yaml.text().charAt(0);
  }

  /** Fails unless the file is there. */
  void require(DataDescription description) {
    if (!Files.isRegularFile(path)) {
      throw new UserError(
          path
              + ": no such file (named in "
              + description.file()
              + "; relative paths start from "
              + description.folder()
              + ", which "
              + DataDescription.DATA_FOLDER
              + " can change)");
    }
  }
}
