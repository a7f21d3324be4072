package org.llm4msr.bench.peers;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Writes an ONNX model (IR version 8, operators of version 13) as its protobuf messages. */
final class OnnxModel {
  private static final int FLOAT = 1;
  private static final int INT64 = 7;
  private static final int INT8 = 3;
  private static final int EXTERNAL = 1;
  private static final int ATTRIBUTE_INT = 2;
  private static final int ATTRIBUTE_INTS = 7;
  private static final String MICROSOFT = "com.microsoft";

  private final Message graph = new Message();
  private int values;

  /** A protobuf message in the making. */
  private static final class Message {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    private void varint(long value) {
      long rest = value;
      for (; (rest & ~0x7fL) != 0; rest >>>= 7) {
        bytes.write((int) (rest & 0x7f | 0x80));
      }
      bytes.write((int) rest);
    }

    Message number(int field, long value) {
      varint((long) field << 3);
      varint(value);
      return this;
    }

    Message bytes(int field, byte[] value) {
      varint((long) field << 3 | 2);
      varint(value.length);
      bytes.writeBytes(value);
      return this;
    }

    Message text(int field, String value) {
      return bytes(field, value.getBytes(StandardCharsets.UTF_8));
    }

    Message message(int field, Message value) {
      return bytes(field, value.bytes.toByteArray());
    }
  }

  /** Declares an input; -1 for an extent that each request says. */
  String input(String name, boolean integers, long... shape) {
    graph.message(11, value(name, integers, shape));
    return name;
  }

  /** Declares a result. */
  void output(String name, long... shape) {
    graph.message(12, value(name, false, shape));
  }

  private static Message value(String name, boolean integers, long... shape) {
    Message extents = new Message();
    for (long extent : shape) {
      Message dim = new Message();
      extents.message(1, extent < 0 ? dim.text(2, "n") : dim.number(1, extent));
    }
    Message tensor = new Message().number(1, integers ? INT64 : FLOAT).message(2, extents);
    return new Message().text(1, name).message(2, new Message().message(1, tensor));
  }

  /** A constant. */
  String constant(float[] elements, long... shape) {
    ByteBuffer raw =
        ByteBuffer.allocate(elements.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    raw.asFloatBuffer().put(elements);
    return constant(FLOAT, raw.array(), shape);
  }

  /** A constant list of whole numbers. */
  String numbers(long... elements) {
    ByteBuffer raw =
        ByteBuffer.allocate(elements.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    raw.asLongBuffer().put(elements);
    return constant(INT64, raw.array(), elements.length);
  }

  /** A constant of signed bytes. */
  String bytes(byte[] elements, long... shape) {
    return constant(INT8, elements, shape);
  }

  /** A constant of floats in a file beside the model's. */
  String external(String file, long offset, long length, long... shape) {
    Message tensor = tensor(FLOAT, shape).message(13, entry("location", file));
    tensor.message(13, entry("offset", String.valueOf(offset)));
    tensor.message(13, entry("length", String.valueOf(length)));
    return initializer(tensor.number(14, EXTERNAL));
  }

  private static Message entry(String key, String value) {
    return new Message().text(1, key).text(2, value);
  }

  private String constant(int type, byte[] raw, long... shape) {
    return initializer(tensor(type, shape).bytes(9, raw));
  }

  private static Message tensor(int type, long... shape) {
    Message tensor = new Message();
    for (long extent : shape) {
      tensor.number(1, extent);
    }
    return tensor.number(2, type);
  }

  private String initializer(Message tensor) {
    String name = "v" + values++;
    graph.message(5, tensor.text(8, name));
    return name;
  }

  /** An operator's one result. */
  String node(String operator, String... inputs) {
    return node(operator, null, 0, inputs);
  }

  /**
   * The same with a whole-numbered attribute.
   *
   * @param attribute null for none
   */
  String node(String operator, String attribute, long number, String... inputs) {
    Message value =
        attribute == null
            ? null
            : new Message().text(1, attribute).number(3, number).number(20, ATTRIBUTE_INT);
    return add(operator, "", value, inputs);
  }

  /** The same with an attribute that is a list of whole numbers. */
  String node(String operator, String attribute, long[] numbers, String... inputs) {
    Message value = new Message().text(1, attribute);
    for (long number : numbers) {
      value.number(8, number);
    }
    return add(operator, "", value.number(20, ATTRIBUTE_INTS), inputs);
  }

  /** The same of an operator that ONNX Runtime adds to those of ONNX. */
  String microsoftNode(String operator, String... inputs) {
    return add(operator, MICROSOFT, null, inputs);
  }

  private String add(String operator, String domain, Message attribute, String... inputs) {
    String result = "v" + values++;
    Message node = new Message();
    for (String input : inputs) {
      node.text(1, input);
    }
    node.text(2, result).text(4, operator).text(7, domain);
    if (attribute != null) {
      node.message(5, attribute);
    }
    graph.message(1, node);
    return result;
  }

  /** The whole model. */
  byte[] bytes() {
    Message model = new Message().number(1, 8).message(7, graph.text(2, "scorer"));
    model.message(8, new Message().text(1, "").number(2, 13));
    model.message(8, new Message().text(1, MICROSOFT).number(2, 1));
    return model.bytes.toByteArray();
  }
}
