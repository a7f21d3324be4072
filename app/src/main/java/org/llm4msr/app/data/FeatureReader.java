package org.llm4msr.app.data;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.llm4msr.app.data.DataDescription.Bucketing;
import org.llm4msr.app.data.DataDescription.Feature;
import org.llm4msr.app.data.DataDescription.Interactions;
import org.llm4msr.app.data.DataDescription.ListPooling;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.FieldOptions;
import org.llm4msr.model.data.Pooling;

/** Turns the key {@code features} into a list of {@link Feature}s. */
final class FeatureReader {
  private static final int MOST_IDS = 1 << 30;
  private static final int WIDEST = 4096;
  private static final int MOST_ELEMENTS = 1000;
  private static final int DEFAULT_ELEMENTS = 20;
  private static final String HISTORY = "history";

  private final List<Feature> features = new ArrayList<>();
  private final Interactions interactions;
  private final boolean hasItems;
  private final boolean hasUsers;

  private FeatureReader(Interactions interactions, boolean hasItems, boolean hasUsers) {
    this.interactions = interactions;
    this.hasItems = hasItems;
    this.hasUsers = hasUsers;
  }

  /** The features that a description declares, or the ids of user and item. */
  static List<Feature> read(
      Yaml root, Interactions interactions, boolean hasItems, boolean hasUsers) {
    Optional<Yaml> list = root.find("features");
    if (list.isEmpty()) {
      return List.of(
          id("user", Field.Owner.USER, FieldOptions.DEFAULT),
          id("item", Field.Owner.ITEM, FieldOptions.DEFAULT));
    }
    FeatureReader reader = new FeatureReader(interactions, hasItems, hasUsers);
    list.get().list().forEach(reader::add);
    if (reader.features.isEmpty()) {
      throw list.get().error("expected at least one feature");
    }
    return List.copyOf(reader.features);
  }

  private void add(Yaml yaml) {
    Feature feature = feature(yaml);
    if (features.stream().anyMatch(other -> other.name().equals(feature.name()))) {
      throw yaml.error("the name '" + feature.name() + "' is taken already");
    }
    boolean tableThere =
        switch (feature.owner()) {
          case ITEM -> hasItems;
          case USER -> hasUsers;
          case ROW -> true;
        };
    if (feature.column().isPresent() && !tableThere) {
      throw yaml.error("comes from a table that the description does not have");
    }
    if (feature.owner() == Field.Owner.ROW
        && !feature.isHistory()
        && feature.column().get().equals(interactions.label().column())) {
      throw yaml.error("column " + feature.column().get() + " gives the label away");
    }
    features.add(feature);
  }

  private static Feature id(String name, Field.Owner owner, FieldOptions options) {
    return new Feature(
        name,
        owner,
        Optional.empty(),
        false,
        Optional.empty(),
        Optional.empty(),
        Map.of(),
        options,
        Optional.empty());
  }

  private Feature feature(Yaml yaml) {
    String name = yaml.isScalar() ? yaml.text() : yaml.get("name").text();
    Optional<Field.Owner> idOf =
        switch (name) {
          case "user" -> Optional.of(Field.Owner.USER);
          case "item" -> Optional.of(Field.Owner.ITEM);
          default -> Optional.empty();
        };
    if (yaml.isScalar()) {
      return id(
          name,
          idOf.orElseThrow(
              () -> yaml.error("expected user, item, or a map such as {name: age, from: users}")),
          FieldOptions.DEFAULT);
    }
    if (idOf.isPresent()) {
      yaml.allow("name", "min_count", "hash", "dim");
      return id(name, idOf.get(), options(yaml));
    }
    if (yaml.find("from").map(from -> from.text().equals(HISTORY)).orElse(false)) {
      return history(name, yaml);
    }
    yaml.allow(
        "name",
        "from",
        "column",
        "type",
        "separator",
        "buckets",
        "labels",
        "min_count",
        "hash",
        "dim",
        "share",
        "pooling",
        "max");
    boolean number = yaml.find("type").map(FeatureReader::isNumber).orElse(false);
    if (number) {
      exclude(yaml, "type: number", "separator", "buckets", "labels", "min_count", "hash", "share");
      exclude(yaml, "type: number", "pooling");
    }
    if (yaml.find("pooling").isPresent()) {
      exclude(yaml, "pooling", "buckets");
    }
    Map<String, String> labels = new LinkedHashMap<>();
    yaml.find("labels").ifPresent(l -> l.map().forEach((k, v) -> labels.put(k, v.text())));
    return new Feature(
        name,
        yaml.find("from").map(FeatureReader::owner).orElse(Field.Owner.ROW),
        Optional.of(yaml.find("column").map(Yaml::text).orElse(name)),
        number,
        yaml.find("separator").map(Yaml::text),
        yaml.find("buckets").map(FeatureReader::buckets),
        labels,
        options(yaml),
        pooling(yaml));
  }

