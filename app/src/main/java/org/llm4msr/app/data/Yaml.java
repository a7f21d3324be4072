package org.llm4msr.app.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.runtime.UserError;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.dataformat.yaml.YAMLFactory;
import tools.jackson.dataformat.yaml.YAMLParser;

/**
 * A value in a YAML file that knows where it stands, so that every complaint names file, line and
 * key. Strict: unknown keys, keys given twice and values of the wrong kind are errors.
 */
public final class Yaml {
  private final Path file;
  private final int line;
  private final String path;
  private final String scalar;
  private final List<Yaml> list;
  private final Map<String, Yaml> map;

  private Yaml(
      Path file, int line, String path, String scalar, List<Yaml> list, Map<String, Yaml> map) {
    this.file = file;
    this.line = line;
    this.path = path;
    this.scalar = scalar;
    this.list = list;
    this.map = map;
  }

  /**
   * Reads a file.
   *
   * @throws UserError if it is not there, empty, or not YAML
   */
  public static Yaml read(Path file) {
    FileErrors.requireFile(file);
    String text;
    try {
      text = Files.readString(file);
    } catch (IOException e) {
      throw FileErrors.reading(file, e);
    }
    try (YAMLParser parser =
        (YAMLParser) new YAMLFactory().createParser(ObjectReadContext.empty(), text)) {
      if (parser.nextToken() == null) {
        throw new UserError(file + ": is empty");
      }
      Yaml root = node(file, parser, "");
      if (parser.nextToken() != null) {
        throw new UserError(
            file + ":" + parser.currentTokenLocation().getLineNr() + ": one document is enough");
      }
      return root;
    } catch (JacksonException e) {
      throw new UserError(
          file
              + ":"
              + e.getLocation().getLineNr()
              + ": is not YAML: "
              + problem(e.getOriginalMessage()),
          e);
    }
  }

  /** What was being read and what is wrong with it, of a message that also shows where. */
  private static String problem(String message) {
    List<String> said = new ArrayList<>();
    for (String line : message.lines().map(String::strip).toList()) {
      if (line.equals("^")) {
        said.removeLast();
      } else if (!line.startsWith("in reader")) {
        said.add(line);
      }
    }
    return FileErrors.printable(String.join(", ", said.subList(0, Math.min(2, said.size()))));
  }

  private static Yaml node(Path file, YAMLParser parser, String path) {
    int line = parser.currentTokenLocation().getLineNr();
    if (parser.isCurrentAlias()) {
      throw new UserError(file + ":" + line + ": aliases are not supported; repeat the value");
    }
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, Yaml> map = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String key = parser.currentName();
          int keyLine = parser.currentTokenLocation().getLineNr();
          parser.nextToken();
          Yaml value = node(file, parser, path.isEmpty() ? key : path + "." + key);
          if (map.put(key, value) != null) {
            throw new UserError(file + ":" + keyLine + ": key '" + key + "' is there twice");
          }
        }
        yield new Yaml(file, line, path, null, null, map);
      }
      case START_ARRAY -> {
        List<Yaml> list = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          list.add(node(file, parser, path + "[" + (list.size() + 1) + "]"));
        }
        yield new Yaml(file, line, path, null, list, null);
      }
      case VALUE_NULL ->
          throw new UserError(
              file + ":" + line + ": " + path + " has no value; give it one or leave the key out");
      default -> new Yaml(file, line, path, parser.getString(), null, null);
    };
  }

  /** A complaint about this value. */
  public UserError error(String problem) {
    return new UserError(file + ":" + line + ": " + (path.isEmpty() ? "" : path + ": ") + problem);
  }

  public boolean isScalar() {
    return scalar != null;
  }

  public boolean isList() {
    return list != null;
  }

  /** The text of a scalar. */
  public String text() {
    if (scalar == null) {
      throw error("expected one value, found a " + (list != null ? "list" : "map"));
    }
    if (scalar.isEmpty()) {
      throw error("must not be empty");
    }
    return scalar;
  }

  /** A whole number in [low, high]. */
  public int integer(int low, int high) {
    try {
      int number = Integer.parseInt(text());
      if (number >= low && number <= high) {
        return number;
      }
    } catch (NumberFormatException e) {
      // The complaint below covers it.
    }
    throw error("expected a whole number from " + low + " to " + high + ", found " + scalar);
  }

  public long longInteger() {
    try {
      return Long.parseLong(text());
    } catch (NumberFormatException e) {
      throw error("expected a whole number, found " + scalar);
    }
  }

  /** A finite number. */
  public double number() {
    try {
      double number = Double.parseDouble(text());
      if (Double.isFinite(number)) {
        return number;
      }
    } catch (NumberFormatException e) {
      // The complaint below covers it.
    }
    throw error("expected a number, found " + scalar);
  }

  /** One of the constants, in lower case. */
  public <E extends Enum<E>> E oneOf(Class<E> type) {
    for (E constant : type.getEnumConstants()) {
      if (constant.name().equalsIgnoreCase(text())) {
        return constant;
      }
    }
    Set<String> known =
        Arrays.stream(type.getEnumConstants())
            .map(constant -> constant.name().toLowerCase(Locale.ROOT))
            .collect(Collectors.toCollection(LinkedHashSet::new));
    throw error("'" + scalar + "' is unknown" + suggestion(scalar, known));
  }

  /** The values of a list; a scalar counts as a list of one. */
  public List<Yaml> list() {
    if (map != null) {
      throw error("expected a list, found a map");
    }
    return list != null ? list : List.of(this);
  }

  /** The entries of a map whose keys are the user's own. */
  public Map<String, Yaml> map() {
    if (map == null) {
      throw error("expected a map of keys and values, found " + (list != null ? "a list" : scalar));
    }
    return map;
  }

  /** This map, after a check that it holds none but the keys named. */
  public Yaml allow(String... keys) {
    Set<String> known = new LinkedHashSet<>(List.of(keys));
    for (Map.Entry<String, Yaml> entry : map().entrySet()) {
      if (!known.contains(entry.getKey())) {
        throw new UserError(
            file
                + ":"
                + entry.getValue().line
                + ": unknown key '"
                + entry.getKey()
                + "'"
                + (path.isEmpty() ? "" : " in " + path)
                + suggestion(entry.getKey(), known));
      }
    }
    return this;
  }

  public Optional<Yaml> find(String key) {
    return Optional.ofNullable(map().get(key));
  }

  /** The value of a key that must be there. */
  public Yaml get(String key) {
    return find(key).orElseThrow(() -> error("key '" + key + "' is missing"));
  }

  /** "; did you mean …?" when something is near, else what there is to choose from. */
  static String suggestion(String given, Set<String> known) {
    List<String> near =
        known.stream()
            .filter(name -> distance(given, name) <= Math.clamp(name.length() / 2, 1, 3))
            .sorted(Comparator.comparingInt(name -> distance(given, name)))
            .limit(3)
            .toList();
    return near.isEmpty()
        ? "; known: " + String.join(", ", known)
        : "; did you mean " + String.join(" or ", near) + "?";
  }

  /** Levenshtein distance, without regard to case. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    Arrays.setAll(row, j -> j);
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        boolean same =
            Character.toLowerCase(a.charAt(i - 1)) == Character.toLowerCase(b.charAt(j - 1));
        int replaced = diagonal + (same ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
