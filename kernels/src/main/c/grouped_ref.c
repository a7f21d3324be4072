// The specification of the grouped products and sums.
#include "indices.h"
#include "kernels.h"
#include "ref.h"

int grouped_matmul_ref(l4m_pool *pool, int64_t rows, int64_t n, int64_t k, int64_t groups, const float *x,
                       const float *w, int32_t trans_w, const int32_t *order, const int32_t *offsets,
                       const float *bias, int32_t activation, float *y) {
    (void)pool;
    int code = l4m_check_groups(rows, groups, order, offsets);
    if (code != L4M_OK) return code;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t i = offsets[g]; i < offsets[g + 1]; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = bias ? bias[g * n + j] : 0;
                for (int64_t p = 0; p < k; p++)
                    sum += (double)x[order[i] * k + p] * w[g * k * n + (trans_w ? j * k + p : p * n + j)];
                y[order[i] * n + j] = (float)ref_activate(sum, activation);
            }
    return L4M_OK;
}

int grouped_weight_gradient_ref(l4m_pool *pool, int64_t rows, int64_t n, int64_t k, int64_t groups,
                                const float *x, const float *dy, const int32_t *order, const int32_t *offsets,
                                int32_t trans_w, float *dw) {
    (void)pool;
    int code = l4m_check_groups(rows, groups, order, offsets);
    if (code != L4M_OK) return code;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t p = 0; p < k; p++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t i = offsets[g]; i < offsets[g + 1]; i++)
                    sum += (double)x[order[i] * k + p] * dy[order[i] * n + j];
                dw[g * k * n + (trans_w ? j * k + p : p * n + j)] = (float)sum;
            }
    return L4M_OK;
}

int grouped_sum_ref(l4m_pool *pool, int64_t rows, int64_t width, int64_t groups, const float *x,
                    const int32_t *order, const int32_t *offsets, int32_t mean, float *out) {
    (void)pool;
    int code = l4m_check_groups(rows, groups, order, offsets);
    if (code != L4M_OK) return code;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = 0; j < width; j++) {
            double sum = 0;
            int64_t count = offsets[g + 1] - offsets[g];
            for (int64_t i = offsets[g]; i < offsets[g + 1]; i++) sum += x[order[i] * width + j];
            out[g * width + j] = (float)(mean && count > 0 ? sum / (double)count : sum);
        }
    return L4M_OK;
}