  /** The items that a row's user liked before it. */
  private Feature history(String name, Yaml yaml) {
    yaml.allow("name", "from", "pooling", "max");
    Yaml from = yaml.get("from");
    if (interactions.time().isEmpty()) {
      throw from.error(
          "a history needs to know what came before a row; name the log's column of times as"
              + " interactions.time");
    }
    if (features.stream().noneMatch(other -> other.name().equals("item"))) {
      throw from.error(
          "a history shares the embeddings of the feature item, which must come before it");
    }
    yaml.get("pooling"); // must be there
    return new Feature(
        name,
        Field.Owner.ROW,
        Optional.empty(),
        false,
        Optional.empty(),
        Optional.empty(),
        Map.of(),
        FieldOptions.DEFAULT,
        pooling(yaml));
  }

  private static Optional<ListPooling> pooling(Yaml yaml) {
    Optional<Yaml> most = yaml.find("max");
    Optional<Pooling> pooling = yaml.find("pooling").map(p -> p.oneOf(Pooling.class));
    if (most.isPresent() && pooling.isEmpty()) {
      throw most.get().error("expected pooling: mean, sum or attention beside it");
    }
    int elements = most.map(n -> n.integer(1, MOST_ELEMENTS)).orElse(DEFAULT_ELEMENTS);
    return pooling.map(p -> new ListPooling(p, elements));
  }

  private static boolean isNumber(Yaml type) {
    return switch (type.text()) {
      case "number" -> true;
      case "category" -> false;
      default -> throw type.error("expected category or number, found " + type.text());
    };
  }

  private FieldOptions options(Yaml yaml) {
    if (yaml.find("hash").isPresent()) {
      exclude(yaml, "hash", "min_count", "buckets");
    }
    if (yaml.find("share").isPresent()) {
      exclude(yaml, "share", "min_count", "hash", "dim");
    }
    return new FieldOptions(
        yaml.find("min_count").map(c -> c.integer(1, Integer.MAX_VALUE)).orElse(1),
        yaml.find("hash").map(n -> n.integer(1, MOST_IDS)).orElse(0),
        yaml.find("dim").map(n -> n.integer(1, WIDEST)).orElse(0),
        yaml.find("share").map(this::shared).orElse(""));
  }

  private static void exclude(Yaml yaml, String reason, String... keys) {
    for (String key : keys) {
      yaml.find(key)
          .ifPresent(value -> {
            throw value.error("does not go together with " + reason);
          });
    }
  }

  /** The feature whose table is shared must have been declared before. */
  private String shared(Yaml share) {
    Predicate<Feature> hasTable = other -> !other.number() && other.options().share().isEmpty();
    if (features.stream().filter(hasTable).noneMatch(other -> other.name().equals(share.text()))) {
      String known =
          features.stream().filter(hasTable).map(Feature::name).collect(Collectors.joining(", "));
      throw share.error(
          "expected an earlier feature that has a table of its own and is no number, found "
              + share.text()
              + (known.isEmpty() ? "" : "; there are " + known));
    }
    return share.text();
  }

  private static Field.Owner owner(Yaml from) {
    return switch (from.text()) {
      case "interactions" -> Field.Owner.ROW;
      case "items" -> Field.Owner.ITEM;
      case "users" -> Field.Owner.USER;
      default ->
          throw from.error("expected interactions, items, users or history, found " + from.text());
    };
  }

  private static Bucketing buckets(Yaml yaml) {
    if (!yaml.isScalar()) {
      yaml.allow("quantiles");
      return new Bucketing.Quantiles(yaml.get("quantiles").integer(2, 10_000));
    }
    if (yaml.text().equals("log")) {
      return new Bucketing.Log();
    }
    throw yaml.error("expected log or {quantiles: N}, found " + yaml.text());
  }
}
