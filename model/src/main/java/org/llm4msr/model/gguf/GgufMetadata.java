package org.llm4msr.model.gguf;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.gguf.GgufValue.Scalar;
import org.llm4msr.runtime.UserError;

/** Checked access to a file's metadata; arrays are read when they are asked for. */
public final class GgufMetadata {
  private static final int MAX_TOKEN_BYTES = 1 << 16;

  private final Path file;
  private final MemorySegment bytes;
  private final Map<String, GgufValue> values;

  GgufMetadata(Path file, MemorySegment bytes, Map<String, GgufValue> values) {
    this.file = file;
    this.bytes = bytes;
    this.values = values;
  }

  Path file() {
    return file;
  }

  UserError error(String key, String problem) {
    return new UserError(file + ": " + FileErrors.printable(key + " " + problem));
  }

  public boolean has(String key) {
    return values.containsKey(key);
  }

  Set<String> keys() {
    return values.keySet();
  }

  private UserError missing(String key) {
    return error(key, "is missing from the metadata");
  }

  /**
   * @throws UserError if it is no string
   */
  public String text(String key, String otherwise) {
    GgufValue value = values.get(key);
    if (value == null) {
      return otherwise;
    }
    if (value instanceof GgufValue.Text(String text)) {
      return text;
    }
    throw error(key, "is not a string");
  }

  /** A string that must be there. */
  String text(String key) {
    if (!has(key)) {
      throw missing(key);
    }
    return text(key, null);
  }

  /** A whole number of either sign. */
  long whole(String key, long otherwise) {
    GgufValue value = values.get(key);
    if (value == null) {
      return otherwise;
    }
    if (value instanceof GgufValue.Whole(long whole)) {
      return whole;
    }
    throw error(key, "is not a whole number");
  }

  /** A number from 0 to 2^31 - 1 that must be there. */
  int count(String key) {
    if (!has(key)) {
      throw missing(key);
    }
    return count(key, 0);
  }

  int count(String key, int otherwise) {
    long count = whole(key, otherwise);
    if (count < 0 || count > Integer.MAX_VALUE) {
      throw error(key, "is " + count + ", expected 0 to " + Integer.MAX_VALUE);
    }
    return (int) count;
  }

  boolean flag(String key, boolean otherwise) {
    GgufValue value = values.get(key);
    if (value == null) {
      return otherwise;
    }
    if (value instanceof GgufValue.Flag(boolean flag)) {
      return flag;
    }
    throw error(key, "is not true or false");
  }

  /** A finite number. */
  double real(String key, double otherwise) {
    GgufValue value = values.get(key);
    double real =
        switch (value) {
          case null -> otherwise;
          case GgufValue.Real(double number) -> number;
          case GgufValue.Whole(long number) -> number;
          default -> throw error(key, "is not a number");
        };
    if (!Double.isFinite(real)) {
      throw error(key, "is " + real + ", expected a finite number");
    }
    return real;
  }

  /** Whether the key holds an array. */
  boolean isArray(String key) {
    return values.get(key) instanceof GgufValue.Array;
  }

  private GgufValue.Array array(String key, int most) {
    GgufValue value = values.get(key);
    if (value == null) {
      throw missing(key);
    }
    if (!(value instanceof GgufValue.Array array)) {
      throw error(key, "is not an array");
    }
    if (array.count() > most) {
      throw error(key, "has " + array.count() + " elements, expected at most " + most);
    }
    return array;
  }

  /** The strings of an array that must be there. */
  String[] texts(String key, int most) {
    GgufValue.Array array = array(key, most);
    if (array.elementType() != Scalar.STRING) {
      throw error(key, "is not an array of strings");
    }
    GgufCursor cursor = new GgufCursor(file, bytes, array.begin());
    String[] texts = new String[(int) array.count()];
    for (int i = 0; i < texts.length; i++) {
      texts[i] = cursor.readString("element " + i + " of " + key, MAX_TOKEN_BYTES);
    }
    return texts;
  }

  /** The real numbers of an array that must be there. */
  float[] reals(String key, int most) {
    GgufValue.Array array = array(key, most);
    if (array.elementType() != Scalar.FLOAT32) {
      throw error(key, "is not an array of FLOAT32");
    }
    GgufCursor cursor = new GgufCursor(file, bytes, array.begin());
    float[] reals = new float[(int) array.count()];
    for (int i = 0; i < reals.length; i++) {
      reals[i] = Float.intBitsToFloat(cursor.readInt(key));
    }
    return reals;
  }

  /** The whole numbers of an array that must be there. */
  int[] wholes(String key, int most) {
    GgufValue.Array array = array(key, most);
    if (array.elementType() != Scalar.INT32 && array.elementType() != Scalar.UINT32) {
      throw error(key, "is not an array of INT32");
    }
    GgufCursor cursor = new GgufCursor(file, bytes, array.begin());
    int[] wholes = new int[(int) array.count()];
    for (int i = 0; i < wholes.length; i++) {
      wholes[i] = cursor.readInt(key);
    }
    return wholes;
  }
}
