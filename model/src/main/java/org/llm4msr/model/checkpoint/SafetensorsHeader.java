package org.llm4msr.model.checkpoint;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * The JSON header of a safetensors file, parsed as a stream: a hostile header of the full 100 MB
 * must not become a tree of a gigabyte.
 *
 * @param tensors by name, in the header's order
 * @param metadata the free-form {@code __metadata__}
 */
record SafetensorsHeader(Map<String, Entry> tensors, Map<String, String> metadata) {
  private static final int MAX_RANK = 16;

  /** Bytes {@code begin} to {@code end} of the data part. */
  record Entry(String name, StoredType type, Shape shape, long begin, long end) {}

  /**
   * Parses and checks a header.
   *
   * @param json the header's bytes
   * @param dataBytes how many bytes follow the header
   * @throws UserError if it breaks the format's rules
   */
  static SafetensorsHeader parse(Path file, byte[] json, long dataBytes) {
    if (json.length == 0 || json[0] != '{') {
      throw FileErrors.malformed(file, "header does not begin with '{': not a safetensors file");
    }
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(json)).toString();
    } catch (CharacterCodingException e) {
      throw FileErrors.malformed(file, "header is not valid UTF-8", e);
    }
    SafetensorsHeader header;
    try (JsonParser parser = StrictJson.parser(text)) {
      header = new Reader(file, parser).read();
    } catch (JacksonException e) {
      throw FileErrors.malformed(file, "header is not valid JSON: " + StrictJson.reason(e), e);
    }
    requireContiguous(file, header.tensors.values(), dataBytes);
    return header;
  }

  /** The format allows neither overlaps nor holes: each byte of the data belongs to one tensor. */
  private static void requireContiguous(Path file, Collection<Entry> tensors, long dataBytes) {
    List<Entry> byOffset =
        tensors.stream()
            .sorted(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end))
            .toList();
    long end = 0;
    for (Entry entry : byOffset) {
      if (entry.begin != end) {
        throw FileErrors.malformed(
            file,
            "tensor "
                + entry.name
                + ": data begins at "
                + entry.begin
                + (entry.begin < end
                    ? ", inside the tensor before it, which ends at "
                    : ", a hole after ")
                + end);
      }
      end = entry.end;
    }
    if (end > dataBytes) {
      throw FileErrors.malformed(
          file,
          "truncated: the header promises " + end + " bytes of data, the file holds " + dataBytes);
    }
    if (end < dataBytes) {
      throw FileErrors.malformed(file, (dataBytes - end) + " bytes at the end belong to no tensor");
    }
  }

  private record Reader(Path file, JsonParser parser) {

    SafetensorsHeader read() {
      Map<String, Entry> tensors = new LinkedHashMap<>();
      Map<String, String> metadata = Map.of();
      require(parser.nextToken(), JsonToken.START_OBJECT, "header", "an object");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        if (name.equals("__metadata__")) {
          metadata = readMetadata();
        } else {
          tensors.put(name, readEntry(name));
        }
      }
      if (parser.nextToken() != null) {
        throw FileErrors.malformed(file, "header has content after its object");
      }
      return new SafetensorsHeader(tensors, metadata);
    }

    private Map<String, String> readMetadata() {
      Map<String, String> metadata = new LinkedHashMap<>();
      require(parser.nextToken(), JsonToken.START_OBJECT, "__metadata__", "an object");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        require(
            parser.nextToken(), JsonToken.VALUE_STRING, "__metadata__ entry " + key, "a string");
        metadata.put(key, parser.getString());
      }
      return metadata;
    }

    private Entry readEntry(String name) {
      String what = "tensor " + name;
      StoredType type = null;
      long[] extents = null;
      long[] offsets = null;
      require(parser.nextToken(), JsonToken.START_OBJECT, what, "an object");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        JsonToken value = parser.nextToken();
        switch (key) {
          case "dtype" -> {
            require(value, JsonToken.VALUE_STRING, what + " dtype", "a string");
            type = StoredType.named(parser.getString());
            if (type == null) {
              throw FileErrors.malformed(
                  file, what + ": unknown dtype \"" + parser.getString() + "\"");
            }
          }
          case "shape" -> extents = readNumbers(value, what + " shape", MAX_RANK);
          case "data_offsets" -> offsets = readNumbers(value, what + " data_offsets", 2);
          default -> throw FileErrors.malformed(file, what + ": unknown field " + key);
        }
      }
      if (type == null || extents == null || offsets == null || offsets.length != 2) {
        throw FileErrors.malformed(
            file, what + ": expected dtype, shape and two data_offsets, not all are there");
      }
      return checked(name, type, extents, offsets[0], offsets[1]);
    }

    private Entry checked(String name, StoredType type, long[] extents, long begin, long end) {
      long bits = type.bits();
      Shape shape;
      try {
        for (long extent : extents) {
          bits = Math.multiplyExact(bits, extent);
        }
        shape = Shape.of(extents);
      } catch (ArithmeticException | IllegalArgumentException e) {
        throw FileErrors.malformed(
            file, "tensor " + name + ": shape " + Arrays.toString(extents) + " is too large", e);
      }
      if (bits % 8 != 0 || end < begin || end - begin != bits / 8) {
        throw FileErrors.malformed(
            file,
            "tensor "
                + name
                + ": "
                + type
                + shape
                + " takes "
                + bits / 8
                + " bytes, but data_offsets are ["
                + begin
                + ", "
                + end
                + "]");
      }
      return new Entry(name, type, shape, begin, end);
    }

    private long[] readNumbers(JsonToken start, String what, int most) {
      require(start, JsonToken.START_ARRAY, what, "an array");
      long[] numbers = new long[most];
      int count = 0;
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        require(parser.currentToken(), JsonToken.VALUE_NUMBER_INT, what, "integers");
        if (count == most) {
          throw FileErrors.malformed(file, what + " has more than " + most + " numbers");
        }
        // Out-of-range integers are a JacksonException, which parse() reports.
        long number = parser.getLongValue();
        if (number < 0) {
          throw FileErrors.malformed(file, what + " holds " + number + ", expected 0 or more");
        }
        numbers[count++] = number;
      }
      return Arrays.copyOf(numbers, count);
    }

    private void require(JsonToken found, JsonToken expected, String what, String description) {
      if (found != expected) {
        throw FileErrors.malformed(file, what + ": expected " + description);
      }
    }
  }
}
