// Softmax over the last axis, and its gradient.
#include "kernels.h"
#include "rows.h"
#include "vmath.h"

// Exponentials of a row wait here for their sum where it is written past the caches.
#define WAITING 4096

typedef struct {
    int64_t width;
    const float *x, *dy;
    float *y;
    int streams;
} job;

static float largest(const float *x, int64_t width) {
    vf top[2] = {vset1(-__builtin_inff()), vset1(-__builtin_inff())};
    int64_t j = 0;
    for (; j + 2 * VL <= width; j += 2 * VL)
        for (int v = 0; v < 2; v++) top[v] = vmax(vload(x + j + v * VL), top[v]);
    float rest = vmaxval(vmax(top[0], top[1]));
    for (; j < width; j++) rest = x[j] > rest ? x[j] : rest;
    return rest;
}

// Vectors of exponentials at a time.
#if VL == 16
#define STEPS 4
#else
#define STEPS 3
#endif

// Writes exp(x - shift) to e and returns 1 / their sum. Meanwhile `next`, as long, is on its way from memory, which
// would wait while exponentials are computed and keep the largest of the next row waiting.
static float exponentials(const float *x, int64_t width, float shift, float *e, const float *next) {
    vf sum = vzero(), top = vset1(shift), r[STEPS];
    int64_t j = 0;
    for (; j + STEPS * VL <= width; j += STEPS * VL) {
#pragma GCC unroll 8
        for (int v = 0; v < STEPS; v++) r[v] = vload(x + j + v * VL) - top;
        for (int64_t v = 0; v < STEPS * VL; v += 16) __builtin_prefetch(next + j + v);
        vexp_negative(STEPS, r);
#pragma GCC unroll 8
        for (int v = 0; v < STEPS; v++) vstore(e + j + v * VL, r[v]);
#pragma GCC unroll 8
        for (int v = 0; v < STEPS; v++) sum += r[v];
    }
    for (; j < width; j += VL) {
        int64_t n = l4m_min(VL, width - j);
        r[0] = vload_any(x + j, n, L4M_F32) - top;
        vexp_negative(1, r);
        vstore_n(e + j, r[0], n);
        sum += n == VL ? r[0] : vload_n(e + j, n);
    }
    return 1.0f / vsum(sum);
}

static void forward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    const int64_t width = w->width;
    _Alignas(64) float waiting[WAITING];
    for (int64_t i = begin; i < end; i++) {
        const float *x = w->x + i * width;
        float *y = w->y + i * width, *e = w->streams ? waiting : y;
        vf factor = vset1(exponentials(x, width, largest(x, width), e, w->streams ? x + width : x));
        int64_t j = 0;
        if (w->streams) {
            for (; j < width; j += VL) vstream(y + j, vload(e + j) * factor);
        } else {
            for (; j + VL <= width; j += VL) vstore(y + j, vload(y + j) * factor);
            if (j < width) vstore_n(y + j, vload_n(y + j, width - j) * factor, width - j);
        }
    }
    vstream_end();
}

int ISA(softmax)(l4m_pool *pool, int64_t rows, int64_t width, const float *x, float *y) {
    if (width == 0) return L4M_OK;
    int streams = width <= WAITING && l4m_goes_past_caches(x, y, rows, width);
    job w = {.width = width, .x = x, .y = y, .streams = streams};
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
