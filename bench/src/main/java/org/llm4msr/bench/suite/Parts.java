package org.llm4msr.bench.suite;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.ejml.data.FMatrixRMaj;
import org.ejml.dense.row.CommonOps_FDRM;
import org.llm4msr.bench.encoding.EncodingWorkload;
import org.llm4msr.bench.encoding.RandomCheckpoint;
import org.llm4msr.bench.kernels.KernelCase;
import org.llm4msr.bench.kernels.KernelCase.Limit;
import org.llm4msr.bench.ladder.Ladder;
import org.llm4msr.bench.scoring.ScoringWorkload;
import org.llm4msr.bench.suite.Sampler.Work;
import org.llm4msr.bench.training.TrainingStep;
import org.llm4msr.bench.training.TrainingWorkload;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.model.encoder.EncoderOptions;
import org.llm4msr.model.encoder.FrozenEncoder;
import org.llm4msr.model.encoder.Pooling;
import org.llm4msr.model.encoder.Quantisation;
import org.llm4msr.model.scorer.Scorer;
import org.llm4msr.model.scorer.Snapshot;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;

/** What the suite measures of ours: kernels and whole paths. */
final class Parts {
  private static final Path MODEL = Path.of("bench/target/random-110m");

  private static final List<String> KERNELS =
      List.of(
          "matmul 128 896 4864 F32",
          "matmul 128 896 4864 BF16",
          "panels 128 896 4864 F32",
          "panels 128 896 4864 BF16",
          "panels 512 896 4864 F32",
          "panels 512 896 4864 BF16",
          "panels 1 896 4864 BF16",
          "int8 128 896 4864",
          "int8 512 896 4864",
          "blocks 128 896 4864 Q8_0",
          "attention 1 512 12 12 64",
          "rmsnorm 16384 896",
          "softmax 16384 896",
          "adam 8000000");

  /** Besides, where time matters less. */
  private static final List<String> MORE_KERNELS =
      List.of(
          "matmul 512 896 4864 F32",
          "matmul 512 896 4864 BF16",
          "matmul 128 4864 896 F32",
          "matmul 4096 128 256 F32",
          "int8 128 4864 896",
          "gradient 4096 128 256",
          "grouped 4 1024 128 256",
          "attention 8 128 14 2 64");

  /** On all threads too. */
  private static final List<String> THREADED =
      List.of(
          "panels 512 896 4864 F32",
          "int8 512 896 4864",
          "rmsnorm 16384 896",
          "softmax 16384 896",
          "adam 8000000");

  private static final int ITEMS = 200;
  private static final int REQUESTS = 512;

  private final boolean full;
  private final Sampler sampler;
  private final Consumer<Figure> found;
  private final Ceilings one;
  private final Ceilings all;

  /**
   * @param full whether everything is measured
   * @param found told of each figure
   */
  Parts(boolean full, String part, Ceilings one, Ceilings all, Consumer<Figure> found) {
    this.full = full;
    this.sampler = new Sampler(part, full ? 9 : 5, full ? 0.5 : 0.3);
    this.one = one;
    this.all = all;
    this.found = found;
  }

  /** The best instruction set and AVX2, for which the project's goals are stated. */
  static List<Isa> isas() {
    Isa best = Isa.selected();
    return best.compareTo(Isa.AVX2) > 0 ? List.of(best, Isa.AVX2) : List.of(best);
  }

  private void forEachIsa(Runnable work) {
    Isa best = Isa.selected();
    for (Isa isa : isas()) {
      isa.select();
      try {
        work.run();
      } finally {
        best.select();
      }
    }
  }

  void kernels() {
    plainJava();
    forEachIsa(() -> {
      List<String> names = new ArrayList<>(KERNELS);
      if (full) {
        names.addAll(MORE_KERNELS);
      }
      names.forEach(name -> kernel(name, one));
      if (all.threads() > 1) {
        THREADED.forEach(name -> kernel(name, all));
      }
    });
  }

