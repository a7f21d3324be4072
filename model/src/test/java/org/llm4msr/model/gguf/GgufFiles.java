package org.llm4msr.model.gguf;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Writes GGUF files for tests, also wrong ones. */
public final class GgufFiles {
  private static final int ALIGNMENT = 32;

  private final Bytes metadata = new Bytes();
  private final List<Tensor> tensors = new ArrayList<>();
  private long keys;

  /** A tensor: the format's number of its type, extents with the fastest first. */
  private record Tensor(String name, int type, long[] dims, byte[] data) {}

  public GgufFiles text(String key, String value) {
    key(key, 8);
    metadata.text(value);
    return this;
  }

  public GgufFiles count(String key, long value) {
    key(key, 4);
    metadata.number(4, value);
    return this;
  }

  public GgufFiles real(String key, double value) {
    key(key, 6);
    metadata.number(4, Float.floatToRawIntBits((float) value));
    return this;
  }

  public GgufFiles flag(String key, boolean value) {
    key(key, 7);
    metadata.number(1, value ? 1 : 0);
    return this;
  }

  public GgufFiles texts(String key, String... values) {
    array(key, 8, values.length);
    for (String value : values) {
      metadata.text(value);
    }
    return this;
  }

  public GgufFiles reals(String key, float... values) {
    array(key, 6, values.length);
    for (float value : values) {
      metadata.number(4, Float.floatToRawIntBits(value));
    }
    return this;
  }

  public GgufFiles wholes(String key, int... values) {
    array(key, 5, values.length);
    for (int value : values) {
      metadata.number(4, value);
    }
    return this;
  }

  private void array(String key, int type, int count) {
    key(key, 9);
    metadata.number(4, type);
    metadata.number(8, count);
  }

  private void key(String key, int type) {
    keys++;
    metadata.text(key);
    metadata.number(4, type);
  }

  /** A tensor of F32 with extents as elsewhere, the slowest first. */
  public GgufFiles tensor(String name, float[] values, long... shape) {
    ByteBuffer data = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    long[] dims = new long[shape.length];
    for (int i = 0; i < dims.length; i++) {
      dims[i] = shape[shape.length - 1 - i];
    }
    tensors.add(new Tensor(name, 0, dims, data.array()));
    return this;
  }

  public byte[] build() {
    Bytes file = new Bytes();
    file.number(4, GgufHeader.MAGIC);
    file.number(4, 3);
    file.number(8, tensors.size());
    file.number(8, keys);
    file.raw(metadata.toByteArray());
    long offset = 0;
    for (Tensor tensor : tensors) {
      file.text(tensor.name);
      file.number(4, tensor.dims.length);
      for (long dim : tensor.dims) {
        file.number(8, dim);
      }
      file.number(4, tensor.type);
      file.number(8, offset);
      offset += aligned(tensor.data.length);
    }
    file.pad();
    for (Tensor tensor : tensors) {
      file.raw(tensor.data);
      file.pad();
    }
    return file.toByteArray();
  }

  private static long aligned(long bytes) {
    return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
  }

  private static final class Bytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    void number(int bytes, long value) {
      for (int i = 0; i < bytes; i++) {
        out.write((int) (value >>> 8 * i));
      }
    }

    void text(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      number(8, utf8.length);
      raw(utf8);
    }

    void raw(byte[] bytes) {
      out.writeBytes(bytes);
    }

    void pad() {
      while (out.size() % ALIGNMENT != 0) {
        out.write(0);
      }
    }

    byte[] toByteArray() {
      return out.toByteArray();
    }
  }
}
