package org.llm4msr.model.data;

/** A categorical input of the model: a vocabulary and one id per user, item or row. */
public final class Field {
  /** What a field describes, and so what its ids are indexed by. */
  public enum Owner {
    USER,
    ITEM,
    ROW
  }

  private final String name;
  private final Owner owner;
  private final Vocabulary vocabulary;
  private final int[] ids;

  Field(String name, Owner owner, Vocabulary vocabulary, int[] ids) {
    this.name = name;
    this.owner = owner;
    this.vocabulary = vocabulary;
    this.ids = ids;
  }

  public String name() {
    return name;
  }

  public Owner owner() {
    return owner;
  }

  public Vocabulary vocabulary() {
    return vocabulary;
  }

  /**
   * The id in [0, vocabulary size) of a user, an item or a row, whichever {@link #owner} says.
   *
   * @param index dense index of the user or the item, or number of the row
   */
  public int id(int index) {
    return ids[index];
  }
}
