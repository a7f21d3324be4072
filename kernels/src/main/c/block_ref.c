// The specification of the products of blocks of columns.
#include "indices.h"
#include "kernels.h"
#include "ref.h"

int block_matmul_ref(l4m_pool *pool, int64_t rows, int64_t n, int64_t k, int64_t groups, const float *x,
                     const float *w, int32_t trans_w, const float *bias, int32_t activation, const float *gate,
                     float *y) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t g = 0; g < groups; g++)
            for (int64_t j = 0; j < n; j++) {
                double sum = bias ? bias[g * n + j] : 0;
                for (int64_t p = 0; p < k; p++)
                    sum += (double)x[(i * groups + g) * k + p] * w[g * k * n + (trans_w ? j * k + p : p * n + j)];
                int64_t at = (i * groups + g) * n + j;
                y[at] = gate && !(gate[at] > 0) ? 0 : (float)ref_activate(sum, activation);
            }
    return L4M_OK;
}

int block_weight_gradient_ref(l4m_pool *pool, int64_t rows, int64_t n, int64_t k, int64_t groups, const float *x,
                              const float *dy, int32_t trans_w, float *dw, float *db) {
    (void)pool;
    if (db && !trans_w) return L4M_BAD_ARGUMENT;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = 0; j < n; j++) {
            for (int64_t p = 0; p < k; p++) {
                double sum = 0;
                for (int64_t i = 0; i < rows; i++)
                    sum += (double)x[(i * groups + g) * k + p] * dy[(i * groups + g) * n + j];
                dw[g * k * n + (trans_w ? j * k + p : p * n + j)] = (float)sum;
            }
            double sum = 0;
            for (int64_t i = 0; db && i < rows; i++) sum += dy[(i * groups + g) * n + j];
            if (db) db[g * n + j] = (float)sum;
        }
    return L4M_OK;
}

int gathered_weight_gradient_ref(l4m_pool *pool, int64_t rows, int64_t n, int64_t k, int64_t vocabulary,
                                 const float *table, const int32_t *ids, const float *dy, int32_t trans_w, float *dw,
                                 float *db) {
    (void)pool;
    int code = l4m_check_ids(ids, rows, 1, vocabulary);
    if (code != L4M_OK) return code;
    if (db && !trans_w) return L4M_BAD_ARGUMENT;
    for (int64_t j = 0; j < n; j++) {
        for (int64_t p = 0; p < k; p++) {
            double sum = 0;
            for (int64_t i = 0; i < rows; i++) sum += (double)table[ids[i] * k + p] * dy[i * n + j];
            dw[trans_w ? j * k + p : p * n + j] = (float)sum;
        }
        double sum = 0;
        for (int64_t i = 0; db && i < rows; i++) sum += dy[i * n + j];
        if (db) db[j] = (float)sum;
    }
    return L4M_OK;
}
