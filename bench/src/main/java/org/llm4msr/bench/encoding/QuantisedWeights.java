package org.llm4msr.bench.encoding;

import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.llm4msr.bench.Cosines;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.MemoryNeed;
import org.llm4msr.model.encoder.Quantisation;
import org.llm4msr.runtime.UserError;

/**
 * How long models take to load and how much heap, how fast they encode, and how near their vectors
 * are to those of the first. Each is also computed in 8-bit integers, and a Hugging Face directory
 * quantised while it is loaded:
 *
 * <pre>
 * bench/run.sh -m org.llm4msr.bench.encoding.QuantisedWeights VOCABULARY THREADS MODEL…
 * </pre>
 */
public final class QuantisedWeights {
  private static final int PROMPTS = 8;
  private static final int TOKENS = 64;
  private static final Quantisation[] AS_STORED = {null, Quantisation.A8, Quantisation.W8A8};
  private static final Quantisation[] ON_LOAD = {
    null,
    Quantisation.W8A8,
    Quantisation.Q8_0,
    Quantisation.Q8_0_A8,
    Quantisation.Q4_0,
    Quantisation.Q4_0_A8
  };

  private QuantisedWeights() {}

  public static void main(String[] arguments) {
    int vocabulary = Integer.parseInt(arguments[0]);
    int threads = Integer.parseInt(arguments[1]);
    SplittableRandom random = new SplittableRandom(5);
    List<int[]> prompts = new ArrayList<>();
    for (int i = 0; i < PROMPTS; i++) {
      prompts.add(random.ints(TOKENS, 0, vocabulary).toArray());
    }
    float[][] exact = null;
    for (int m = 2; m < arguments.length; m++) {
      Path model = Path.of(arguments[m]);
      for (Quantisation type : Files.isDirectory(model) ? ON_LOAD : AS_STORED) {
        EncoderOptions options = EncoderOptions.defaults().withThreads(threads).withQuantise(type);
        String name = model.getFileName() + (type == null ? "" : " " + type);
        try {
          float[][] vectors = measure(name, model, options, prompts, exact);
          exact = exact == null ? vectors : exact;
        } catch (UserError e) {
          // Not every file holds weights in blocks.
          System.out.println(name + ": " + e.getMessage());
        }
      }
    }
  }

  private static float[][] measure(
      String name, Path model, EncoderOptions options, List<int[]> prompts, float[][] exact) {
    long start = System.nanoTime();
    FrozenEncoder.load(model, options).close();
    double firstSeconds = (System.nanoTime() - start) / 1e9;
    start = System.nanoTime();
    try (FrozenEncoder encoder = FrozenEncoder.load(model, options)) {
      double loadSeconds = (System.nanoTime() - start) / 1e9;
      long heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
      MemoryNeed need = encoder.memory();
      encoder.encodeTokens(prompts.subList(0, 1));
      double best = 0;
      float[][] vectors = null;
      for (int round = 0; round < 3; round++) {
        start = System.nanoTime();
        vectors = encoder.encodeTokens(prompts);
        best = Math.max(best, PROMPTS * TOKENS / ((System.nanoTime() - start) / 1e9));
      }
      System.out.printf(
          "%-24s load %.2f s, again %.2f s, heap %d MB, weights %d MB, %.0f tokens/s, cosine %s%n",
          name,
          firstSeconds,
          loadSeconds,
          heap >> 20,
          need.weightBytes() >> 20,
          best,
          Cosines.of(vectors, exact == null ? vectors : exact));
      return vectors;
    }
  }
}
