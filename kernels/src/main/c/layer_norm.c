// Layer normalisation (Ba et al. 2016), forward and backward.
#include <math.h>

#include "kernels.h"
#include "rows.h"

typedef struct {
    const float *x, *weight, *bias, *dy;
    int64_t rows, width, block;
    float epsilon;
    float *y, *partial;
} job;

typedef struct {
    float mean, inverse;
} statistics;

// Two passes: the variance of numbers far from 0 would cancel in one.
static statistics measure(const float *x, int64_t n, float epsilon) {
    vf sum = vzero(), squares = vzero();
    int64_t j = 0;
    for (; j + VL <= n; j += VL) sum += vload(x + j);
    if (j < n) sum += vload_n(x + j, n - j);
    float mean = vsum(sum) / (float)n;
    vf center = vset1(mean);
    for (j = 0; j + VL <= n; j += VL) {
        vf d = vload(x + j) - center;
        squares = vfma(d, d, squares);
    }
    float total = vsum(squares);
    for (; j < n; j++) total += (x[j] - mean) * (x[j] - mean);
    return (statistics){mean, 1.0f / sqrtf(total / (float)n + epsilon)};
}

static void forward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *x = w->x + i * w->width;
        float *y = w->y + i * w->width;
        statistics s = measure(x, w->width, w->epsilon);
        vf mean = vset1(s.mean), inverse = vset1(s.inverse);
        for (int64_t j = 0; j < w->width; j += VL) {
            int64_t n = l4m_min(VL, w->width - j);
            vf normed = (vload_any(x + j, n, L4M_F32) - mean) * inverse;
            vf r = vfma(normed, vload_any(w->weight + j, n, L4M_F32), vload_any(w->bias + j, n, L4M_F32));
            n == VL ? vstore(y + j, r) : vstore_n(y + j, r, n);
        }
    }
}

int ISA(layer_norm)(l4m_pool *pool, int64_t rows, int64_t width, const float *x, const float *weight,
                    const float *bias, double epsilon, float *y) {
    job w = {.x = x, .weight = weight, .bias = bias, .width = width, .epsilon = (float)epsilon, .y = y};
    return l4m_ranges(pool, rows, 3.0 * (double)width + 32, forward_range, &w);
}

// With n = (x - mean) i: dx = i (w dy - mean(w dy) - n mean(w dy n)); the block's shares of dweight = sum over
// rows of dy n and dbias = sum of dy.
static void backward_block(void *context, int64_t chunk, int thread) {
    (void)thread;
    const job *w = context;
    const int64_t width = w->width;
    float *dweight = w->partial + chunk * 2 * width, *dbias = dweight + width;
    memset(dweight, 0, (size_t)(2 * width) * sizeof(float));
    for (int64_t i = chunk * w->block; i < l4m_min(w->rows, (chunk + 1) * w->block); i++) {
        const float *x = w->x + i * width, *dy = w->dy + i * width;
        float *dx = w->y + i * width;
        statistics s = measure(x, width, w->epsilon);
        vf mean = vset1(s.mean), inverse = vset1(s.inverse), sum = vzero(), dot = vzero();
        for (int64_t j = 0; j < width; j += VL) {
            int64_t n = l4m_min(VL, width - j);
            // Past the row's end d is 0, whatever x minus its mean is there.
            vf d = vload_any(dy + j, n, L4M_F32), normed = (vload_any(x + j, n, L4M_F32) - mean) * inverse;
            vf wd = d * vload_any(w->weight + j, n, L4M_F32);
            sum += wd;
            dot = vfma(wd, normed, dot);
            vf a = vfma(d, normed, vload_any(dweight + j, n, L4M_F32)), b = d + vload_any(dbias + j, n, L4M_F32);
            n == VL ? vstore(dweight + j, a) : vstore_n(dweight + j, a, n);
            n == VL ? vstore(dbias + j, b) : vstore_n(dbias + j, b, n);
        }
        vf mean_d = vset1(vsum(sum) / (float)width), mean_dot = vset1(vsum(dot) / (float)width);
        for (int64_t j = 0; j < width; j += VL) {
            int64_t n = l4m_min(VL, width - j);
            vf d = vload_any(dy + j, n, L4M_F32), normed = (vload_any(x + j, n, L4M_F32) - mean) * inverse;
            vf r = inverse * (d * vload_any(w->weight + j, n, L4M_F32) - mean_d - normed * mean_dot);
            n == VL ? vstore(dx + j, r) : vstore_n(dx + j, r, n);
        }
    }
}

int ISA(layer_norm_gradient)(l4m_pool *pool, int64_t rows, int64_t width, const float *x, const float *weight,
                             const float *dy, double epsilon, float *dx, float *dweight, float *dbias) {
    // Blocks of rows that depend on the shape alone keep the sums the same for any number of threads.
    int64_t block = l4m_max(16, l4m_ceil_div(rows, 64)), blocks = l4m_ceil_div(rows, block);
    int code = l4m_pool_begin(pool, 0, (size_t)(2 * blocks * width) * sizeof(float));
    if (code != L4M_OK) return code;
    float *partial = l4m_pool_shared(pool);
    job w = {.x = x, .weight = weight, .dy = dy, .rows = rows, .width = width, .block = block,
             .epsilon = (float)epsilon, .y = dx, .partial = partial};
    l4m_pool_run(pool, blocks, backward_block, &w);
    for (int64_t j = 0; j < 2 * width; j++) {
        float sum = 0;
        for (int64_t b = 0; b < blocks; b++) sum += partial[b * 2 * width + j];
        *(j < width ? dweight + j : dbias + j - width) = sum;
    }
    l4m_pool_end(pool);
    return L4M_OK;
}
