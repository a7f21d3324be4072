package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.ToIntFunction;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Pooling;
import org.llm4msr.model.data.ValueRule;
import org.llm4msr.model.data.Vocabulary;
import org.llm4msr.model.scorer.SnapshotContainer.DamagedException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A feature that a request says about itself: the vector that its value has, beside each other in
 * every table that the model looks it up in.
 */
final class ContextField {
  private static final int NUMBER = 1;

  private final String name;
  private final ContextKind kind;
  private final int offset;
  private final int dim;
  private final MemorySegment table;
  private final ToIntFunction<String> ids;
  private final List<ValueRule> rules;
  private final double mean;
  private final double deviation;
  private final Pooling pooling;
  private final int most;
  private final boolean latest;

  /** Writes a field's directory entry; {@code context.NAME} and its keys are the caller's. */
  static void describe(ObjectNode to, Field field, int offset, int dim) {
    ContextKind kind = kind(field);
    to.put("name", field.name());
    to.put("kind", kind.name());
    to.put("offset", offset);
    to.put("dim", dim);
    to.put("size", field.vocabulary().size());
    to.put("hashed", field.vocabulary().isHashed());
    ValueRules.write(to.putArray("values"), field.rules());
    switch (kind) {
      case CATEGORY -> {}
      case NUMBER -> {
        // Left out, none is known: JSON has no NaN.
        if (!Double.isNaN(field.mean())) {
          to.put("mean", field.mean());
        }
        to.put("deviation", field.deviation());
      }
      case LIST -> {
        to.put("pooling", field.pooling().name());
        to.put("most", field.most());
        to.put("latest", field.keepsLatest());
      }
    }
  }

  private static ContextKind kind(Field field) {
    return field.isNumber()
        ? ContextKind.NUMBER
        : field.pooling() == null ? ContextKind.CATEGORY : ContextKind.LIST;
  }

  ContextField(SnapshotContainer file, JsonNode from) throws DamagedException {
    name = Snapshot.text(from, "name");
    kind = constant(ContextKind.values(), Snapshot.text(from, "kind"));
    offset = Snapshot.count(from, "offset");
    dim = Snapshot.count(from, "dim");
    int size = Snapshot.count(from, "size");
    boolean hashed = from.path("hashed").asBoolean(false);
    if (size < (hashed || kind == ContextKind.NUMBER ? 2 : 1)) {
      throw new DamagedException("a vocabulary of " + size);
    }
    table = file.section("context." + name, Math.multiplyExact((long) size * dim, Float.BYTES));
    ids = kind == ContextKind.NUMBER ? null : ids(file, size, hashed);
    rules = ValueRules.read(from.path("values"));
    mean = from.path("mean").asDouble(Double.NaN);
    deviation = from.path("deviation").asDouble(1);
    boolean list = kind == ContextKind.LIST;
    pooling = list ? constant(Pooling.values(), Snapshot.text(from, "pooling")) : null;
    most = list ? Snapshot.count(from, "most") : 1;
    latest = from.path("latest").asBoolean(false);
    if (pooling == Pooling.ATTENTION || !(deviation > 0)) {
      throw new DamagedException("the feature " + name);
    }
  }

  private static <E extends Enum<E>> E constant(E[] all, String name) throws DamagedException {
    for (E one : all) {
      if (one.name().equals(name)) {
        return one;
      }
    }
    throw new DamagedException(name + " is unknown");
  }

  private ToIntFunction<String> ids(SnapshotContainer file, int size, boolean hashed)
      throws DamagedException {
    if (hashed) {
      return Vocabulary.hashed(size - 1)::id;
    }
    KeyIndex keys = new KeyIndex(file, "context_keys." + name, size - 1);
    return value -> keys.find(value) + 1;
  }

  String name() {
    return name;
  }

  ContextKind kind() {
    return kind;
  }

  int offset() {
    return offset;
  }

  int dim() {
    return dim;
  }

  private void require(ContextKind wanted) {
    if (kind != wanted) {
      throw new IllegalArgumentException(name + " is a " + kind + ", not a " + wanted);
    }
  }

  /** Writes the vector of an unknown value into the context. */
  void clear(MemorySegment context) {
    copy(Vocabulary.UNKNOWN, context);
  }

  void set(String value, MemorySegment context) {
    require(ContextKind.CATEGORY);
    copy(value == null ? Vocabulary.UNKNOWN : id(ValueRule.applyOrName(rules, value)), context);
  }

  private int id(String value) {
    return value == null ? Vocabulary.UNKNOWN : ids.applyAsInt(value);
  }

  void set(double number, MemorySegment context) {
    if (ValueRule.takesNumbers(rules)) {
      copy(id(ValueRule.apply(rules, number)), context);
      return;
    }
    require(ContextKind.NUMBER);
    float factor = (float) ((number - mean) / deviation);
    if (Float.isNaN(factor)) {
      clear(context);
    } else {
      fill(context);
      add(NUMBER, factor, context);
    }
  }

  void set(List<String> values, MemorySegment context) {
    require(ContextKind.LIST);
    fill(context);
    int known = 0;
    for (int i = 0; i < values.size() && known < most; i++) {
      String value = values.get(latest ? values.size() - 1 - i : i);
      int id = value == null ? Vocabulary.UNKNOWN : id(ValueRule.apply(rules, value));
      if (id != Vocabulary.UNKNOWN) {
        add(id, 1, context);
        known++;
      }
    }
    if (known == 0) {
      // An empty list is one unknown element.
      clear(context);
    } else if (pooling == Pooling.MEAN) {
      for (int j = 0; j < dim; j++) {
        context.setAtIndex(
            JAVA_FLOAT, offset + j, context.getAtIndex(JAVA_FLOAT, offset + j) / known);
      }
    }
  }

  private void copy(int id, MemorySegment context) {
    long bytes = (long) dim * Float.BYTES;
    MemorySegment.copy(table, id * bytes, context, (long) offset * Float.BYTES, bytes);
  }

  private void fill(MemorySegment context) {
    context.asSlice((long) offset * Float.BYTES, (long) dim * Float.BYTES).fill((byte) 0);
  }

  private void add(int id, float factor, MemorySegment context) {
    for (int j = 0; j < dim; j++) {
      float sum =
          context.getAtIndex(JAVA_FLOAT, offset + j)
              + factor * table.getAtIndex(JAVA_FLOAT, (long) id * dim + j);
      context.setAtIndex(JAVA_FLOAT, offset + j, sum);
    }
  }
}
