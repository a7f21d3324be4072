package org.llm4msr.app.data;

import java.util.EnumMap;
import java.util.Map;
import java.util.function.Function;
import org.llm4msr.model.prompt.Language;

/** One value for all languages, or one per language. */
record Localized<T>(Map<Language, T> values) {

  /** A plain value, or a map from language codes to values. */
  static <T> Localized<T> of(Yaml yaml, Function<Yaml, T> read) {
    Map<Language, T> values = new EnumMap<>(Language.class);
    if (yaml.isScalar() || yaml.isList()) {
      values.put(Language.EN, read.apply(yaml));
    } else {
      yaml.allow("en", "ja");
      for (Language language : Language.values()) {
        yaml.find(language.code()).ifPresent(value -> values.put(language, read.apply(value)));
      }
      if (values.isEmpty()) {
        throw yaml.error("expected a value per language, such as en");
      }
    }
    return new Localized<>(values);
  }

  static <T> Localized<T> of(T value) {
    return new Localized<>(Map.of(Language.EN, value));
  }

  /** The value in {@code language}, or in another one when there is none. */
  T in(Language language) {
    T value = values.get(language);
    return value != null ? value : values.values().iterator().next();
  }
}
