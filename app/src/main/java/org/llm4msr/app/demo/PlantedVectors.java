package org.llm4msr.app.demo;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a language model would have to find out: each customer's hidden taste, mixed by a fixed
 * random matrix and blurred by noise. Whoever has few rows in the log is known by nothing else, so
 * a method that can use knowledge must gain on these vectors, and it must gain most there.
 *
 * <p>The scenarios' vectors are random: the log has enough rows to tell scenarios apart.
 */
final class PlantedVectors {
  static final int WIDTH = 64;

  /** Deviation of the noise beside a signal of deviation 1. */
  private static final double NOISE = 0.3;

  private final Random random = new Random(DemoWorld.SEED + 100);
  private final double[][] mix;

  /**
   * @param facts numbers behind a customer's clicks
   */
  private PlantedVectors(int facts) {
    mix = new double[WIDTH][facts];
    for (double[] row : mix) {
      for (int i = 0; i < facts; i++) {
        row[i] = random.nextGaussian() / Math.sqrt(facts);
      }
    }
  }

  static void write(DemoWorld world, Path file) {
    PlantedVectors vectors = new PlantedVectors(facts(world.users().getFirst()).length);
    List<String> ids = new ArrayList<>();
    List<float[]> rows = new ArrayList<>();
    for (Population.User user : world.users()) {
      ids.add("user/" + user.id());
      rows.add(vectors.of(user));
    }
    for (DemoScenario scenario : DemoScenario.values()) {
      ids.add("scenario/" + scenario.id);
      rows.add(vectors.noise(1));
    }
    // One entry: the order of several would differ between processes, and with it the checksum.
    Map<String, String> metadata = Map.of("ids", JsonMapper.shared().writeValueAsString(ids));
    List<SafetensorsWriter.Declaration> tensors =
        List.of(
            new SafetensorsWriter.Declaration("hidden", DType.F32, Shape.of(ids.size(), WIDTH)));
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer = SafetensorsWriter.create(file, tensors, metadata)) {
      MemorySegment element = arena.allocate(ValueLayout.JAVA_FLOAT, WIDTH);
      for (float[] row : rows) {
        MemorySegment.copy(row, 0, element, ValueLayout.JAVA_FLOAT, 0, WIDTH);
        writer.write(element);
      }
      writer.commit();
    }
  }

  /** What a customer's clicks were drawn from, as far as it is the same in all scenarios. */
  private static double[] facts(Population.User user) {
    double[] taste = user.affinity();
    double[] facts = Arrays.copyOf(taste, taste.length + 2);
    facts[taste.length] = user.priceTaste();
    facts[taste.length + 1] = user.eagerness();
    return facts;
  }

  private float[] of(Population.User user) {
    double[] facts = facts(user);
    float[] vector = noise(NOISE);
    for (int d = 0; d < WIDTH; d++) {
      double sum = 0;
      for (int i = 0; i < facts.length; i++) {
        sum += mix[d][i] * facts[i];
      }
      vector[d] += (float) sum;
    }
    return vector;
  }

  private float[] noise(double deviation) {
    float[] vector = new float[WIDTH];
    for (int d = 0; d < WIDTH; d++) {
      vector[d] = (float) (deviation * random.nextGaussian());
    }
    return vector;
  }
}