  /** EJML's product, the yardstick of what Java does without native code. */
  private void plainJava() {
    SplittableRandom random = new SplittableRandom(1);
    int m = 128;
    int k = 896;
    int n = 4864;
    FMatrixRMaj a = new FMatrixRMaj(m, k);
    FMatrixRMaj w = new FMatrixRMaj(n, k);
    FMatrixRMaj c = new FMatrixRMaj(m, n);
    for (FMatrixRMaj matrix : List.of(a, w)) {
      for (int i = 0; i < matrix.data.length; i++) {
        matrix.data[i] = (float) random.nextDouble() - 0.5f;
      }
    }
    String name = String.format(Locale.ROOT, "EJML (Java) %d %d %d F32", m, k, n);
    double bytes = Float.BYTES * ((double) m * k + (double) n * k + (double) m * n);
    measure(
        new Work(
            name,
            () -> CommonOps_FDRM.multTransB(a, w, c),
            0,
            "",
            2.0 * m * k * n,
            bytes,
            Limit.FMA),
        one);
  }

  private void kernel(String name, Ceilings ceilings) {
    try (Arena arena = Arena.ofShared();
        CpuPool pool = new CpuPool(ceilings.threads())) {
      KernelCase kernel = KernelCase.of(name, pool, arena);
      measure(
          new Work(name, kernel.call(), 0, "", kernel.flops(), kernel.bytes(), kernel.limit()),
          ceilings);
    }
  }

  /** Steps in C are for AVX2 whatever is selected. */
  void ladder() {
    Isa best = Isa.selected();
    try {
      isas().getLast().select();
      ladder(List.of(Ladder.Step.values()), one);
      if (all.threads() > 1) {
        ladder(List.of(Ladder.Step.PACKED_ONCE), all);
      }
      if (best != Isa.selected()) {
        best.select();
        ladder(List.of(Ladder.Step.PACKED_ONCE), one);
      }
    } finally {
      best.select();
    }
  }

  private void ladder(List<Ladder.Step> steps, Ceilings ceilings) {
    try (Ladder ladder = new Ladder(ceilings.threads())) {
      for (Ladder.Step step : steps) {
        String name = step.name().toLowerCase(Locale.ROOT).replace('_', ' ');
        measure(
            new Work(name, ladder.checked(step), 0, "", Ladder.FLOPS, Ladder.BYTES, Limit.FMA),
            ceilings);
      }
    }
  }

  private void measure(Work work, Ceilings ceilings) {
    found.accept(sampler.measure(work, ceilings));
  }

  /**
   * The 110M shape; every token's state is computed in every layer, so that operations are known.
   */
  void encoding() {
    RandomCheckpoint.writeIfAbsent(MODEL);
    List<String> shapes = full ? List.of("1x128", "8x128", "1x512") : List.of("1x128", "8x128");
    forEachIsa(() -> {
      for (Quantisation type : Arrays.asList(null, Quantisation.W8A8)) {
        for (Ceilings ceilings : all.threads() > 1 ? List.of(one, all) : List.of(one)) {
          encode(type, ceilings, shapes);
        }
      }
    });
  }

  private void encode(Quantisation type, Ceilings ceilings, List<String> shapes) {
    EncoderOptions options =
        EncoderOptions.defaults()
            .withThreads(ceilings.threads())
            .withPooling(Pooling.MEAN_PROMPT)
            .withQuantise(type);
    try (FrozenEncoder encoder = FrozenEncoder.load(MODEL, options)) {
      for (String shape : shapes) {
        EncodingWorkload workload = EncodingWorkload.parse(shape);
        List<int[]> prompts = workload.tokenIds();
        String name = "encode 110M " + shape + " " + (type == null ? "F32" : "w8a8");
        measure(
            new Work(
                name,
                () -> encoder.encodeTokens(prompts),
                workload.totalTokens(),
                "tokens/s",
                encoderFlops(workload),
                0,
                type == null ? Limit.FMA : Limit.INT8),
            ceilings);
      }
    }
  }

