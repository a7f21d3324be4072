package org.llm4msr.model.family;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Where a family keeps its weights.
 *
 * @param prefixes what files put before all names but the head's, such as {@code model.} or
 *     nothing; the first that fits a file counts
 * @param names without {@code .weight} or {@code .bias}; {@code #} stands for the layer's number
 * @param head name of the output head, with its own prefix
 * @param layout how matrices are stored
 * @param ignored endings of tensors inside the layers that follow from the config
 */
public record TensorNames(
    List<String> prefixes,
    Map<Role, String> names,
    String head,
    Layout layout,
    List<String> ignored) {

  /** What a weight is for. */
  public enum Role {
    EMBEDDING,
    POSITIONS,
    TOKEN_TYPES,
    EMBEDDING_NORM,
    /** Before attention, or after it in {@link ModelConfig.Wiring#AFTER}. */
    ATTENTION_NORM,
    QUERY,
    KEY,
    VALUE,
    /** All three in one matrix. */
    QUERY_KEY_VALUE,
    QUERY_NORM,
    KEY_NORM,
    ATTENTION_OUTPUT,
    /** After attention in {@link ModelConfig.Wiring#AROUND}. */
    ATTENTION_OUTPUT_NORM,
    /** Before the MLP, or after it in {@link ModelConfig.Wiring#AFTER}. */
    MLP_NORM,
    GATE,
    UP,
    /** Gate above up in one matrix. */
    GATE_UP,
    DOWN,
    /** After the MLP in {@link ModelConfig.Wiring#AROUND}. */
    MLP_OUTPUT_NORM,
    FINAL_NORM,
    HEAD
  }

  /** How matrices are stored. */
  public enum Layout {
    /** {@code [out, in]}; fused ones above each other. */
    ROWS,
    /** {@code [out, in]}; the rows of q, k and v alternate head by head. */
    ROWS_BY_HEAD,
    /** {@code [in, out]}; fused ones beside each other. */
    COLUMNS
  }

  public TensorNames {
    prefixes = List.copyOf(prefixes);
    names = Map.copyOf(names);
    ignored = List.copyOf(ignored);
  }

  /** Whether the family stores this. */
  public boolean has(Role role) {
    return names.containsKey(role);
  }

  /** The name of a weight in a layer, without prefix. */
  public String in(int layer, Role role) {
    return names.get(role).replace("#", Integer.toString(layer));
  }

  /** What the names of all weights inside the layers begin with, without prefix. */
  public String layersBegin() {
    String down = names.get(Role.DOWN);
    return down.substring(0, down.indexOf('#'));
  }

  /** These names and others beside or in place of them. */
  TensorNames with(Map<Role, String> others) {
    Map<Role, String> all = new EnumMap<>(Role.class);
    all.putAll(names);
    all.putAll(others);
    return new TensorNames(prefixes, all, head, layout, ignored);
  }

  /** Without a weight that this family does not have by itself. */
  TensorNames without(Role... roles) {
    Map<Role, String> all = new EnumMap<>(Role.class);
    all.putAll(names);
    for (Role role : roles) {
      all.remove(role);
    }
    return new TensorNames(prefixes, all, head, layout, ignored);
  }

  TensorNames withPrefixes(String... others) {
    return new TensorNames(List.of(others), names, head, layout, ignored);
  }

  /** These names of matrices laid out in another way. */
  public TensorNames withLayout(Layout other) {
    return new TensorNames(prefixes, names, head, other, ignored);
  }
}
