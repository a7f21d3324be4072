package org.llm4msr.model.recommender.backbone;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The values of a backbone's options, complete and checked. */
final class BackboneOptions {
  private final Map<String, String> values;

  BackboneOptions(Map<String, String> values) {
    this.values = values;
  }

  List<Integer> widths(String name) {
    return BackboneOption.parseWidths(get(name));
  }

  int count(String name) {
    return Integer.parseInt(get(name).strip());
  }

  double number(String name) {
    return Double.parseDouble(get(name).strip());
  }

  List<String> names(String name) {
    return BackboneOption.parseNames(get(name));
  }

  Apg.Condition condition(String name) {
    return Apg.Condition.valueOf(get(name).toUpperCase(Locale.ROOT));
  }

  private String get(String name) {
    String value = values.get(name);
    if (value == null) {
      throw new IllegalArgumentException("no option " + name);
    }
    return value;
  }
}
