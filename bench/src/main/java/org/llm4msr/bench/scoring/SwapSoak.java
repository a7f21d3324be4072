package org.llm4msr.bench.scoring;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.llm4msr.bench.Machine;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.model.scorer.LiveSnapshot;
import org.llm4msr.model.scorer.Scorer;
import org.llm4msr.model.scorer.Snapshot;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import tools.jackson.databind.json.JsonMapper;

/**
 * Mixed requests from several threads while the snapshot is replaced every second and users'
 * knowledge is updated twice in between. Every score is held against what the plain C kernels,
 * which add up in double, say of the snapshot that answered it. Ends with an error if one is wrong.
 */
public final class SwapSoak {
  private static final int USERS = 2_000;
  private static final int ITEMS = 5_000;
  private static final int WIDTH = 896;
  private static final int REQUESTS = 96;
  private static final int[] SIZES = {1, 5, 17, 49, 100};
  private static final double TOLERANCE = 1e-5;
  private static final long SWAP_MILLIS = 1_000;
  private static final int TOP = 10;
  private static final int MOST_MICROS = 100_000;

  /** A snapshot's file, and how many of the knowledge files came after it. */
  private record Version(Path file, int updates) {}

  private record Request(int scenario, String user, int[] items) {}

  private final List<Path> snapshots = new ArrayList<>();
  private final List<Path> knowledge = new ArrayList<>();
  private final List<Request> requests = new ArrayList<>();
  private final Map<Version, float[][]> expected = new LinkedHashMap<>();

  /** Users whose knowledge came later, after each update; tells what a snapshot has taken up. */
  private final int[] updatedUsers = new int[3];

  private SwapSoak(Path folder) {
    for (int seed = 1; seed <= 2; seed++) {
      Path file = folder.resolve("model" + seed + ".snapshot");
      try (ScoringWorkload workload = new ScoringWorkload(WIDTH, USERS, ITEMS, seed)) {
        workload.export(file);
      }
      snapshots.add(file);
    }
    knowledge.add(write(folder.resolve("first.safetensors"), 0, 300, 40, 1));
    knowledge.add(write(folder.resolve("second.safetensors"), 200, 600, 80, 2));
    SplittableRandom random = new SplittableRandom(3);
    for (int r = 0; r < REQUESTS; r++) {
      String user =
          switch (r % 8) {
            case 0 -> "nobody";
            case 1, 2 -> "new" + random.nextInt(80);
            default -> "u" + random.nextInt(USERS / 2);
          };
      int[] items = random.ints(SIZES[r % SIZES.length], -1, ITEMS).toArray();
      requests.add(new Request(r % 3, user, items));
    }
    Isa before = Isa.selected();
    Isa.REF.select();
    for (Path file : snapshots) {
      try (Snapshot plain = Snapshot.open(file);
          Snapshot once = plain.withKnowledge(knowledge.get(0));
          Snapshot twice = once.withKnowledge(knowledge.get(1))) {
        List<Snapshot> versions = List.of(plain, once, twice);
        for (int u = 0; u < versions.size(); u++) {
          updatedUsers[u] = versions.get(u).updatedUsers();
          expected.put(new Version(file, u), scores(versions.get(u)));
        }
      }
    }
    before.select();
  }

