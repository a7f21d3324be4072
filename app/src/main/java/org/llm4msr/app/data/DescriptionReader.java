package org.llm4msr.app.data;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.llm4msr.app.data.DataDescription.Entities;
import org.llm4msr.app.data.DataDescription.Feature;
import org.llm4msr.app.data.DataDescription.Interactions;
import org.llm4msr.app.data.DataDescription.LabelRule;
import org.llm4msr.app.data.DataDescription.Representation;
import org.llm4msr.app.data.DataDescription.ScenarioText;
import org.llm4msr.app.data.DataDescription.SplitSource;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.prompt.Language;
import org.llm4msr.model.prompt.PrivacyPolicy;
import org.llm4msr.model.prompt.PromptOptions;
import org.llm4msr.model.prompt.UserPromptStyle;

/** Turns YAML into a {@link DataDescription}, with a complaint for everything out of place. */
final class DescriptionReader {
  private final Path file;
  private final Path folder;

  DescriptionReader(Path file, Path folder) {
    this.file = file;
    this.folder = folder;
  }

  DataDescription read() {
    Yaml root =
        Yaml.read(file)
            .allow(
                "name",
                "description",
                "interactions",
                "items",
                "users",
                "scenarios",
                "features",
                "split",
                "prompts");
    String fileName = file.getFileName().toString();
    Optional<Entities> items = root.find("items").map(this::entities);
    Optional<Entities> users = root.find("users").map(this::entities);
    Interactions interactions = interactions(root.get("interactions"));
    List<Feature> features =
        FeatureReader.read(root, interactions, items.isPresent(), users.isPresent());
    return new DataDescription(
        file,
        folder,
        root.find("name").map(Yaml::text).orElse(fileName.replaceFirst("\\.ya?ml$", "")),
        root.find("description")
            .map(yaml -> Localized.of(yaml, Yaml::text))
            .orElse(Localized.of("")),
        interactions,
        items,
        users,
        root.find("scenarios").map(DescriptionReader::scenarios).orElse(Map.of()),
        features,
        root.find("split").map(DescriptionReader::split).orElse(randomSplit()),
        root.find("prompts").map(yaml -> prompts(yaml, features)).orElse(PromptOptions.DEFAULT));
  }

  private Interactions interactions(Yaml yaml) {
    yaml.allow(
        "path",
        "format",
        "delimiter",
        "user",
        "item",
        "scenario",
        "label",
        "time",
        "logit",
        "representation");
    LabelRule label = label(yaml.get("label"));
    Optional<String> logit = yaml.find("logit").map(column -> tellsNoLabel(column, label));
    Optional<Representation> representation =
        yaml.find("representation").map(columns -> representation(columns, label));
    if (logit.isPresent() && representation.isPresent()) {
      throw yaml.get("representation").error("does not go together with logit");
    }
    return new Interactions(
        Table.of(yaml, folder),
        yaml.get("user").text(),
        yaml.get("item").text(),
        yaml.get("scenario").text(),
        label,
        yaml.find("time").map(Yaml::text),
        logit,
        representation);
  }

  private static String tellsNoLabel(Yaml column, LabelRule label) {
    if (column.text().equals(label.column())) {
      throw column.error("column " + label.column() + " gives the label away");
    }
    return column.text();
  }

  /** A column, a list of columns, or a column with what divides its numbers. */
  private static Representation representation(Yaml yaml, LabelRule label) {
    if (yaml.isScalar()) {
      return new Representation(List.of(tellsNoLabel(yaml, label)), Optional.empty());
    }
    if (yaml.isList()) {
      List<String> columns = yaml.list().stream().map(c -> tellsNoLabel(c, label)).toList();
      if (columns.isEmpty()) {
        throw yaml.error("expected at least one column");
      }
      return new Representation(columns, Optional.empty());
    }
    yaml.allow("column", "separator");
    return new Representation(
        List.of(tellsNoLabel(yaml.get("column"), label)), yaml.find("separator").map(Yaml::text));
  }

  private static LabelRule label(Yaml yaml) {
    if (yaml.isScalar()) {
      return new LabelRule.Binary(yaml.text());
    }
    yaml.allow("column", "above", "at_least");
    String column = yaml.get("column").text();
    Optional<Yaml> above = yaml.find("above");
    Optional<Yaml> atLeast = yaml.find("at_least");
    if (above.isPresent() == atLeast.isPresent()) {
      throw yaml.error("expected either above or at_least with a number beside column");
    }
    return new LabelRule.Threshold(
        column, above.or(() -> atLeast).get().number(), atLeast.isPresent());
  }

  private Entities entities(Yaml yaml) {
    yaml.allow("path", "format", "delimiter", "key", "title", "categories", "separator");
    return new Entities(
        Table.of(yaml, folder),
        yaml.get("key").text(),
        yaml.find("title").map(title -> Localized.of(title, Yaml::text)),
        yaml.find("categories")
            .map(c -> Localized.of(c, columns -> columns.list().stream().map(Yaml::text).toList())),
        yaml.find("separator").map(Yaml::text));
  }

