// Batch normalisation per group of rows: one vector of columns of one group at a time, so that every sum
// has one fixed order.
#include "indices.h"
#include "kernels.h"
#include "rows.h"

typedef struct {
    int64_t width, vectors;
    const float *x, *scale, *shift, *mean_in, *inverse_in, *dy;
    const int32_t *order, *offsets;
    float *running_mean, *running_variance, *y, *mean, *inverse, *dscale, *dshift;
    float epsilon, momentum;
    int32_t training;
} job;

INLINE vf load(const float *p, int64_t n) { return vload_any(p, n, L4M_F32); }
INLINE void store(float *p, vf v, int64_t n) { n == VL ? vstore(p, v) : vstore_n(p, v, n); }

static void forward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t g = item / w->vectors, j = item % w->vectors * VL, n = l4m_min(VL, w->width - j);
        int64_t i0 = w->offsets[g], i1 = w->offsets[g + 1], at = g * w->width + j, rows = i1 - i0;
        vf mean = load(w->running_mean + at, n), variance = load(w->running_variance + at, n), rest = vzero();
        if (w->training && rows >= 2) {
            vf sum = vzero(), squares = vzero(), keep = vset1(1.0f - w->momentum), move = vset1(w->momentum);
            for (int64_t i = i0; i < i1; i++) sum += load(w->x + w->order[i] * w->width + j, n);
            vf mu = sum * vset1(1.0f / (float)rows);
            // The mean as rounded is off by `rest`, which counts where rows are close together.
            for (int64_t i = i0; i < i1; i++) {
                vf d = load(w->x + w->order[i] * w->width + j, n) - mu;
                squares = vfma(d, d, squares);
                rest += d;
            }
            rest *= vset1(1.0f / (float)rows);
            squares = vmax(vzero(), squares - rest * rest * vset1((float)rows));
            store(w->running_mean + at, mean * keep + mu * move, n);
            store(w->running_variance + at, variance * keep + squares * vset1(w->momentum / (float)(rows - 1)), n);
            mean = mu;
            variance = squares * vset1(1.0f / (float)rows);
        }
        vf inverse = vset1(1.0f) / vsqrt(variance + vset1(w->epsilon));
        store(w->mean + at, mean, n);
        store(w->inverse + at, inverse, n);
        vf factor = inverse * load(w->scale + at, n), shift = load(w->shift + at, n);
        for (int64_t i = i0; i < i1; i++) {
            int64_t e = w->order[i] * w->width + j;
            store(w->y + e, vfma(load(w->x + e, n) - mean - rest, factor, shift), n);
        }
    }
}

int ISA(grouped_batch_norm)(l4m_pool *pool, int64_t rows, int64_t width, int64_t groups, const float *x,
                            const int32_t *order, const int32_t *offsets, const float *scale, const float *shift,
                            float *running_mean, float *running_variance, double epsilon, double momentum,
                            int32_t training, float *y, float *mean, float *inverse_std) {
    int code = l4m_check_groups(rows, groups, order, offsets);
    if (code != L4M_OK) return code;
    job w = {.width = width,
             .vectors = l4m_ceil_div(width, VL),
             .x = x,
             .scale = scale,
             .shift = shift,
             .order = order,
             .offsets = offsets,
             .running_mean = running_mean,
             .running_variance = running_variance,
             .y = y,
             .mean = mean,
             .inverse = inverse_std,
             .epsilon = (float)epsilon,
             .momentum = (float)momentum,
             .training = training};
    double cost = 3.0 * VL * (double)(rows + groups) / (double)l4m_max(1, groups);
    return l4m_ranges(pool, groups * w.vectors, cost, forward_range, &w);
}

static void backward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t g = item / w->vectors, j = item % w->vectors * VL, n = l4m_min(VL, w->width - j);
        int64_t i0 = w->offsets[g], i1 = w->offsets[g + 1], at = g * w->width + j, rows = i1 - i0;
        vf mean = load(w->mean_in + at, n), inverse = load(w->inverse_in + at, n), sum = vzero(), dot = vzero();
        for (int64_t i = i0; i < i1; i++) {
            int64_t e = w->order[i] * w->width + j;
            vf d = load(w->dy + e, n);
            sum += d;
            dot = vfma(d, (load(w->x + e, n) - mean) * inverse, dot);
        }
        store(w->dscale + at, dot, n);
        store(w->dshift + at, sum, n);
        vf through = vset1(w->training && rows >= 2 ? 1.0f / (float)rows : 0.0f);
        vf factor = load(w->scale + at, n) * inverse, a = sum * through, b = dot * through * inverse;
        for (int64_t i = i0; i < i1; i++) {
            int64_t e = w->order[i] * w->width + j;
            store(w->y + e, factor * (load(w->dy + e, n) - vfma(load(w->x + e, n) - mean, b, a)), n);
        }
    }
}

int ISA(grouped_batch_norm_gradient)(l4m_pool *pool, int64_t rows, int64_t width, int64_t groups, const float *x,
                                     const int32_t *order, const int32_t *offsets, const float *scale,
                                     const float *mean, const float *inverse_std, const float *dy, int32_t training,
                                     float *dx, float *dscale, float *dshift) {
    int code = l4m_check_groups(rows, groups, order, offsets);
    if (code != L4M_OK) return code;
    job w = {.width = width,
             .vectors = l4m_ceil_div(width, VL),
             .x = x,
             .scale = scale,
             .mean_in = mean,
             .inverse_in = inverse_std,
             .dy = dy,
             .order = order,
             .offsets = offsets,
             .y = dx,
             .dscale = dscale,
             .dshift = dshift,
             .training = training};
    double cost = 4.0 * VL * (double)(rows + groups) / (double)l4m_max(1, groups);
    return l4m_ranges(pool, groups * w.vectors, cost, backward_range, &w);
}
