// Each row mixes its own blocks of columns, and the gradient of that.
#include "kernels.h"
#include "rows.h"
#include "vec.h"

typedef struct {
    int64_t blocks, width, ld;
    int32_t adds;
    const float *gate, *x, *dy;
    float *y, *dgate, *dx;
} job;

static void forward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *gate = w->gate + i * w->ld, *x = w->x + i * w->blocks * w->width;
        float *y = w->y + i * w->width;
        for (int64_t j = 0; j < w->width; j += VL) {
            int64_t n = l4m_min(VL, w->width - j);
            vf sum = w->adds ? vload_any(y + j, n, L4M_F32) : vzero();
            for (int64_t k = 0; k < w->blocks; k++)
                sum = vfma(vset1(gate[k]), vload_any(x + k * w->width + j, n, L4M_F32), sum);
            n == VL ? vstore(y + j, sum) : vstore_n(y + j, sum, n);
        }
    }
}

int ISA(mixture)(l4m_pool *pool, int64_t rows, int64_t blocks, int64_t width, const float *gate, int64_t ld_gate,
                 const float *x, int32_t adds, float *y) {
    job w = {.blocks = blocks, .width = width, .ld = ld_gate, .adds = adds, .gate = gate, .x = x, .y = y};
    return l4m_ranges(pool, rows, 2.0 * (double)(blocks * width) + 16, forward_range, &w);
}

static void backward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *dy = w->dy + i * w->width;
        for (int64_t k = 0; k < w->blocks; k++) {
            int64_t at = (i * w->blocks + k) * w->width;
            vf gate = vset1(w->gate[i * w->ld + k]), dot = vzero();
            for (int64_t j = 0; j < w->width; j += VL) {
                int64_t n = l4m_min(VL, w->width - j);
                vf d = vload_any(dy + j, n, L4M_F32);
                dot = vfma(d, vload_any(w->x + at + j, n, L4M_F32), dot);
                n == VL ? vstore(w->dx + at + j, gate * d) : vstore_n(w->dx + at + j, gate * d, n);
            }
            w->dgate[i * w->ld + k] = vsum(dot);
        }
    }
}

int ISA(mixture_gradient)(l4m_pool *pool, int64_t rows, int64_t blocks, int64_t width, const float *gate,
                          int64_t ld_gate, const float *x, const float *dy, float *dgate, float *dx) {
    job w = {.blocks = blocks, .width = width, .ld = ld_gate, .gate = gate, .x = x, .dy = dy, .dgate = dgate, .dx = dx};
    return l4m_ranges(pool, rows, 4.0 * (double)(blocks * width) + 16, backward_range, &w);
}
