// The products for sm_90a.
#include "check.h"
#include "matmul_case.h"

#define HOPPER_MATMUL(name)                                                                                       \
    extern "C" void name(TensorMap a, TensorMap w, TensorMap up, int m, int n, int k, int gated, const float *bias, \
                         const void *residual, i64 ldr, int activation, int type, void *c, i64 ldc)
HOPPER_MATMUL(matmul_wgmma);
HOPPER_MATMUL(matmul_persistent);

static TensorMap map_of(const Halves &matrix, int rows, int columns, i64 stride) {
    TensorMap map;
    if (!emu::encode(&map, matrix->data, rows, columns, stride * 2, 64, 64)) emu::fail("the driver would refuse this map");
    return map;
}

static void run(const MatmulCase &x, decltype(matmul_wgmma) *kernel, const char *name, int blocks) {
    TensorMap a = map_of(x.a, x.m, x.k, x.lda), w = map_of(x.w, x.n, x.k, x.ldw);
    TensorMap up = x.w_up ? map_of(x.w_up, x.n, x.k, x.ldw) : w;
    int width = x.w_up ? 64 : 128, tiles = (x.m + 127) / 128 * ((x.n + width - 1) / width);
    emu::launch({(unsigned)(blocks > 0 ? std::min(blocks, tiles) : tiles), 1, 1}, 384, 131136, 1, [&] {
        kernel(a, w, up, x.m, x.n, x.k, x.w_up != nullptr, x.bias ? x.bias->data : nullptr, x.residual(), x.ldr,
               x.activation, x.type, x.c(), x.ldc);
    });
    x.compare(name);
}

void check_matmul_hopper() {
    for (Extents e : ragged_extents(false)) {
        if (e.k == 0) continue;
        run(MatmulCase(e, false), matmul_wgmma, "matmul_wgmma", 0);
        run(MatmulCase(e, false), matmul_persistent, "matmul_persistent", (int)pick(1, 3));
    }
    for (int i = 0; i < 6; i++) {
        Extents e = {(int)pick(1, 200), (int)pick(1, 200), (int)pick(1, 300), 8};
        run(MatmulCase(e, true), matmul_wgmma, "matmul_wgmma", 0);
        run(MatmulCase(e, true), matmul_persistent, "matmul_persistent", (int)pick(1, 3));
    }
    // More groups of eight rows of tiles than one, the last one smaller.
    run(MatmulCase({1100, 140, 16, 8}, false), matmul_persistent, "matmul_persistent", 4);
}
