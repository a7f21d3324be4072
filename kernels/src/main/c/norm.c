// Root-mean-square normalisation (Zhang and Sennrich 2019), forward and backward.
#include <math.h>

#include "kernels.h"
#include "rows.h"

typedef struct {
    const float *x, *weight, *dy;
    int64_t rows, width, block, blocks;
    float epsilon;
    float *y, *dweight;
    int streams;
} job;

static float inverse_rms(const float *x, int64_t n, float epsilon) {
    vf s[2] = {vzero(), vzero()};
    int64_t j = 0;
    for (; j + 2 * VL <= n; j += 2 * VL) {
        vf a = vload(x + j), b = vload(x + j + VL);
        s[0] = vfma(a, a, s[0]);
        s[1] = vfma(b, b, s[1]);
    }
    for (; j < n; j += VL) {
        vf a = vload_any(x + j, l4m_min(VL, n - j), L4M_F32);
        s[0] = vfma(a, a, s[0]);
    }
    return 1.0f / sqrtf(vsum(s[0] + s[1]) / (float)n + epsilon);
}

static void forward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *x = w->x + i * w->width;
        float *y = w->y + i * w->width;
        vf inverse = vset1(inverse_rms(x, w->width, w->epsilon));
        int64_t j = 0;
        if (w->streams) {
            for (; j < w->width; j += VL) vstream(y + j, vload(x + j) * inverse * vload(w->weight + j));
        } else {
            for (; j + VL <= w->width; j += VL) vstore(y + j, vload(x + j) * inverse * vload(w->weight + j));
            int64_t n = w->width - j;
            if (n > 0) vstore_n(y + j, vload_n(x + j, n) * inverse * vload_n(w->weight + j, n), n);
        }
    }
    vstream_end();
}

int ISA(rms_norm)(l4m_pool *pool, int64_t rows, int64_t width, const float *x, const float *weight,
                  double epsilon, float *y) {
    job w = {.x = x, .weight = weight, .width = width, .epsilon = (float)epsilon, .y = y,
             .streams = l4m_goes_past_caches(x, y, rows, width)};
    return l4m_ranges(pool, rows, 2.0 * (double)width + 32, forward_range, &w);
}

// dx = i (dy w) - x i^3 / n sum(dy w x); the block's share of dweight = sum over rows of dy x i.
static void backward_block(void *context, int64_t chunk, int thread) {
    (void)thread;
    const job *w = context;
    const int64_t width = w->width;
    float *partial = w->dweight + chunk * width;
    memset(partial, 0, (size_t)width * sizeof(float));
    for (int64_t i = chunk * w->block; i < l4m_min(w->rows, (chunk + 1) * w->block); i++) {
        const float *x = w->x + i * width, *dy = w->dy + i * width;
        float *dx = w->y + i * width, inverse = inverse_rms(x, width, w->epsilon);
        vf dot = vzero(), inv = vset1(inverse);
        for (int64_t j = 0; j < width; j += VL) {
            int64_t n = l4m_min(VL, width - j);
            vf vx = vload_any(x + j, n, L4M_F32), d = vload_any(dy + j, n, L4M_F32);
            dot = vfma(d * vload_any(w->weight + j, n, L4M_F32), vx, dot);
            vf sum = vload_any(partial + j, n, L4M_F32) + d * vx * inv;
            n == VL ? vstore(partial + j, sum) : vstore_n(partial + j, sum, n);
        }
        vf back = vset1(-inverse * inverse * inverse / (float)width * vsum(dot));
        for (int64_t j = 0; j < width; j += VL) {
            int64_t n = l4m_min(VL, width - j);
            vf vx = vload_any(x + j, n, L4M_F32), d = vload_any(dy + j, n, L4M_F32);
            vf r = vfma(vx, back, inv * d * vload_any(w->weight + j, n, L4M_F32));
            n == VL ? vstore(dx + j, r) : vstore_n(dx + j, r, n);
        }
    }
}

int ISA(rms_norm_gradient)(l4m_pool *pool, int64_t rows, int64_t width, const float *x, const float *weight,
                           const float *dy, double epsilon, float *dx, float *dweight) {
    // Blocks of rows that depend on the shape alone keep the sums the same for any number of threads.
    int64_t block = l4m_max(16, l4m_ceil_div(rows, 64)), blocks = l4m_ceil_div(rows, block);
    int code = l4m_pool_begin(pool, 0, (size_t)(blocks * width) * sizeof(float));
    if (code != L4M_OK) return code;
    float *partial = l4m_pool_shared(pool);
    job w = {.x = x, .weight = weight, .dy = dy, .rows = rows, .width = width, .block = block, .blocks = blocks,
             .epsilon = (float)epsilon, .y = dx, .dweight = partial};
    l4m_pool_run(pool, blocks, backward_block, &w);
    for (int64_t j = 0; j < width; j += VL) {
        int64_t n = l4m_min(VL, width - j);
        vf sum = vzero();
        for (int64_t b = 0; b < blocks; b++) sum += vload_any(partial + b * width + j, n, L4M_F32);
        n == VL ? vstore(dweight + j, sum) : vstore_n(dweight + j, sum, n);
    }
    l4m_pool_end(pool);
    return L4M_OK;
}