  private static Map<String, ScenarioText> scenarios(Yaml yaml) {
    Map<String, ScenarioText> scenarios = new LinkedHashMap<>();
    Set<String> names = new HashSet<>();
    yaml.map()
        .forEach((value, text) -> {
          ScenarioText scenario = scenario(value, text);
          if (ResultParts.isReserved(scenario.name())) {
            throw text.error(
                "results call another part of the rows '"
                    + scenario.name()
                    + "'; give the scenario another name");
          }
          if (!names.add(scenario.name())) {
            throw text.error("the name '" + scenario.name() + "' is taken already");
          }
          scenarios.put(value, scenario);
        });
    if (scenarios.isEmpty()) {
      throw yaml.error("expected at least one scenario");
    }
    return scenarios;
  }

  private static ScenarioText scenario(String value, Yaml yaml) {
    if (yaml.isScalar()) {
      return new ScenarioText(yaml.text(), Localized.of(yaml.text()), Localized.of(""));
    }
    yaml.allow("name", "title", "description");
    String name = yaml.find("name").map(Yaml::text).orElse(value);
    return new ScenarioText(
        name,
        yaml.find("title").map(t -> Localized.of(t, Yaml::text)).orElse(Localized.of(name)),
        yaml.find("description").map(d -> Localized.of(d, Yaml::text)).orElse(Localized.of("")));
  }

  private static SplitSource randomSplit() {
    return new SplitSource.Rule(new SplitRule.Random(new SplitRule.Ratios(8, 1, 1), 0));
  }

  private static SplitSource split(Yaml yaml) {
    yaml.allow("column", "random", "time", "cold_users");
    if (yaml.map().size() != 1) {
      throw yaml.error("expected one of column, random, time, cold_users");
    }
    Map.Entry<String, Yaml> entry = yaml.map().entrySet().iterator().next();
    Yaml rule = entry.getValue();
    return switch (entry.getKey()) {
      case "column" -> new SplitSource.Column(rule.text());
      case "random" -> new SplitSource.Rule(new SplitRule.Random(ratios(rule, true), seed(rule)));
      case "cold_users" ->
          new SplitSource.Rule(new SplitRule.ColdUsers(ratios(rule, true), seed(rule)));
      default -> new SplitSource.Rule(new SplitRule.ByTime(ratios(rule, false)));
    };
  }

  private static SplitRule.Ratios ratios(Yaml rule, boolean seeded) {
    if (seeded) {
      rule.allow("train", "valid", "test", "seed");
    } else {
      rule.allow("train", "valid", "test");
    }
    try {
      return new SplitRule.Ratios(
          rule.get("train").number(), rule.get("valid").number(), rule.get("test").number());
    } catch (IllegalArgumentException e) {
      throw rule.error(e.getMessage());
    }
  }

  private static long seed(Yaml rule) {
    return rule.find("seed").map(Yaml::longInteger).orElse(0L);
  }

  private static PromptOptions prompts(Yaml yaml, List<Feature> features) {
    yaml.allow(
        "language",
        "style",
        "max_chars",
        "titles",
        "categories",
        "fields",
        "min_group",
        "redact",
        "terms");
    PromptOptions defaults = PromptOptions.DEFAULT;
    PrivacyPolicy policy = defaults.privacy();
    return new PromptOptions(
        yaml.find("language").map(l -> l.oneOf(Language.class)).orElse(defaults.language()),
        yaml.find("style").map(s -> s.oneOf(UserPromptStyle.class)).orElse(defaults.style()),
        yaml.find("max_chars")
            .map(n -> n.integer(PromptOptions.LEAST_CHARS, 1_000_000))
            .orElse(defaults.maxChars()),
        yaml.find("titles").map(n -> n.integer(0, 1000)).orElse(defaults.titles()),
        yaml.find("categories").map(n -> n.integer(0, 1000)).orElse(defaults.categories()),
        new PrivacyPolicy(
            yaml.find("fields").map(list -> promptFields(list, features)).orElse(policy.fields()),
            yaml.find("min_group")
                .map(n -> n.integer(1, Integer.MAX_VALUE))
                .orElse(policy.minGroup()),
            yaml.find("redact").map(DescriptionReader::patterns).orElse(policy.redact()),
            yaml.find("terms").map(DescriptionReader::texts).orElse(policy.terms())));
  }

  private static List<String> promptFields(Yaml list, List<Feature> features) {
    Set<String> known =
        new LinkedHashSet<>(
            List.of(
                PrivacyPolicy.ITEM_TITLE,
                PrivacyPolicy.ITEM_CATEGORIES,
                PrivacyPolicy.USER_TITLE,
                PrivacyPolicy.USER_CATEGORIES));
    for (Feature feature : features) {
      boolean named =
          !feature.number() && feature.options().hash() == 0 && feature.pooling().isEmpty();
      if (feature.owner() == Field.Owner.USER && feature.column().isPresent() && named) {
        known.add(PrivacyPolicy.USER_PREFIX + feature.name());
      }
    }
    for (Yaml field : list.list()) {
      if (!known.contains(field.text())) {
        throw field.error(
            "'"
                + field.text()
                + "' may not go into a prompt"
                + Yaml.suggestion(field.text(), known));
      }
    }
    return texts(list);
  }

  private static List<String> texts(Yaml list) {
    return list.list().stream().map(Yaml::text).toList();
  }

  private static Set<PrivacyPolicy.Pattern> patterns(Yaml list) {
    Set<PrivacyPolicy.Pattern> patterns = EnumSet.noneOf(PrivacyPolicy.Pattern.class);
    list.list().forEach(p -> patterns.add(p.oneOf(PrivacyPolicy.Pattern.class)));
    return patterns;
  }
}
