#include "dropout.h"
#include "kernels.h"
#include "ref.h"

int dropout_ref(l4m_pool *pool, int64_t count, int32_t key, int32_t threshold, float scale, const float *x, float *y) {
    (void)pool;
    for (int64_t i = 0; i < count; i++)
        y[i] = l4m_dropout_hash((uint32_t)key, i) < (uint32_t)threshold ? 0 : scale * x[i];
    return L4M_OK;
}

int sum_of_squares_ref(l4m_pool *pool, int64_t count, const float *x, double *sum) {
    (void)pool;
    for (int64_t i = 0; i < count; i++) *sum += (double)x[i] * x[i];
    return L4M_OK;
}
