// The step of Adam that all its kernels take: the same operations in the same order, so the same bits.
#ifndef L4M_ADAM_H
#define L4M_ADAM_H

#include <math.h>

#include "kernels.h"

typedef struct {
    float *p, *m, *v;
    const float *g;
    const int32_t *rows;
    int64_t listed, width;
    // p -= rate * m / (sqrt(v * second) + epsilon)
    float beta1, beta2, one_minus_beta1, one_minus_beta2, rate, second, epsilon, decay;
} adam_job;

INLINE adam_job adam_hyperparameters(const double *state, double beta1, double beta2, double epsilon, double decay,
                                     int lazy) {
    double first = 1 - pow(beta1, state[1]), second = 1 - pow(beta2, state[1]);
    return (adam_job){.beta1 = (float)beta1,
                      .beta2 = (float)beta2,
                      .one_minus_beta1 = (float)(1 - beta1),
                      .one_minus_beta2 = (float)(1 - beta2),
                      .rate = (float)(lazy ? state[0] * sqrt(second) / first : state[0] / first),
                      .second = (float)(lazy ? 1 : 1 / second),
                      .epsilon = (float)epsilon,
                      .decay = (float)decay};
}

// What a step multiplies with, in every lane.
typedef struct {
    vf beta1, beta2, one_minus_beta1, one_minus_beta2, epsilon, decay;
} adam_factors;

INLINE adam_factors adam_spread(const adam_job *w) {
    return (adam_factors){vset1(w->beta1),           vset1(w->beta2),   vset1(w->one_minus_beta1),
                          vset1(w->one_minus_beta2), vset1(w->epsilon), vset1(w->decay)};
}

// One step; d: the gradient with weight decay.
INLINE void adam_step(const adam_factors *f, vf rate, vf second, vf d, vf *p, vf *m, vf *v) {
    *m = vfma(f->beta1, *m, f->one_minus_beta1 * d);
    *v = vfma(f->beta2, *v, f->one_minus_beta2 * d * d);
    *p = *p - rate * *m / (vsqrt(*v * second) + f->epsilon);
}

INLINE void adam_store(float *to, vf x, int64_t n) {
    if (n == VL)
        vstore(to, x);
    else
        vstore_n(to, x, n);
}

// n values from `at` on, with gradient g (NULL: zero).
INLINE void adam_update(const adam_job *w, int64_t at, const float *g, int64_t count) {
    const adam_factors f = adam_spread(w);
    const vf rate = vset1(w->rate), second = vset1(w->second);
    for (int64_t j = 0; j < count; j += VL) {
        int64_t n = l4m_min(VL, count - j);
        float *pp = w->p + at + j, *pm = w->m + at + j, *pv = w->v + at + j;
        vf p = vload_any(pp, n, L4M_F32), m = vload_any(pm, n, L4M_F32), v = vload_any(pv, n, L4M_F32);
        vf d;
        if (g)
            d = vfma(f.decay, p, vload_any(g + j, n, L4M_F32));
        else
            d = f.decay * p;
        adam_step(&f, rate, second, d, &p, &m, &v);
        adam_store(pp, p, n);
        adam_store(pm, m, n);
        adam_store(pv, v, n);
    }
}

// Rows of a large table are far away: ask for them a few rows ahead.
#define ADAM_AHEAD 8

INLINE void adam_ask_for(const adam_job *w, int64_t row) {
    for (int64_t j = row * w->width; j < (row + 1) * w->width; j += 16) {
        __builtin_prefetch(w->p + j, 1);
        __builtin_prefetch(w->m + j, 1);
        __builtin_prefetch(w->v + j, 1);
    }
}

#endif
