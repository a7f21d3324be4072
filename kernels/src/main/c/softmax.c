// Softmax over the last axis, and its gradient.
#include "kernels.h"
#include "rows.h"
#include "vmath.h"

typedef struct {
    int64_t width;
    const float *x, *dy;
    float *y;
} job;

static void forward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *x = w->x + i * w->width;
        float *y = w->y + i * w->width, top = x[0];
        for (int64_t j = 1; j < w->width; j++) top = x[j] > top ? x[j] : top;
        vf sum = vzero(), shift = vset1(top);
        for (int64_t j = 0; j < w->width; j += VL) {
            int64_t n = l4m_min(VL, w->width - j);
            vf e = vexp(vload_any(x + j, n, L4M_F32) - shift);
            n == VL ? vstore(y + j, e) : vstore_n(y + j, e, n);
            sum += n == VL ? e : vload_n(y + j, n);
        }
        vf factor = vset1(1.0f / vsum(sum));
        for (int64_t j = 0; j < w->width; j += VL) {
            int64_t n = l4m_min(VL, w->width - j);
            vf r = vload_any(y + j, n, L4M_F32) * factor;
            n == VL ? vstore(y + j, r) : vstore_n(y + j, r, n);
        }
    }
}

int ISA(softmax)(l4m_pool *pool, int64_t rows, int64_t width, const float *x, float *y) {
    if (width == 0) return L4M_OK;
    job w = {.width = width, .x = x, .y = y};
    return l4m_ranges(pool, rows, 8.0 * (double)width + 32, forward_range, &w);
}

static void backward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *y = w->x + i * w->width, *dy = w->dy + i * w->width;
        float *dx = w->y + i * w->width;
        vf dot = vzero();
        for (int64_t j = 0; j < w->width; j += VL) {
            int64_t n = l4m_min(VL, w->width - j);
            dot = vfma(vload_any(y + j, n, L4M_F32), vload_any(dy + j, n, L4M_F32), dot);
        }
        vf sum = vset1(vsum(dot));
        for (int64_t j = 0; j < w->width; j += VL) {
            int64_t n = l4m_min(VL, w->width - j);
            vf r = vload_any(y + j, n, L4M_F32) * (vload_any(dy + j, n, L4M_F32) - sum);
            n == VL ? vstore(dx + j, r) : vstore_n(dx + j, r, n);
        }
    }
}

int ISA(softmax_gradient)(l4m_pool *pool, int64_t rows, int64_t width, const float *y, const float *dy, float *dx) {
    job w = {.width = width, .x = y, .dy = dy, .y = dx};
    return l4m_ranges(pool, rows, 2.0 * (double)width + 32, backward_range, &w);
}
