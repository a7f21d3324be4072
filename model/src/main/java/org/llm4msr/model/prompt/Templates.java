package org.llm4msr.model.prompt;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The wording of one language, from a plain text resource ({@code en.txt}, {@code ja.txt}). */
final class Templates {
  private static final Pattern HEADING = Pattern.compile("== ([a-z.]+) ==");
  private static final Pattern PLACE = Pattern.compile("\\{([a-z]+)}");

  private final Map<String, String> sections;

  private Templates(Map<String, String> sections) {
    this.sections = sections;
  }

  static Templates of(Language language) {
    String resource = language.code() + ".txt";
    try (InputStream in = Templates.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IllegalStateException("resource is missing: " + resource);
      }
      return parse(Redactor.plain(new String(in.readAllBytes(), StandardCharsets.UTF_8)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Templates parse(String text) {
    Map<String, StringBuilder> bodies = new HashMap<>();
    StringBuilder body = new StringBuilder();
    for (String line : text.lines().toList()) {
      Matcher heading = HEADING.matcher(line);
      if (heading.matches()) {
        body = new StringBuilder();
        if (bodies.put(heading.group(1), body) != null) {
          throw new IllegalStateException("section is there twice: " + line);
        }
      } else if (!line.startsWith("#")) {
        body.append(line).append('\n');
      }
    }
    Map<String, String> sections = new HashMap<>();
    bodies.forEach((name, lines) -> sections.put(name, lines.toString().strip()));
    return new Templates(sections);
  }

  Map<String, String> sections() {
    return sections;
  }

  /**
   * A section with its places filled in. What is filled in is not looked at again, so braces in a
   * title do no harm.
   *
   * @param values names and values in turn; every place must get one
   */
  String fill(String section, Object... values) {
    StringBuilder filled = new StringBuilder();
    String template = section(section);
    Matcher place = PLACE.matcher(template);
    int end = 0;
    while (place.find()) {
      filled.append(template, end, place.start()).append(value(section, place.group(1), values));
      end = place.end();
    }
    return tidy(filled.append(template, end, template.length()));
  }

  private static Object value(String section, String name, Object[] values) {
    for (int i = 0; i < values.length; i += 2) {
      if (values[i].equals(name)) {
        return values[i + 1];
      }
    }
    throw new IllegalStateException("no value for {" + name + "} in " + section);
  }

  /** Without empty lines, repeated spaces and spaces at the ends of lines. */
  private static String tidy(CharSequence text) {
    StringBuilder tidy = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      char last = tidy.isEmpty() ? '\n' : tidy.charAt(tidy.length() - 1);
      if (c == '\n' && last == ' ') {
        tidy.setLength(tidy.length() - 1);
        last = tidy.isEmpty() ? '\n' : tidy.charAt(tidy.length() - 1);
      }
      if (last == '\n' ? c != ' ' && c != '\n' : last != ' ' || c != ' ') {
        tidy.append(c);
      }
    }
    return tidy.toString().stripTrailing();
  }

  /** {@code section} around the joined list; nothing for an empty one. */
  String fillList(String section, List<String> list) {
    return list.isEmpty() ? "" : fill(section, "list", join(list));
  }

  /** The list with this language's separator. */
  String join(List<String> list) {
    String quoted = section("separator");
    return String.join(quoted.substring(1, quoted.length() - 1), list);
  }

  private String section(String name) {
    String section = sections.get(name);
    if (section == null) {
      throw new IllegalStateException("no section " + name);
    }
    return section;
  }
}
