package org.llm4msr.model.scorer;

/**
 * What a specialised model reads: numbers that belong to a user, an item, a request or a single
 * score. Identity matters: one leaf per source of data.
 */
final class Leaf {
  /** What its numbers belong to. */
  enum Source {
    USER(Term.USER),
    /** The request's own features, the same for all its items. */
    REQUEST(Term.REQUEST),
    ITEM(Term.ITEM),
    /** A number that the request brings for each item. */
    INPUT(Term.USER | Term.REQUEST | Term.ITEM);

    private final int dependencies;

    Source(int dependencies) {
      this.dependencies = dependencies;
    }

    int dependencies() {
      return dependencies;
    }
  }

  /** Its numbers while a snapshot is made. */
  interface Values {
    /**
     * @param entity number of the user or item, one past the last for an unknown one; a row of the
     *     data set for a request
     * @param to receives {@code width} floats from {@code at} on
     */
    void read(int entity, float[] to, int at);
  }

  private final String name;
  private final Source source;
  private final int width;
  private final Values values;
  private final boolean knowledge;

  Leaf(String name, Source source, int width, Values values) {
    this(name, source, width, values, false);
  }

  private Leaf(String name, Source source, int width, Values values, boolean knowledge) {
    this.name = name;
    this.source = source;
    this.width = width;
    this.values = values;
    this.knowledge = knowledge;
  }

  /** The user's vector from the language model. */
  static Leaf knowledge(int width, Values values) {
    return new Leaf("knowledge", Source.USER, width, values, true);
  }

  String name() {
    return name;
  }

  Source source() {
    return source;
  }

  int width() {
    return width;
  }

  Values values() {
    return values;
  }

  boolean isKnowledge() {
    return knowledge;
  }
}
