package org.llm4msr.model.data;

import java.util.List;

/**
 * An input of the model: one or more ids per user, item or row, each a row of an embedding table.
 *
 * <p>A category has one id. A number is a field of two ids: {@link Vocabulary#UNKNOWN} where it is
 * missing, else the vector that the number is multiplied with. Where a field has factors, its ids'
 * vectors are multiplied with them and added up; with attention the factors are 1 for the elements
 * of a list and 0 behind its end.
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
  private final Entries entries;

  /**
   * @param table the name of the field that the embedding table belongs to
   * @param length ids per entry
   */
  Field(
      String name,
      Owner owner,
      String table,
      Vocabulary vocabulary,
      int dim,
      int length,
      Entries entries) {
    this.name = name;
    this.owner = owner;
    this.table = table;
    this.vocabulary = vocabulary;
    this.dim = dim;
    this.length = length;
    this.entries = entries;
  }

  /** What a field says of each user, item or row. */
  sealed interface Entries {
    /**
     * One id each.
     *
     * @param ids int32
     * @param rules that make a value of a text
     */
    record Ids(Column ids, List<ValueRule> rules) implements Entries {}

    /**
     * A number each: id 1 times a float32 factor, or NaN for a missing one.
     *
     * @param mean of the numbers of the training rows, NaN if they have none
     * @param deviation by which a number's distance from the mean is divided
     */
    record Numbers(Column factors, double mean, double deviation) implements Entries {}

    /**
     * A list of known ids each, a window of one long column.
     *
     * @param ids int32
     * @param start int64, where the list begins
     * @param count int32, its elements, at most the field's length
     * @param most known elements that a list keeps
     * @param latest whether it keeps its last ones, or else its first
     * @param rules that make the value of an element's text
     */
    record Lists(
        Column ids,
        Column start,
        Column count,
        Pooling pooling,
        int most,
        boolean latest,
        List<ValueRule> rules)
        implements Entries {}
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
    return !(entries instanceof Entries.Ids);
  }

  /** How each list becomes one vector; null where entries are no lists. */
  public Pooling pooling() {
    return entries instanceof Entries.Lists lists ? lists.pooling : null;
  }

  /** Known elements that a list keeps at most. */
  public int most() {
    return lists().most;
  }

  /** Whether a list that is too long keeps its last elements, or else its first. */
  public boolean keepsLatest() {
    return lists().latest;
  }

  /** The mean of a number in the training rows, NaN if it has none there. */
  public double mean() {
    return numbers().mean;
  }

  /** What a number's distance from the mean is divided by. */
  public double deviation() {
    return numbers().deviation;
  }

  private Entries.Lists lists() {
    if (entries instanceof Entries.Lists lists) {
      return lists;
    }
    throw new IllegalStateException(name + " has no lists");
  }

  private Entries.Numbers numbers() {
    if (entries instanceof Entries.Numbers numbers) {
      return numbers;
    }
    throw new IllegalStateException(name + " is no number");
  }

  /** The rules that make values, or elements, of texts that the log holds; none for a number. */
  public List<ValueRule> rules() {
    return switch (entries) {
      case Entries.Ids(_, List<ValueRule> rules) -> rules;
      case Entries.Numbers numbers -> List.of();
      case Entries.Lists lists -> lists.rules;
    };
  }

  /** Whether attention weighs the elements of its lists. */
  public boolean hasAttention() {
    return pooling() == Pooling.ATTENTION;
  }

  /** Whether it is a number, not a category. */
  public boolean isNumber() {
    return vocabulary == NUMBER;
  }

  /** Whether each entry is one value, or unknown, that {@link Vocabulary#value} can name. */
  public boolean isNamed() {
    return entries instanceof Entries.Ids && !vocabulary.isHashed();
  }

  /**
   * The first id in [0, vocabulary size) of a user, an item or a row, whichever {@link #owner}
   * says.
   *
   * @param index dense index of the user or the item, or number of the row
   */
  public int id(int index) {
    return id(index, 0);
  }

  /** The id at {@code position} in [0, length). */
  public int id(int index, int position) {
    return switch (entries) {
      case Entries.Ids(Column ids, _) -> ids.getInt(index);
      case Entries.Numbers(Column factors, _, _) ->
          Float.isNaN(factors.getFloat(index)) ? Vocabulary.UNKNOWN : 1;
      case Entries.Lists lists ->
          position < lists.count.getInt(index)
              ? lists.ids.getInt(lists.start.getLong(index) + position)
              : Vocabulary.UNKNOWN;
    };
  }

  /** The factor of the id at {@code position}; 1 where the field has none. */
  public float factor(int index, int position) {
    return switch (entries) {
      case Entries.Ids ids -> 1;
      case Entries.Numbers(Column factors, _, _) -> {
        float factor = factors.getFloat(index);
        yield Float.isNaN(factor) ? 1 : factor;
      }
      case Entries.Lists lists -> {
        int count = lists.count.getInt(index);
        if (count == 0) {
          // An empty list is one unknown element.
          yield position == 0 ? 1 : 0;
        }
        yield position >= count ? 0 : lists.pooling == Pooling.MEAN ? 1f / count : 1;
      }
    };
  }
}