  /** Vectors of users [from, to) and of so many new ones. */
  private static Path write(Path file, int from, int to, int added, long seed) {
    List<String> ids = new ArrayList<>();
    for (int user = from; user < to; user++) {
      ids.add("user/u" + user);
    }
    for (int user = 0; user < added; user++) {
      ids.add("user/new" + user);
    }
    SplittableRandom random = new SplittableRandom(seed);
    SafetensorsWriter.Declaration hidden =
        new SafetensorsWriter.Declaration("hidden", DType.F32, Shape.of(ids.size(), WIDTH));
    Map<String, String> metadata = Map.of("ids", JsonMapper.shared().writeValueAsString(ids));
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer = SafetensorsWriter.create(file, List.of(hidden), metadata)) {
      MemorySegment row = arena.allocate(JAVA_FLOAT, WIDTH);
      for (int i = 0; i < ids.size(); i++) {
        for (int j = 0; j < WIDTH; j++) {
          row.setAtIndex(JAVA_FLOAT, j, (float) random.nextGaussian());
        }
        writer.write(row);
      }
      writer.commit();
    }
    return file;
  }

  private float[][] scores(Snapshot snapshot) {
    float[][] scores = new float[REQUESTS][];
    try (Scorer scorer = snapshot.scorer()) {
      for (int r = 0; r < REQUESTS; r++) {
        Request request = requests.get(r);
        scores[r] = new float[request.items().length];
        scorer.score(request.scenario(), snapshot.user(request.user()), request.items(), scores[r]);
      }
    }
    return scores;
  }

  private float[][] expectedOf(Snapshot snapshot) {
    for (int u = 0; u < updatedUsers.length; u++) {
      if (snapshot.updatedUsers() == updatedUsers[u]) {
        return expected.get(new Version(snapshot.path(), u));
      }
    }
    throw new IllegalStateException("a snapshot with " + snapshot.updatedUsers() + " updates");
  }

  /** What one thread saw. */
  private static final class Seen {
    private long requests;
    private long scores;
    private long wrong;
    private double largest;
    private long renewed;
    private final long[] micros = new long[MOST_MICROS + 1];
  }

  private Seen ask(LiveSnapshot live, AtomicLong left, int thread) {
    Seen seen = new Seen();
    SplittableRandom random = new SplittableRandom(thread);
    Scorer scorer = null;
    Snapshot before = null;
    float[][] correct = null;
    int[] best = new int[TOP];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment probabilities = arena.allocate(JAVA_FLOAT, SIZES[SIZES.length - 1]);
      MemorySegment[] items = new MemorySegment[REQUESTS];
      for (int r = 0; r < REQUESTS; r++) {
        items[r] = arena.allocateFrom(JAVA_INT, requests.get(r).items());
      }
      while (left.getAndDecrement() > 0) {
        int r = random.nextInt(REQUESTS);
        Request request = requests.get(r);
        long start = System.nanoTime();
        scorer = live.renew(scorer);
        Snapshot snapshot = scorer.snapshot();
        int user = snapshot.user(request.user());
        int n = request.items().length;
        boolean ranked = seen.requests % 8 == 7;
        if (ranked) {
          scorer.topK(request.scenario(), user, request.items(), best);
        } else {
          scorer.score(request.scenario(), user, items[r], n, probabilities);
        }
        long took = (System.nanoTime() - start) / 1_000;
        seen.micros[(int) Math.min(took, MOST_MICROS)]++;
        if (snapshot != before) {
          before = snapshot;
          correct = expectedOf(snapshot);
          seen.renewed++;
        }
        seen.requests++;
        seen.scores += n;
        if (ranked) {
          checkRanks(seen, correct[r], best);
        } else {
          checkScores(seen, correct[r], probabilities);
        }
      }
    } finally {
      if (scorer != null) {
        scorer.close();
      }
    }
    return seen;
  }

  private static void checkScores(Seen seen, float[] correct, MemorySegment probabilities) {
    for (int i = 0; i < correct.length; i++) {
      double difference = Math.abs(probabilities.getAtIndex(JAVA_FLOAT, i) - correct[i]);
      if (!(difference <= TOLERANCE)) {
        seen.wrong++;
      }
      seen.largest = Math.max(seen.largest, difference);
    }
  }

  /** Each place must hold an item as probable as the one that belongs there. */
  private static void checkRanks(Seen seen, float[] correct, int[] best) {
    float[] sorted = correct.clone();
    java.util.Arrays.sort(sorted);
    for (int place = 0; place < Math.min(TOP, correct.length); place++) {
      float belongs = sorted[sorted.length - 1 - place];
      if (!(Math.abs(correct[best[place]] - belongs) <= 2 * TOLERANCE)) {
        seen.wrong++;
      }
    }
  }

  /** Replaces the snapshot every second, with both updates in between, until it is interrupted. */
  private int[] swap(LiveSnapshot live) {
    int swaps = 0;
    int updates = 0;
    try {
      while (true) {
        for (Path file : knowledge) {
          Thread.sleep(SWAP_MILLIS / 3);
          live.update(file);
          updates++;
        }
        Thread.sleep(SWAP_MILLIS / 3);
        live.replace(Snapshot.open(snapshots.get(++swaps % snapshots.size())));
      }
    } catch (InterruptedException e) {
      return new int[] {swaps, updates};
    }
  }

  private static long anonymousBytes() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("RssAnon:")) {
          return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
        }
      }
    } catch (IOException e) {
      return 0;
    }
    return 0;
  }

  private static long mapped() throws IOException {
    try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.contains(".snapshot")).count();
    }
  }

  private static long heapBytes() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }

  private static long[] collections() {
    long count = 0;
    long millis = 0;
    for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
      count += collector.getCollectionCount();
      millis += collector.getCollectionTime();
    }
    return new long[] {count, millis};
  }

  /**
   * @return wrong scores
   */
  private long run(int threads, long total) throws Exception {
    // A tenth first: what the compiler and the pools take is not growth.
    round(threads, total / 10);
    long heap = heapBytes();
    long native0 = anonymousBytes();
    long[] gc = collections();
    long start = System.nanoTime();
    Round round = round(threads, total);
    double seconds = (System.nanoTime() - start) * 1e-9;
    long[] gcAfter = collections();
    System.out.printf(
        "%d threads: %,d requests, %,d scores, %d wrong, largest difference %.1e%n",
        threads, round.seen.requests, round.seen.scores, round.seen.wrong, round.seen.largest);
    System.out.printf(
        "  %.1f s, %d swaps, %d updates, scorers renewed %d times; p50 %d µs, p99 %d µs, p99.9 %d"
            + " µs, most %d µs%n",
        seconds,
        round.swaps,
        round.updates,
        round.seen.renewed,
        percentile(round.seen, 0.5),
        percentile(round.seen, 0.99),
        percentile(round.seen, 0.999),
        percentile(round.seen, 1));
    System.out.printf(
        "  collections %d, %d ms; heap %+.2f MiB, anonymous memory %+.2f MiB, mappings left %d%n",
        gcAfter[0] - gc[0],
        gcAfter[1] - gc[1],
        (heapBytes() - heap) / 1048576.0,
        (anonymousBytes() - native0) / 1048576.0,
        mapped());
    return round.seen.wrong;
  }

  private static int percentile(Seen seen, double share) {
    long reached = 0;
    for (int micros = 0; micros <= MOST_MICROS; micros++) {
      reached += seen.micros[micros];
      if (reached >= share * seen.requests) {
        return micros;
      }
    }
    return MOST_MICROS;
  }

  private record Round(Seen seen, int swaps, int updates) {}

  private Round round(int threads, long total) throws Exception {
    AtomicLong left = new AtomicLong(total);
    Seen all = new Seen();
    try (LiveSnapshot live = new LiveSnapshot(Snapshot.open(snapshots.getFirst()));
        ExecutorService pool = Executors.newFixedThreadPool(threads + 1)) {
      Future<int[]> swapping = pool.submit(() -> swap(live));
      List<Future<Seen>> asking = new ArrayList<>();
      for (int thread = 0; thread < threads; thread++) {
        int number = thread;
        asking.add(pool.submit(() -> ask(live, left, number)));
      }
      for (Future<Seen> future : asking) {
        Seen seen = future.get();
        all.requests += seen.requests;
        all.scores += seen.scores;
        all.wrong += seen.wrong;
        all.renewed += seen.renewed;
        all.largest = Math.max(all.largest, seen.largest);
        for (int i = 0; i <= MOST_MICROS; i++) {
          all.micros[i] += seen.micros[i];
        }
      }
      pool.shutdownNow();
      int[] counts = swapping.get();
      return new Round(all, counts[0], counts[1]);
    }
  }

  /**
   * @param args how many requests each number of threads answers; a million without
   */
  public static void main(String[] args) throws Exception {
    long total = args.length == 0 ? 1_000_000 : Long.parseLong(args[0]);
    System.out.println(Machine.describe("C kernels for " + Isa.selected()));
    Path folder = Files.createTempDirectory("soak");
    long wrong = 0;
    try {
      SwapSoak soak = new SwapSoak(folder);
      for (int threads : new int[] {1, 2, 8}) {
        wrong += soak.run(threads, total);
      }
    } finally {
      try (var files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(folder);
    }
    System.out.println(Machine.describe("C kernels for " + Isa.selected()));
    if (wrong > 0) {
      throw new IllegalStateException(wrong + " wrong scores");
    }
  }
}
