// Which product for which extents, and how to launch it: arithmetic on the host, no trial runs. The cuda backend has the
// same lines in Java (MatmulChoice), and a test that both choose alike.
#ifndef CHOOSE_H
#define CHOOSE_H

enum MatmulKernel { MATMUL_MMA, MATMUL_PERSISTENT, MATMUL_TMA_STORE, MATMUL_MULTICAST, MATMUL_WIDE };

struct MatmulLaunch {
    MatmulKernel kernel;
    int blocks, threads, shared_bytes, cluster;
};

// What a tile costs on Hopper, in cycles of a multiprocessor. Products: 2,048 multiplications a cycle (the data sheet's
// 989 TFLOP/s). Loads: from the L2 cache some 40 bytes a cycle, of which a multicast box counts half. A tile's results:
// some 1,500 cycles for 128 x 128 that no product hides. The last two are assumptions until they are measured.
struct TileKind {
    MatmulKernel kernel;
    int rows, columns, cluster, shared_bytes, loaded_bytes;
};

inline long long tile_cycles(const TileKind &tile, long long steps) {
    long long products = 128LL * tile.columns * 64 / 2048, loads = tile.loaded_bytes / 40;
    return steps * (products > loads ? products : loads) + 1500LL * tile.columns / 128;
}

// m, n, k >= 1; gated: w and up [n, k]; half: results are BF16; mapped: matrices and rows (c's too, if half) start at
// multiples of 16 bytes; hopper: the device runs sm_90a.
inline MatmulLaunch choose_matmul(int m, int n, int k, bool gated, bool half, bool mapped, bool hopper,
                                  int multiprocessors) {
    auto ceil_div = [](long long a, long long b) { return (a + b - 1) / b; };
    if (!hopper || !mapped) return {MATMUL_MMA, (int)(ceil_div(m, 128) * ceil_div(n, gated ? 64 : 128)), 256, 98304, 1};
    const TileKind kinds[] = {
        {MATMUL_PERSISTENT, 128, 128, 1, 131136, 32768},
        {MATMUL_TMA_STORE, 128, 128, 1, 163904, 32768},
        {MATMUL_MULTICAST, 256, 128, 2, 163904, 24576},
        {MATMUL_WIDE, 256, 256, 2, 229440, 32768},
    };
    MatmulLaunch best = {};
    long long least = -1;
    for (const TileKind &tile : kinds) {
        // The first two are the same tiles with results of either type.
        if (tile.kernel == (half ? MATMUL_PERSISTENT : MATMUL_TMA_STORE) || tile.cluster > multiprocessors) continue;
        long long tiles = ceil_div(m, tile.rows) * ceil_div(n, gated ? tile.columns / 2 : tile.columns);
        long long at_once = multiprocessors / tile.cluster;
        long long cost = ceil_div(tiles, at_once) * tile_cycles(tile, ceil_div(k, 64));
        if (least >= 0 && cost >= least) continue;
        least = cost;
        best = {tile.kernel, (int)(tile.cluster * (tiles < at_once ? tiles : at_once)), 384, tile.shared_bytes,
                tile.cluster};
    }
    return best;
}

#endif
