// The products for sm_90a.
#include <algorithm>

#include "../../main/cuda/choose.h"
#include "check.h"
#include "matmul_case.h"

#define HOPPER_MATMUL(name)                                                                                         \
    extern "C" void name(TensorMap a, TensorMap w, TensorMap up, int m, int n, int k, int gated, const float *bias, \
                         const void *residual, i64 ldr, int activation, int type, void *c, i64 ldc)
HOPPER_MATMUL(matmul_wgmma);
HOPPER_MATMUL(matmul_persistent);

#define STORING_MATMUL(name)                                                                                  \
    extern "C" void name(TensorMap a, TensorMap w, TensorMap up, TensorMap c, int m, int n, int k, int gated, \
                         const float *bias, const bf16 *residual, i64 ldr, int activation)
STORING_MATMUL(matmul_tma_store);

#define CLUSTER_MATMUL(name)                                                                                  \
    extern "C" void name(TensorMap a, TensorMap w, TensorMap up, TensorMap c, int m, int n, int k, int gated, \
                         const float *bias, const void *residual, i64 ldr, int activation, int type, float *c_float, \
                         i64 ldc)
CLUSTER_MATMUL(matmul_multicast);
CLUSTER_MATMUL(matmul_wide);

enum Storing { TMA_STORE, MULTICAST, WIDE };

static TensorMap map_of(const Halves &matrix, int rows, int columns, i64 stride) {
    TensorMap map;
    if (!emu::encode(&map, matrix->data, rows, columns, stride * 2, 64, 64))
        emu::fail("the driver would refuse this map");
    return map;
}

namespace {
struct Maps {
    TensorMap a, w, up;
    explicit Maps(const MatmulCase &x) : a(map_of(x.a, x.m, x.k, x.lda)), w(map_of(x.w, x.n, x.k, x.ldw)), up(w) {
        if (x.w_up) up = map_of(x.w_up, x.n, x.k, x.ldw);
    }
};
}  // namespace

// `blocks`: at most so many, or as many as there are tiles.
static void run(const MatmulCase &x, decltype(matmul_wgmma) *kernel, const char *name, int blocks) {
    Maps maps(x);
    int width = x.w_up ? 64 : 128, tiles = (x.m + 127) / 128 * ((x.n + width - 1) / width);
    emu::launch({(unsigned)(blocks > 0 ? std::min(blocks, tiles) : tiles), 1, 1}, 384, 131136, 1, [&] {
        kernel(maps.a, maps.w, maps.up, x.m, x.n, x.k, x.w_up != nullptr, x.bias ? x.bias->data : nullptr, x.residual(),
               x.ldr, x.activation, x.type, x.c(), x.ldc);
    });
    x.compare(name);
}

// A kernel whose results may go through a tensor map.
static void launch_storing(const MatmulCase &x, Storing kernel, int blocks, int shared_bytes, const char *name) {
    Maps maps(x);
    TensorMap c = map_of(x.c_half, x.m, x.n, x.ldc);
    const float *bias = x.bias ? x.bias->data : nullptr;
    int gated = x.w_up != nullptr;
    emu::launch({(unsigned)blocks, 1, 1}, 384, shared_bytes, kernel == TMA_STORE ? 1 : 2, [&] {
        if (kernel == TMA_STORE)
            matmul_tma_store(maps.a, maps.w, maps.up, c, x.m, x.n, x.k, gated, bias, (const bf16 *)x.residual(), x.ldr,
                             x.activation);
        else
            (kernel == MULTICAST ? matmul_multicast : matmul_wide)(maps.a, maps.w, maps.up, c, x.m, x.n, x.k, gated,
                                                                   bias, x.residual(), x.ldr, x.activation, x.type,
                                                                   x.c_float->data, x.ldc);
    });
    x.compare(name);
}

static void run_storing(const MatmulCase &x, Storing kernel, const char *name, int rows, int columns, int shared_bytes,
                        int cluster, int clusters) {
    int width = x.w_up ? columns / 2 : columns, tiles = (x.m + rows - 1) / rows * ((x.n + width - 1) / width);
    launch_storing(x, kernel, cluster * std::min(clusters, tiles), shared_bytes, name);
}

static void run_all(const Extents &e, bool gated) {
    run(MatmulCase(e, gated), matmul_wgmma, "matmul_wgmma", 0);
    run(MatmulCase(e, gated), matmul_persistent, "matmul_persistent", (int)pick(1, 3));
    int clusters = (int)pick(1, 2);
    run_storing(MatmulCase(e, gated, true), TMA_STORE, "matmul_tma_store", 128, 128, 163904, 1, clusters);
    // Of the results' types one by lot.
    run_storing(MatmulCase(e, gated), MULTICAST, "matmul_multicast", 256, 128, 163904, 2, clusters);
    run_storing(MatmulCase(e, gated), WIDE, "matmul_wide", 256, 256, 229440, 2, clusters);
}

static void require(bool right, const char *what) {
    if (!right) emu::fail("choose_matmul: %s", what);
}

// What is chosen runs as it is to be launched, and the choice is what its arithmetic promises.
static void check_choice() {
    for (int i = 0; i < 8; i++) {
        Extents e = {(int)pick(1, 400), (int)pick(1, 600), (int)pick(1, 130), 8};
        MatmulCase x(e, pick(0, 1) != 0, i < 4);
        bool half = x.type == RESULT_BF16;
        MatmulLaunch launch = choose_matmul(x.m, x.n, x.k, x.w_up != nullptr, half, true, true, (int)pick(2, 8));
        if (launch.kernel == MATMUL_PERSISTENT) {
            run(x, matmul_persistent, "choose_matmul", launch.blocks);
            continue;
        }
        Storing kernel = launch.kernel == MATMUL_TMA_STORE   ? TMA_STORE
                         : launch.kernel == MATMUL_MULTICAST ? MULTICAST
                                                             : WIDE;
        launch_storing(x, kernel, launch.blocks, launch.shared_bytes, "choose_matmul");
    }
    require(choose_matmul(8192, 8192, 8192, false, true, true, true, 132).kernel == MATMUL_WIDE, "large");
    require(choose_matmul(8192, 8192, 8192, false, false, true, true, 132).kernel == MATMUL_WIDE, "large, F32 results");
    require(choose_matmul(100, 132 * 128, 4096, false, false, true, true, 132).kernel == MATMUL_PERSISTENT,
            "one wave, F32 results");
    require(choose_matmul(100, 132 * 128, 4096, false, true, true, true, 132).kernel == MATMUL_TMA_STORE, "one wave");
    require(choose_matmul(100, 100, 100, false, true, false, true, 132).kernel == MATMUL_MMA, "no tensor maps");
    require(choose_matmul(100, 100, 100, false, true, true, false, 132).kernel == MATMUL_MMA, "not a Hopper");
}

void check_matmul_hopper() {
    check_choice();
    for (const Extents &e : ragged_extents(false))
        if (e.k > 0) run_all(e, false);
    for (int i = 0; i < 4; i++) run_all({(int)pick(1, 200), (int)pick(1, 200), (int)pick(1, 300), 8}, true);
    run_all({130, 300, 80, 8}, true);
    // More groups of eight rows of tiles than one, the last one smaller.
    run(MatmulCase({1100, 140, 16, 8}, false), matmul_persistent, "matmul_persistent", 4);
}
