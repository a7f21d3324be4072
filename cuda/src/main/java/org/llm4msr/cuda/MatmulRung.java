package org.llm4msr.cuda;

/**
 * The products on tensor cores, and which of them suits which extents: the arithmetic of choose.h,
 * no trial runs.
 */
enum MatmulRung {
  MMA(128, 128, 1, 256, 98_304, 0),
  PERSISTENT(128, 128, 1, 384, 131_136, 32_768),
  TMA_STORE(128, 128, 1, 384, 163_904, 32_768),
  MULTICAST(256, 128, 2, 384, 163_904, 24_576),
  WIDE(256, 256, 2, 384, 229_440, 32_768);

  /** Those that only Hopper has, in the order in which they are weighed. */
  private static final MatmulRung[] HOPPER = {PERSISTENT, TMA_STORE, MULTICAST, WIDE};

  /** Inner extent of a step. */
  private static final long STEP = 64;

  // What a tile costs, in cycles of a multiprocessor; choose.h says where the numbers come from.
  private static final long PRODUCTS_A_CYCLE = 2_048;
  private static final long BYTES_A_CYCLE = 40;
  private static final long EPILOGUE_CYCLES = 1_500;

  private final int rows;
  private final int columns;
  private final int cluster;
  final int threads;
  final int sharedBytes;
  private final int loadedBytes;

  MatmulRung(int rows, int columns, int cluster, int threads, int sharedBytes, int loadedBytes) {
    this.rows = rows;
    this.columns = columns;
    this.cluster = cluster;
    this.threads = threads;
    this.sharedBytes = sharedBytes;
    this.loadedBytes = loadedBytes;
  }

  /**
   * The rung for {@code [m, k] [n, k]^T}.
   *
   * @param gated whether there are two matrices {@code [n, k]}
   * @param half whether results are BF16
   * @param mapped whether matrices and rows start at multiples of 16 bytes
   * @param hopper whether the device runs Hopper's binaries
   */
  static MatmulRung of(
      long m,
      long n,
      long k,
      boolean gated,
      boolean half,
      boolean mapped,
      boolean hopper,
      int multiprocessors) {
    if (!hopper || !mapped) {
      return MMA;
    }
    MatmulRung best = null;
    long least = Long.MAX_VALUE;
    for (MatmulRung rung : HOPPER) {
      // The first two are the same tiles with results of either type.
      if (rung == (half ? PERSISTENT : TMA_STORE) || rung.cluster > multiprocessors) {
        continue;
      }
      long waves = Math.ceilDiv(rung.tiles(m, n, gated), rung.atOnce(multiprocessors));
      long cost = waves * rung.tileCycles(Math.ceilDiv(k, STEP));
      if (cost < least) {
        least = cost;
        best = rung;
      }
    }
    return best;
  }

  /** Blocks of a launch. */
  long blocks(long m, long n, boolean gated, int multiprocessors) {
    long tiles = tiles(m, n, gated);
    return this == MMA ? tiles : cluster * Math.min(tiles, atOnce(multiprocessors));
  }

  private long tiles(long m, long n, boolean gated) {
    return Math.ceilDiv(m, rows) * Math.ceilDiv(n, gated ? columns / 2 : columns);
  }

  private long atOnce(int multiprocessors) {
    return multiprocessors / cluster;
  }

  private long tileCycles(long steps) {
    long products = 128L * columns * STEP / PRODUCTS_A_CYCLE;
    long loads = loadedBytes / BYTES_A_CYCLE;
    return steps * Math.max(products, loads) + EPILOGUE_CYCLES * columns / 128;
  }
}
