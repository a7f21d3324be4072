// The specification of matmul.
#include <math.h>

#include "kernels.h"
#include "quant.h"
#include "ref.h"

int matmul_ref(l4m_pool *pool, int32_t trans_a, int32_t trans_b, int64_t m, int64_t n, int64_t k, const float *a,
               int64_t lda, const void *b, int64_t ldb, int32_t b_type, const float *bias, const float *residual,
               int64_t ldr, int32_t activation, float *c, int64_t ldc) {
    (void)pool;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t p = 0; p < k; p++)
                sum += (double)a[trans_a ? p * lda + i : i * lda + p] *
                       ref_load(b, trans_b ? j * ldb + p : p * ldb + j, b_type);
            if (bias) sum += bias[j];
            if (residual) sum += residual[i * ldr + j];
            c[i * ldc + j] = (float)ref_activate(sum, activation);
        }
    }
    return L4M_OK;
}
