// Each row's query attends to the elements of the row's own list, and the gradient of that.
#include "kernels.h"
#include "rows.h"
#include "vmath.h"

typedef struct {
    int64_t length, width;
    const float *q, *x, *present, *a, *out, *dy;
    float *y, *weights, *dq, *dx;
} job;

INLINE float dot(const float *a, const float *b, int64_t width) {
    vf sum = vzero();
    int64_t j = 0;
    for (; j + VL <= width; j += VL) sum = vfma(vload(a + j), vload(b + j), sum);
    if (j < width) sum = vfma(vload_n(a + j, width - j), vload_n(b + j, width - j), sum);
    return vsum(sum);
}

// Scores in place to weights that add up to 1; absent elements get 0.
INLINE void softmax_present(int64_t length, const float *present, float top, float *a) {
    for (int64_t k = 0; k < length; k += VL) {
        int64_t n = l4m_min(VL, length - k);
        vf e = vexp(vload_any(a + k, n, L4M_F32) - vset1(top));
        n == VL ? vstore(a + k, e) : vstore_n(a + k, e, n);
    }
    float sum = 0;
    for (int64_t k = 0; k < length; k++) sum += a[k] = present[k] != 0 ? a[k] : 0;
    float factor = sum == 0 ? 0 : 1 / sum;
    for (int64_t k = 0; k < length; k++) a[k] *= factor;
}

static void forward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *q = w->q + i * w->width, *x = w->x + i * w->length * w->width;
        const float *present = w->present + i * w->length;
        float *a = w->weights + i * w->length, *y = w->y + i * w->width;
        float top = -__builtin_inff();
        for (int64_t k = 0; k < w->length; k++) {
            a[k] = 0;
            if (present[k] == 0) continue;
            a[k] = dot(q, x + k * w->width, w->width);
            top = a[k] > top ? a[k] : top;
        }
        softmax_present(w->length, present, top, a);
        for (int64_t j = 0; j < w->width; j += VL) {
            int64_t n = l4m_min(VL, w->width - j);
            vf sum = vzero();
            for (int64_t k = 0; k < w->length; k++)
                if (present[k] != 0) sum = vfma(vset1(a[k]), vload_any(x + k * w->width + j, n, L4M_F32), sum);
            n == VL ? vstore(y + j, sum) : vstore_n(y + j, sum, n);
        }
    }
}

int ISA(attention_pooling)(l4m_pool *pool, int64_t rows, int64_t length, int64_t width, const float *q,
                           const float *x, const float *present, float *y, float *weights) {
    job w = {.length = length, .width = width, .q = q, .x = x};
    w.present = present, w.y = y, w.weights = weights;
    return l4m_ranges(pool, rows, 4.0 * (double)(length * width) + 16, forward_range, &w);
}

static void backward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *q = w->q + i * w->width, *dy = w->dy + i * w->width;
        float *dq = w->dq + i * w->width, mean = dot(dy, w->out + i * w->width, w->width);
        memset(dq, 0, (size_t)w->width * sizeof *dq);
        for (int64_t k = 0; k < w->length; k++) {
            int64_t at = (i * w->length + k) * w->width;
            const float *x = w->x + at;
            float *dx = w->dx + at, weight = w->a[i * w->length + k];
            if (weight == 0) {
                memset(dx, 0, (size_t)w->width * sizeof *dx);
                continue;
            }
            vf a = vset1(weight), s = vset1(weight * (dot(dy, x, w->width) - mean));
            for (int64_t j = 0; j < w->width; j += VL) {
                int64_t n = l4m_min(VL, w->width - j);
                vf d = vfma(s, vload_any(q + j, n, L4M_F32), a * vload_any(dy + j, n, L4M_F32));
                vf sum = vfma(s, vload_any(x + j, n, L4M_F32), vload_any(dq + j, n, L4M_F32));
                n == VL ? vstore(dx + j, d) : vstore_n(dx + j, d, n);
                n == VL ? vstore(dq + j, sum) : vstore_n(dq + j, sum, n);
            }
        }
    }
}

int ISA(attention_pooling_gradient)(l4m_pool *pool, int64_t rows, int64_t length, int64_t width,
                                    const float *q, const float *x, const float *weights, const float *y,
                                    const float *dy, float *dq, float *dx) {
    job w = {.length = length, .width = width, .q = q, .x = x};
    w.a = weights, w.out = y, w.dy = dy, w.dq = dq, w.dx = dx;
    return l4m_ranges(pool, rows, 6.0 * (double)(length * width) + 16, backward_range, &w);
}
