package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import tools.jackson.databind.json.JsonMapper;

/** Knowledge files for tests. */
final class Vectors {
  private Vectors() {}

  static float[] random(int width, long seed) {
    Random random = new Random(seed);
    float[] vector = new float[width];
    for (int i = 0; i < width; i++) {
      vector[i] = (float) (2 * random.nextGaussian() + 1);
    }
    return vector;
  }

  /** A file as {@link ScoredLog}'s vectors came from. */
  static void write(Path file, Map<String, float[]> vectors) {
    write(file, vectors, ScoredLog.LANGUAGE_MODEL, ScoredLog.POOL);
  }

  static void write(Path file, Map<String, float[]> vectors, String model, String pool) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("ids", JsonMapper.shared().writeValueAsString(vectors.keySet()));
    if (model != null) {
      metadata.put("model", model);
    }
    if (pool != null) {
      metadata.put("pool", pool);
    }
    int width = vectors.values().iterator().next().length;
    SafetensorsWriter.Declaration hidden =
        new SafetensorsWriter.Declaration("hidden", DType.F32, Shape.of(vectors.size(), width));
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer = SafetensorsWriter.create(file, List.of(hidden), metadata)) {
      for (float[] vector : vectors.values()) {
        MemorySegment row = arena.allocateFrom(JAVA_FLOAT, vector);
        writer.write(row);
      }
      writer.commit();
    }
  }
}