  private static double encoderFlops(EncodingWorkload workload) {
    double hidden = RandomCheckpoint.HIDDEN;
    double weights = 4 * hidden * hidden + 3 * hidden * RandomCheckpoint.INNER;
    // Only what a causal mask leaves counts.
    double attention = 2 * hidden * (workload.tokens() + 1) / 2;
    return 2.0 * workload.totalTokens() * RandomCheckpoint.LAYERS * (weights + attention);
  }

  /** STAR alone and with LLM4MSR, one user and 200 items, always another user. */
  void scoring() {
    forEachIsa(() -> {
      for (int width : full ? new int[] {0, 896, 4096} : new int[] {0, 896}) {
        score(width);
      }
    });
  }

  private void score(int width) {
    Path file = temporary();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment[] requests;
      try (ScoringWorkload workload = new ScoringWorkload(width)) {
        workload.export(file);
        requests =
            Arrays.stream(workload.requests(REQUESTS, ITEMS))
                .map(items -> arena.allocateFrom(JAVA_INT, items))
                .toArray(MemorySegment[]::new);
      }
      MemorySegment probabilities = arena.allocate((long) ITEMS * Float.BYTES, 64);
      try (Snapshot snapshot = Snapshot.open(file);
          Scorer scorer = snapshot.scorer()) {
        int[] next = {0};
        Runnable request =
            () -> {
              int r = next[0]++ & (REQUESTS - 1);
              scorer.score(r % 3, ScoringWorkload.user(r), requests[r], ITEMS, probabilities);
            };
        // The first layer's parts of items are looked up. The meta part's own are not counted.
        double flops = width == 0 ? 2.0 * ITEMS * layers(ScoringWorkload.HIDDEN) : 0;
        String name = width == 0 ? "score STAR, 200 items" : "score STAR + meta " + width;
        measure(new Work(name, request, 1, "requests/s", flops, 0, Limit.FMA), one);
      }
    } finally {
      delete(file);
    }
  }

  private static Path temporary() {
    try {
      return Files.createTempFile("bench", ".snapshot");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Weights of layers of these widths and of the logit after them. */
  private static double layers(List<Integer> widths) {
    return IntStream.range(1, widths.size())
            .mapToDouble(i -> (double) widths.get(i - 1) * widths.get(i))
            .sum()
        + widths.getLast();
  }

  /** Steps of LazyAdam over tables of up to a million rows. */
  void training() {
    List<TrainingWorkload.Kind> kinds =
        full
            ? List.of(TrainingWorkload.Kind.values())
            : List.of(TrainingWorkload.Kind.STAR, TrainingWorkload.Kind.MMOE);
    for (TrainingWorkload.Kind kind : kinds) {
      for (int width : new int[] {0, 896}) {
        train(new TrainingWorkload(kind, 1_000_000, 4096, width), all);
      }
    }
    if (full) {
      Isa best = Isa.selected();
      isas().getLast().select();
      try {
        train(new TrainingWorkload(TrainingWorkload.Kind.STAR, 1_000_000, 4096, 0), all);
      } finally {
        best.select();
      }
    }
  }

  private void train(TrainingWorkload workload, Ceilings ceilings) {
    try (Backend backend = Backends.open("cpu", new BackendOptions(ceilings.threads()));
        TrainingStep step = new TrainingStep(backend, workload, true)) {
      List<Integer> widths = new ArrayList<>(TrainingWorkload.STAR_HIDDEN);
      widths.addFirst(TrainingWorkload.fields() * TrainingWorkload.EMBEDDING_DIM);
      // Forward, and backward for inputs and for weights; of STAR's own layers alone.
      boolean known =
          workload.kind() == TrainingWorkload.Kind.STAR && workload.knowledgeWidth() == 0;
      double flops = known ? 3 * 2.0 * workload.batchSize() * layers(widths) : 0;
      String meta = workload.knowledgeWidth() == 0 ? "" : " + meta " + workload.knowledgeWidth();
      String name = String.format(Locale.ROOT, "train %s%s", workload.kind(), meta);
      measure(
          new Work(name, step::run, workload.batchSize(), "samples/s", flops, 0, Limit.FMA),
          ceilings);
    }
  }
}
