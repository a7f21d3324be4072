// Adam (Kingma and Ba 2015), dense and for tables with sparse gradients, in place.
#include <math.h>

#include "indices.h"
#include "kernels.h"
#include "rows.h"

typedef struct {
    float *p, *m, *v;
    const float *g;
    const int32_t *rows;
    int64_t listed, width;
    // p -= rate * m / (sqrt(v * second) + epsilon)
    float beta1, beta2, one_minus_beta1, one_minus_beta2, rate, second, epsilon, decay;
} job;

static job hyperparameters(const double *state, double beta1, double beta2, double epsilon, double decay,
                           int lazy) {
    double first = 1 - pow(beta1, state[1]), second = 1 - pow(beta2, state[1]);
    return (job){.beta1 = (float)beta1,
                 .beta2 = (float)beta2,
                 .one_minus_beta1 = (float)(1 - beta1),
                 .one_minus_beta2 = (float)(1 - beta2),
                 .rate = (float)(lazy ? state[0] * sqrt(second) / first : state[0] / first),
                 .second = (float)(lazy ? 1 : 1 / second),
                 .epsilon = (float)epsilon,
                 .decay = (float)decay};
}

// n values from `at` on, with gradient g (NULL: zero).
INLINE void update(const job *w, int64_t at, const float *g, int64_t count) {
    const vf b1 = vset1(w->beta1), b2 = vset1(w->beta2), c1 = vset1(w->one_minus_beta1);
    const vf c2 = vset1(w->one_minus_beta2), rate = vset1(w->rate), second = vset1(w->second);
    const vf epsilon = vset1(w->epsilon), decay = vset1(w->decay);
    for (int64_t j = 0; j < count; j += VL) {
        int64_t n = l4m_min(VL, count - j);
        float *pp = w->p + at + j, *pm = w->m + at + j, *pv = w->v + at + j;
        vf p = vload_any(pp, n, L4M_F32), m = vload_any(pm, n, L4M_F32), v = vload_any(pv, n, L4M_F32);
        vf d = decay * p;
        if (g) d += vload_any(g + j, n, L4M_F32);
        m = vfma(b1, m, c1 * d);
        v = vfma(b2, v, c2 * d * d);
        p = p - rate * m / (vsqrt(v * second) + epsilon);
        if (n == VL) {
            vstore(pp, p);
            vstore(pm, m);
            vstore(pv, v);
        } else {
            vstore_n(pp, p, n);
            vstore_n(pm, m, n);
            vstore_n(pv, v, n);
        }
    }
}

static void dense_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    update(w, begin, w->g + begin, end - begin);
}

int ISA(adam)(l4m_pool *pool, int64_t count, float *p, float *m, float *v, const float *g, const double *state,
              double beta1, double beta2, double epsilon, double weight_decay) {
    job w = hyperparameters(state, beta1, beta2, epsilon, weight_decay, 0);
    w.p = p, w.m = m, w.v = v, w.g = g;
    return l4m_ranges(pool, count, 4, dense_range, &w);
}

// Rows of a large table are far away: ask for them a few rows ahead.
#define AHEAD 8

static void lazy_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t next = w->rows[l4m_min(i + AHEAD, end - 1)] * w->width;
        for (int64_t j = next; j < next + w->width; j += 16) {
            __builtin_prefetch(w->p + j, 1);
            __builtin_prefetch(w->m + j, 1);
            __builtin_prefetch(w->v + j, 1);
        }
        update(w, w->rows[i] * w->width, w->g + i * w->width, w->width);
    }
}

// All rows of [begin, end): the listed ones with their gradient, the gaps between them without.
static void exact_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    int64_t low = 0, high = w->listed;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (w->rows[middle] < begin)
            low = middle + 1;
        else
            high = middle;
    }
    int64_t row = begin;
    for (; low < w->listed && w->rows[low] < end; low++) {
        update(w, row * w->width, NULL, (w->rows[low] - row) * w->width);
        row = w->rows[low];
        update(w, row * w->width, w->g + low * w->width, w->width);
        row++;
    }
    update(w, row * w->width, NULL, (end - row) * w->width);
}

int ISA(sparse_adam)(l4m_pool *pool, int64_t size, int64_t width, float *p, float *m, float *v, int64_t capacity,
                     const int32_t *rows, const int32_t *count, const float *values, const double *state,
                     double beta1, double beta2, double epsilon, double weight_decay, int32_t lazy) {
    int code = l4m_check_rows(rows, *count, capacity, size);
    if (code != L4M_OK) return code;
    job w = hyperparameters(state, beta1, beta2, epsilon, weight_decay, lazy);
    w.p = p, w.m = m, w.v = v, w.g = values, w.rows = rows, w.listed = *count, w.width = width;
    // A listed row is three that lie anywhere, which takes as long as some hundred multiply-adds each.
    double cost = 4.0 * (double)width + (lazy ? 400 : 16);
    return l4m_ranges(pool, lazy ? *count : size, cost, lazy ? lazy_range : exact_range, &w);
}
