package org.llm4msr.model.encoder;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.model.SharedFolder;
import org.llm4msr.model.TestFiles;
import org.llm4msr.model.checkpoint.Safetensors;

/** Hidden states that another implementation computed for one model. */
record GoldenCase(List<int[]> prompts, float[][] lastToken, float[][] meanPooled) {

  /** The folder of a case, among the resources or in the shared folder. */
  static Path directory(String name) {
    return GoldenCase.class.getResource("/golden/" + name) != null
        ? TestFiles.resource("golden/" + name)
        : SharedFolder.require("golden/" + name);
  }

  static GoldenCase read(Path directory) {
    return readFile(directory.resolve("golden.safetensors"));
  }

  static GoldenCase readFile(Path path) {
    try (Safetensors file = Safetensors.open(path)) {
      MemorySegment ids = file.tensor("input_ids").data();
      MemorySegment mask = file.tensor("attention_mask").data();
      long[] extents = file.tensor("input_ids").shape().toArray();
      List<int[]> prompts = new ArrayList<>();
      for (int row = 0; row < extents[0]; row++) {
        int length = 0;
        int[] tokens = new int[(int) extents[1]];
        for (int i = 0; i < tokens.length; i++) {
          long at = (row * extents[1] + i) * Long.BYTES;
          if (mask.get(ValueLayout.JAVA_LONG_UNALIGNED, at) == 1) {
            tokens[length++] = (int) ids.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
          }
        }
        prompts.add(Arrays.copyOf(tokens, length));
      }
      return new GoldenCase(prompts, rows(file, "last_token"), rows(file, "mean_pooled"));
    }
  }

  /** The most likely continuation of each prompt. */
  int[][] greedy(Path directory) {
    try (Safetensors file = Safetensors.open(directory.resolve("golden.safetensors"))) {
      MemorySegment data = file.tensor("greedy").data();
      int[][] rows = new int[prompts.size()][16];
      for (int i = 0; i < rows.length * 16; i++) {
        long token = data.get(ValueLayout.JAVA_LONG_UNALIGNED, i * (long) Long.BYTES);
        rows[i / 16][i % 16] = Math.toIntExact(token);
      }
      return rows;
    }
  }

  /** Logits after each prompt. */
  float[][] lastLogits(Path directory) {
    try (Safetensors file = Safetensors.open(directory.resolve("golden.safetensors"))) {
      return rows(file, "last_logits");
    }
  }

  float[][] expected(Pooling pooling) {
    return pooling == Pooling.LAST_PROMPT ? lastToken : meanPooled;
  }

  private static float[][] rows(Safetensors file, String name) {
    int width = (int) file.tensor(name).shape().dim(1);
    float[] all = file.tensor(name).data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    float[][] rows = new float[all.length / width][];
    for (int row = 0; row < rows.length; row++) {
      rows[row] = Arrays.copyOfRange(all, row * width, (row + 1) * width);
    }
    return rows;
  }
}
