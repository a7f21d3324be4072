// The specification of the optimisers.
#include "indices.h"
#include "kernels.h"
#include "ref.h"

static void update(float *p, float *m, float *v, double g, const double *state, double beta1, double beta2,
                   double epsilon, double weight_decay, int lazy) {
    g += weight_decay * *p;
    double m1 = beta1 * *m + (1 - beta1) * g, v1 = beta2 * *v + (1 - beta2) * g * g;
    double first = 1 - pow(beta1, state[1]), second = 1 - pow(beta2, state[1]);
    *p = (float)(lazy ? *p - state[0] * sqrt(second) / first * m1 / (sqrt(v1) + epsilon)
                      : *p - state[0] / first * m1 / (sqrt(v1 / second) + epsilon));
    *m = (float)m1;
    *v = (float)v1;
}

int adam_ref(l4m_pool *pool, int64_t count, float *p, float *m, float *v, const float *g, const double *state,
             double beta1, double beta2, double epsilon, double weight_decay) {
    (void)pool;
    for (int64_t i = 0; i < count; i++) update(p + i, m + i, v + i, g[i], state, beta1, beta2, epsilon, weight_decay, 0);
    return L4M_OK;
}

int sparse_adam_ref(l4m_pool *pool, int64_t size, int64_t width, float *p, float *m, float *v, int64_t capacity,
                    const int32_t *rows, const int32_t *count, const float *values, const double *state,
                    double beta1, double beta2, double epsilon, double weight_decay, int32_t lazy) {
    (void)pool;
    int code = l4m_check_rows(rows, *count, capacity, size);
    if (code != L4M_OK) return code;
    for (int64_t row = 0, i = 0; row < size; row++) {
        int listed = i < *count && rows[i] == row;
        for (int64_t j = 0; (listed || !lazy) && j < width; j++) {
            int64_t at = row * width + j;
            update(p + at, m + at, v + at, listed ? values[i * width + j] : 0, state, beta1, beta2, epsilon,
                   weight_decay, lazy);
        }
        i += listed;
    }
    return L4M_OK;
}
