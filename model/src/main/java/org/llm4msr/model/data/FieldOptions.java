package org.llm4msr.model.data;

/**
 * How a field's values become rows of an embedding table.
 *
 * @param minCount values with fewer training rows count as unknown, at least 1
 * @param hash without a vocabulary: values are hashed into so many ids; 0 for a vocabulary
 * @param dim width of the embedding, 0 for the model's
 * @param share name of an earlier field whose vocabulary and table this one uses, or empty
 */
public record FieldOptions(int minCount, int hash, int dim, String share) {
  /** A vocabulary of every training value. */
  public static final FieldOptions DEFAULT = new FieldOptions(1, 0, 0, "");

  public FieldOptions {
    if (minCount < 1 || hash < 0 || dim < 0) {
      throw new IllegalArgumentException(
          "a field with min count %d, hash %d, dim %d".formatted(minCount, hash, dim));
    }
    if (minCount > 1 && hash > 0 || !share.isEmpty() && (minCount > 1 || hash > 0 || dim > 0)) {
      throw new IllegalArgumentException(
          "min count, hash and a shared table exclude each other, and so do dim and a shared table");
    }
  }

  /** A vocabulary of values with at least {@code minCount} training rows. */
  public static FieldOptions ofMinCount(int minCount) {
    return new FieldOptions(minCount, 0, 0, "");
  }
}
