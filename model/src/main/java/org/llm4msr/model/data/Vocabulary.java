package org.llm4msr.model.data;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The values of a categorical field that have an embedding of their own. Id 0 stands for unknown: a
 * missing value, one never seen in training, one seen too rarely. A hashed vocabulary keeps no
 * values: each falls into one of its ids, which several may share.
 */
public final class Vocabulary {
  public static final int UNKNOWN = 0;

  private final List<String> values;
  private final Map<String, Integer> ids;
  private final int hashed;

  /**
   * @param values the known values; the first gets id 1
   */
  public Vocabulary(List<String> values) {
    this.values = List.copyOf(values);
    this.ids = HashMap.newHashMap(values.size());
    this.hashed = 0;
    for (int i = 0; i < values.size(); i++) {
      if (ids.put(values.get(i), i + 1) != null) {
        throw new IllegalArgumentException("twice in a vocabulary: " + values.get(i));
      }
    }
  }

  private Vocabulary(int hashed) {
    this.values = List.of();
    this.ids = Map.of();
    this.hashed = hashed;
  }

  /**
   * A vocabulary that hashes.
   *
   * @param count ids besides the unknown one, at least 1
   */
  public static Vocabulary hashed(int count) {
    if (count < 1 || count == Integer.MAX_VALUE) {
      throw new IllegalArgumentException("a hashed vocabulary of " + count + " ids");
    }
    return new Vocabulary(count);
  }

  public boolean isHashed() {
    return hashed > 0;
  }

  /** Number of ids, the unknown one included: the rows of an embedding table. */
  public int size() {
    return isHashed() ? hashed + 1 : values.size() + 1;
  }

  /** The id of {@code value}; {@link #UNKNOWN} for one that is not known, and for null. */
  public int id(String value) {
    if (isHashed()) {
      return value == null ? UNKNOWN : 1 + StableHash.bounded(StableHash.of(value), hashed);
    }
    return ids.getOrDefault(value, UNKNOWN);
  }

  /** The value of an id in [1, size); a hashed vocabulary has none. */
  public String value(int id) {
    return values.get(id - 1);
  }

  /** The known values in the order of their ids, from id 1; empty if hashed. */
  public List<String> values() {
    return values;
  }
}
