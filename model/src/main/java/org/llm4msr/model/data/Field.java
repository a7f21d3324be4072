package org.llm4msr.model.data;

import java.util.List;

/**
 * An input of the model: one or more ids per user, item or row, each a row of an embedding table.
 *
 * <p>A category has one id. A number is a field of two ids: {@link Vocabulary#UNKNOWN} where it is
 * missing, else the vector that the number is multiplied with. Where a field has factors, its ids'
 * vectors are multiplied with them and added up.
 */
public final class Field {
  /** What a field describes, and so what its ids are indexed by. */
  public enum Owner {
    USER,
    ITEM,
    ROW
  }

  /** Id 1 is the vector that a number is multiplied with. */
  static final Vocabulary NUMBER = new Vocabulary(List.of("number"));

  private final String name;
  private final Owner owner;
  private final String table;
  private final Vocabulary vocabulary;
  private final int dim;
  private final int length;
  private final int[] ids;
  private final float[] factors;

  /**
   * @param table the name of the field that the embedding table belongs to
   * @param length ids per entry
   * @param ids {@code [entries, length]}
   * @param factors {@code [entries, length]}, or null
   */
  Field(
      String name,
      Owner owner,
      String table,
      Vocabulary vocabulary,
      int dim,
      int length,
      int[] ids,
      float[] factors) {
    this.name = name;
    this.owner = owner;
    this.table = table;
    this.vocabulary = vocabulary;
    this.dim = dim;
    this.length = length;
    this.ids = ids;
    this.factors = factors;
  }

  public String name() {
    return name;
  }

  public Owner owner() {
    return owner;
  }

  /** Fields of the same table name share one embedding table; by default the field's own name. */
  public String table() {
    return table;
  }

  public Vocabulary vocabulary() {
    return vocabulary;
  }

  /** Width of the embedding, 0 for the model's. */
  public int dim() {
    return dim;
  }

  /** Ids per entry. */
  public int length() {
    return length;
  }

  /** Whether ids have factors. */
  public boolean isWeighted() {
    return factors != null;
  }

  /** Whether it is a number, not a category. */
  public boolean isNumber() {
    return vocabulary == NUMBER;
  }

  /** Whether each entry is one value, or unknown, that {@link Vocabulary#value} can name. */
  public boolean isNamed() {
    return factors == null && !vocabulary.isHashed();
  }

  /**
   * The first id in [0, vocabulary size) of a user, an item or a row, whichever {@link #owner}
   * says.
   *
   * @param index dense index of the user or the item, or number of the row
   */
  public int id(int index) {
    return ids[index * length];
  }

  /** The id at {@code position} in [0, length). */
  public int id(int index, int position) {
    return ids[index * length + position];
  }

  /** The factor of the id at {@code position}; 1 where the field has none. */
  public float factor(int index, int position) {
    return factors == null ? 1 : factors[index * length + position];
  }
}
