package org.llm4msr.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.model.TestFiles;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;

class SafetensorsTest {
  @TempDir Path folder;

  @Test
  void readsAFileOfTheOriginalLibrary() {
    Path file = TestFiles.resource("golden/transformers/llama/golden.safetensors");
    try (Safetensors tensors = Safetensors.open(file)) {
      assertThat(tensors.metadata()).containsEntry("family", "llama").containsEntry("seed", "1000");
      StoredTensor mask = tensors.tensor("attention_mask");
      assertThat(mask.dtype()).isEqualTo(DType.I64);
      assertThat(mask.shape()).isEqualTo(Shape.of(3, 12));
      // Sequences of 7, 12 and 5 tokens, as the case says.
      long[] ones = mask.data().toArray(ValueLayout.JAVA_LONG_UNALIGNED);
      assertThat(Arrays.stream(ones).sum()).isEqualTo(24);
      assertThat(tensors.tensor("last_token").data().byteSize()).isEqualTo(3 * 64 * 4);
    }
  }

  @Test
  void readsScalarsEmptyTensorsAndTypesBeyondTheEngine() {
    String header =
        """
        {"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
         "e":{"dtype":"F64","shape":[3,0],"data_offsets":[4,4]},
         "b":{"dtype":"BOOL","shape":[3],"data_offsets":[4,7]},
         "f":{"dtype":"F4","shape":[2],"data_offsets":[7,8]}}\
        """;
    Path file = SafetensorsFiles.write(folder.resolve("m.safetensors"), header, 8);
    try (Safetensors tensors = Safetensors.open(file)) {
      assertThat(tensors.names()).containsExactly("s", "e", "b", "f");
      assertThat(tensors.tensor("s").shape().rank()).isZero();
      assertThat(tensors.tensor("e").data().byteSize()).isZero();
      assertThatThrownBy(() -> tensors.tensor("b").dtype())
          .isInstanceOf(UserError.class)
          .hasMessageContaining("m.safetensors: tensor b: element type BOOL is not supported");
      assertThatThrownBy(() -> tensors.tensor("x"))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("tensor x is missing");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}                     | takes 8 bytes
          {"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}                     | data_offsets are [4, 0]
          {"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}                     | hole
          {"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}                    | truncated
          {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}                     | belong to no tensor
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}} | inside the tensor before it
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} | Duplicate
          {"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}                     | unknown dtype "F31"
          {"a":{"dtype":3,"shape":[2],"data_offsets":[0,8]}}                         | dtype: expected a string
          {"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}                    | expected 0 or more
          {"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}                   | expected integers
          {"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}                   | not valid JSON
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,1e999]}}                 | expected integers
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}}  | not valid JSON
          {"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}} | too large
          {"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}                      | takes 1 bytes
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}                   | more than 2
          {"a":{"dtype":"F32","shape":[2]}}                                          | not all are there
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}               | unknown field x
          {"a":[]}                                                                   | tensor a: expected an object
          {"__metadata__":{"k":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} | __metadata__ entry k: expected a string
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} {}                  | content after its object
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}                      | not valid JSON
          [1]                                                                        | does not begin with '{'
          """,
      quoteCharacter = '\u0001')
  void refusesBrokenHeaders(String header, String message) {
    Path file = SafetensorsFiles.write(folder.resolve("m.safetensors"), header, 8);
    assertThatThrownBy(() -> Safetensors.open(file))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith(file.toString())
        .hasMessageContaining(message)
        .hasMessageNotContaining("\n");
  }

  @Test
  void refusesFilesThatAreNoneOrTooShort() throws IOException {
    Path file = folder.resolve("m.safetensors");
    assertThatThrownBy(() -> Safetensors.open(file)).hasMessage(file + ": no such file");
    assertThatThrownBy(() -> Safetensors.open(folder)).hasMessage(folder + ": not a regular file");
    SafetensorsFiles.write(file, new byte[5]);
    assertThatThrownBy(() -> Safetensors.open(file)).hasMessageContaining("5 bytes, too short");
    for (long length : new long[] {-1, Long.MIN_VALUE, 100_000_001, 200}) {
      byte[] bytes = new byte[64];
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(length);
      SafetensorsFiles.write(file, bytes);
      assertThatThrownBy(() -> Safetensors.open(file))
          .isInstanceOf(UserError.class)
          .hasMessageContaining(Long.toUnsignedString(length));
    }
    byte[] notUtf8 = SafetensorsFiles.bytes("{\"??\":{}}", new byte[0]);
    notUtf8[10] = (byte) 0xc3;
    SafetensorsFiles.write(file, notUtf8);
    assertThatThrownBy(() -> Safetensors.open(file)).hasMessageContaining("UTF-8");
    assertThat(Files.size(file)).isEqualTo(notUtf8.length);
  }

  @Test
  void mapsFilesBeyondTwoGibibytes() throws IOException {
    Path file = folder.resolve("large.safetensors");
    long elements = 3L << 30;
    String header =
        "{\"a\":{\"dtype\":\"U8\",\"shape\":["
            + elements
            + "],\"data_offsets\":[0,"
            + elements
            + "]}}";
    SafetensorsFiles.write(file, header, 0);
    long dataOffset = Files.size(file);
    // Seeking past the end leaves a sparse file: it takes a few blocks on the disk.
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(new byte[] {42}), dataOffset + elements - 1);
    }
    try (Safetensors tensors = Safetensors.open(file)) {
      MemorySegment data = tensors.tensor("a").data();
      assertThat(data.byteSize()).isEqualTo(elements);
      assertThat(data.get(ValueLayout.JAVA_BYTE, elements - 1)).isEqualTo((byte) 42);
    }
  }

  @Test
  void dataIsGoneAfterClose() {
    Path file = TestFiles.resource("golden/transformers/llama/golden.safetensors");
    Safetensors tensors = Safetensors.open(file);
    MemorySegment data = tensors.tensor("last_token").data();
    tensors.close();
    tensors.close();
    assertThatThrownBy(() -> data.get(ValueLayout.JAVA_BYTE, 0))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void writesWhatItReads() {
    Path file = folder.resolve("w.safetensors");
    List<SafetensorsWriter.Declaration> declarations =
        List.of(
            new SafetensorsWriter.Declaration("x", DType.F32, Shape.of(2, 3)),
            new SafetensorsWriter.Declaration("ids \"quoted\" ü", DType.I64, Shape.of(1)),
            new SafetensorsWriter.Declaration("none", DType.BF16, Shape.of(0, 5)));
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer =
            SafetensorsWriter.create(file, declarations, Map.of("k", "v\n"))) {
      MemorySegment values = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 2, 3, 4, 5, 6);
      writer.write(values.asSlice(0, 8));
      writer.write(values.asSlice(8));
      assertThatThrownBy(writer::commit).isInstanceOf(IllegalStateException.class);
      writer.write(arena.allocateFrom(ValueLayout.JAVA_LONG, -7L));
      assertThatThrownBy(() -> writer.write(values)).isInstanceOf(IllegalStateException.class);
      assertThat(file).doesNotExist();
      writer.commit();
    }
    try (Safetensors tensors = Safetensors.open(file)) {
      assertThat(tensors.metadata()).containsExactly(Map.entry("k", "v\n"));
      assertThat(tensors.tensor("x").data().address() % 64).isZero();
      assertThat(tensors.tensor("x").data().toArray(ValueLayout.JAVA_FLOAT))
          .containsExactly(1, 2, 3, 4, 5, 6);
      assertThat(tensors.tensor("ids \"quoted\" ü").data().get(ValueLayout.JAVA_LONG, 0))
          .isEqualTo(-7);
      assertThat(tensors.tensor("none").shape()).isEqualTo(Shape.of(0, 5));
    }
  }

  @Test
  void anUncommittedFileLeavesNoTraceAndTheOldOneInPlace() throws IOException {
    Path file = Files.writeString(folder.resolve("w.safetensors"), "old");
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(
            file,
            List.of(new SafetensorsWriter.Declaration("x", DType.F32, Shape.of(2))),
            Map.of())) {
      writer.write(MemorySegment.ofArray(new byte[4]));
    }
    assertThat(file).hasContent("old");
    try (var listing = Files.list(folder)) {
      assertThat(listing).containsExactly(file);
    }
  }

  @Test
  void refusesToReplaceWhatIsNoFile() {
    assertThatThrownBy(() -> SafetensorsWriter.create(folder, List.of(), Map.of()))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("not a regular file");
    assertThatThrownBy(
            () -> SafetensorsWriter.create(folder.resolve("no/w.safetensors"), List.of(), Map.of()))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("no such file or folder");
  }
}
