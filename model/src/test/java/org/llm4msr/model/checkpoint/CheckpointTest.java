package org.llm4msr.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.model.TestFiles;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;

class CheckpointTest {
  private static final String ONE =
      "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";

  @TempDir Path folder;

  private int openBefore;

  @BeforeEach
  void countOpenFiles() {
    openBefore = AllocationTracker.open().size();
  }

  @AfterEach
  void closesEverythingItOpened() {
    assertThat(AllocationTracker.open()).hasSize(openBefore);
  }

  @Test
  void readsOneFile() {
    try (Checkpoint checkpoint = Checkpoint.open(TestFiles.resource("golden/transformers/llama"))) {
      assertThat(checkpoint.files()).hasSize(1);
      assertThat(checkpoint.metadata()).containsEntry("format", "pt");
      assertThat(checkpoint.tensor("model.norm.weight").shape()).isEqualTo(Shape.of(64));
    }
  }

  @Test
  void readsShards() {
    try (Checkpoint checkpoint =
        Checkpoint.open(TestFiles.resource("golden/transformers/llama3"))) {
      assertThat(checkpoint.files()).hasSize(6);
      assertThat(checkpoint.names()).hasSize(21).contains("lm_head.weight");
      assertThat(checkpoint.tensor("model.layers.1.mlp.up_proj.weight").shape())
          .isEqualTo(Shape.of(160, 64));
      assertThatThrownBy(() -> checkpoint.tensor("model.layers.2.mlp.up_proj.weight"))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("tensor model.layers.2.mlp.up_proj.weight is missing");
    }
  }

  private void index(String weightMap) throws IOException {
    Files.writeString(
        folder.resolve("model.safetensors.index.json"), "{\"weight_map\":" + weightMap + "}");
  }

  private void shard(String name, String tensor) {
    SafetensorsFiles.write(folder.resolve(name), ONE.formatted(tensor), 4);
  }

  private void assertRefused(String message) {
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith(folder.toString())
        .hasMessageContaining(message);
  }

  @Test
  void refusesAFolderWithoutWeights() {
    assertRefused("neither model.safetensors nor model.safetensors.index.json");
    assertThatThrownBy(() -> Checkpoint.open(folder.resolve("no")))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("not a folder");
  }

  @Test
  void refusesAMissingShard() throws IOException {
    index("{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}");
    shard("1.safetensors", "a");
    assertRefused("2.safetensors: no such file");
  }

  @Test
  void refusesATensorThatIsNotInItsShard() throws IOException {
    index("{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\"}");
    shard("1.safetensors", "a");
    assertRefused("tensor b is in 1.safetensors, but it is not");
  }

  @Test
  void refusesATensorThatTheIndexDoesNotList() throws IOException {
    index("{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}");
    shard("2.safetensors", "b");
    SafetensorsFiles.write(
        folder.resolve("1.safetensors"),
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
            + "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
        2);
    assertRefused("tensor b is not listed for this file");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"../1.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "a\\\\b", "C:x"})
  void refusesShardNamesThatLeadElsewhere(String name) throws IOException {
    index("{\"a\":\"" + name + "\"}");
    assertRefused("expected a plain file name");
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "[]", "3", "{\"a\":1}", "{\"a\":\"x\",\"a\":\"y\"}", "{"})
  void refusesABrokenIndex(String weightMap) throws IOException {
    index(weightMap);
    assertRefused("model.safetensors.index.json");
  }
}
