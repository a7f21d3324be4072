// The products for sm_80.
#include "check.h"
#include "matmul_case.h"

extern "C" void matmul_mma(int m, int n, int k, const bf16 *a, i64 lda, const bf16 *w, const bf16 *w_up, i64 ldw,
                           const float *bias, const void *residual, i64 ldr, int activation, int type, void *c,
                           i64 ldc);

static void run(const MatmulCase &x) {
    int width = x.w_up ? 64 : 128;
    emu::launch({(unsigned)((x.m + 127) / 128 * ((x.n + width - 1) / width)), 1, 1}, 256, 98304, 1, [&] {
        matmul_mma(x.m, x.n, x.k, x.a->data, x.lda, x.w->data, x.w_up ? x.w_up->data : nullptr, x.ldw,
                   x.bias ? x.bias->data : nullptr, x.residual(), x.ldr, x.activation, x.type, x.c(), x.ldc);
    });
    x.compare("matmul_mma");
}

void check_matmul() {
    for (const Extents &e : ragged_extents(true)) run(MatmulCase(e, false));
    for (int kind = ACT_NONE; kind <= ACT_GELU_TANH; kind++) {
        MatmulCase x({37, 29, 41, 1}, false);
        x.activation = kind;
        run(x);
    }
    for (int i = 0; i < 12; i++)
        run(MatmulCase({(int)pick(1, 200), (int)pick(1, 200), (int)pick(0, 300), pick(0, 1) ? 1 : 8}, true));
}
