package org.llm4msr.bench.encoding;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.llm4msr.bench.Machine;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Pooling;
import org.llm4msr.model.encoder.Quantisation;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** One call that encodes the prompts of {@link EncodingWorkload} with {@link RandomCheckpoint}. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 3, jvmArgs = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 5, time = 2)
public class EncodingBenchmark {
  @Param({"cpu"})
  public String backend;

  @Param({"1", "2"})
  public int threads;

  @Param({"1x128", "1x512", "8x128"})
  public String shape;

  @Param({"LAST_PROMPT", "MEAN_PROMPT"})
  public Pooling pooling;

  /** Matters for shapes that share a beginning, such as 200x200/150. */
  @Param({"true"})
  public boolean prefixReuse;

  @Param({"target/random-110m"})
  public String model;

  /** What weights become, as {@code --quantize} has it. */
  @Param({"none"})
  public String quantize;

  private FrozenEncoder encoder;
  private List<int[]> prompts;

  @Setup(Level.Trial)
  public void open() {
    RandomCheckpoint.writeIfAbsent(Path.of(model));
    EncoderOptions options =
        EncoderOptions.defaults()
            .withBackend(backend)
            .withThreads(threads)
            .withPooling(pooling)
            .withPrefixReuse(prefixReuse)
            .withQuantise(
                quantize.equals("none")
                    ? null
                    : Quantisation.valueOf(quantize.toUpperCase(Locale.ROOT)));
    encoder = FrozenEncoder.load(Path.of(model), options);
    System.out.println(Machine.describe(encoder.description()));
    prompts = EncodingWorkload.parse(shape).tokenIds();
  }

  @Benchmark
  public float[][] encode() {
    return encoder.encodeTokens(prompts);
  }

  @TearDown(Level.Trial)
  public void close() {
    encoder.close();
  }
}
