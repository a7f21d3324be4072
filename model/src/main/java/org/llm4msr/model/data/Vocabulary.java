package org.llm4msr.model.data;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.RandomAccess;

/**
 * The values of a categorical field that have an embedding of their own. Id 0 stands for unknown: a
 * missing value, one never seen in training, one seen too rarely. A hashed vocabulary keeps no
 * values: each falls into one of its ids, which several may share.
 */
public final class Vocabulary {
  public static final int UNKNOWN = 0;

  private final Dictionary dictionary;
  private final int[] codeOfId;
  private final int[] idOfCode;
  private final int hashed;

  /**
   * @param values the known values; the first gets id 1
   */
  public Vocabulary(List<String> values) {
    this(dictionary(values), identity(values.size()));
  }

  /**
   * @param codes the known values' codes in {@code dictionary}; the first gets id 1
   */
  Vocabulary(Dictionary dictionary, int[] codes) {
    this.dictionary = dictionary;
    this.codeOfId = codes;
    this.idOfCode = new int[dictionary.size()];
    this.hashed = 0;
    for (int i = 0; i < codes.length; i++) {
      idOfCode[codes[i]] = i + 1;
    }
  }

  private Vocabulary(int hashed) {
    this.dictionary = new Dictionary();
    this.codeOfId = new int[0];
    this.idOfCode = codeOfId;
    this.hashed = hashed;
  }

  private static Dictionary dictionary(List<String> values) {
    Dictionary dictionary = new Dictionary();
    for (int i = 0; i < values.size(); i++) {
      if (dictionary.add(values.get(i)) != i) {
        throw new IllegalArgumentException("twice in a vocabulary: " + values.get(i));
      }
    }
    return dictionary;
  }

  private static int[] identity(int count) {
    int[] codes = new int[count];
    Arrays.setAll(codes, i -> i);
    return codes;
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
    return isHashed() ? hashed + 1 : codeOfId.length + 1;
  }

  /** The id of {@code value}; {@link #UNKNOWN} for one that is not known, and for null. */
  public int id(String value) {
    if (isHashed()) {
      return value == null ? UNKNOWN : 1 + StableHash.bounded(StableHash.of(value), hashed);
    }
    int code = dictionary.find(value);
    // The dictionary may know more by now than when this vocabulary was made.
    return code == Dictionary.ABSENT || code >= idOfCode.length ? UNKNOWN : idOfCode[code];
  }

  /** The ids of all values of {@code other}, by their codes. */
  int[] ids(Dictionary other) {
    int[] ids = new int[other.size()];
    if (other == dictionary) {
      System.arraycopy(idOfCode, 0, ids, 0, idOfCode.length);
    } else {
      Arrays.setAll(ids, code -> id(other.value(code)));
    }
    return ids;
  }

  /** The value of an id in [1, size); a hashed vocabulary has none. */
  public String value(int id) {
    return dictionary.value(codeOfId[id - 1]);
  }

  /** The known values in the order of their ids, from id 1; a view, empty if hashed. */
  public List<String> values() {
    return new Values();
  }

  private final class Values extends AbstractList<String> implements RandomAccess {
    @Override
    public String get(int index) {
      return value(index + 1);
    }

    @Override
    public int size() {
      return codeOfId.length;
    }
  }
}
