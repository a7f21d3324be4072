package org.llm4msr.bench.gpu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.llm4msr.bench.encoding.RandomModel;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Pooling;
import org.llm4msr.runtime.DType;

/**
 * A batch of prompts through a model with random BF16 weights, from token ids to the mean of each
 * prompt's states: every token's state is computed in every layer.
 */
final class EncoderWorkload implements Workload {
  private final FrozenEncoder encoder;
  private final int prompts;
  private final int tokens;
  private final int vocabulary;
  private final SplittableRandom random = new SplittableRandom(8);
  private List<int[]> batch = List.of();

  /**
   * Writes the model into the folder of temporary files, loads it, and deletes what it wrote.
   *
   * @param shape a shape of {@link RandomModel}, prompts and tokens of each, such as {@code
   *     110m:64x256}
   */
  EncoderWorkload(String backend, String shape) {
    String model = shape.substring(0, shape.indexOf(':'));
    int[] numbers = GpuBenchmark.numbers(shape.substring(model.length() + 1));
    prompts = numbers[0];
    tokens = numbers[1];
    vocabulary = RandomModel.vocabulary(model);
    EncoderOptions options =
        EncoderOptions.defaults()
            .withBackend(backend)
            .withPooling(Pooling.MEAN_PROMPT)
            .withMaxTokensPerBatch(prompts * tokens);
    Path directory = temporary();
    try {
      RandomModel.write(model, DType.BF16, directory);
      encoder = FrozenEncoder.load(directory, options);
    } finally {
      delete(directory);
    }
  }

  private static Path temporary() {
    try {
      return Files.createTempDirectory("random-model");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What is mapped stays readable. */
  private static void delete(Path directory) {
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
      Files.delete(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public String unit() {
    return "tokens";
  }

  @Override
  public double unitsPerRun() {
    return (double) prompts * tokens;
  }

  @Override
  public void prepare() {
    batch =
        Stream.generate(() -> random.ints(tokens, 0, vocabulary).toArray()).limit(prompts).toList();
  }

  @Override
  public void run() {
    encoder.encodeTokens(batch);
  }

  @Override
  public void close() {
    encoder.close();
  }
}
