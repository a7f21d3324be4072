// The specification of matmul.
#include <math.h>

#include "indices.h"
#include "kernels.h"
#include "panels.h"
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

int gathered_matmul_ref(l4m_pool *pool, int64_t m, int64_t n, int64_t k, int64_t vocabulary, const float *table,
                        const int32_t *ids, int32_t trans_b, const float *b, const float *bias, int32_t activation,
                        float *c) {
    int code = l4m_check_ids(ids, m, 1, vocabulary);
    for (int64_t i = 0; i < m && code == L4M_OK; i++)
        code = matmul_ref(pool, 0, trans_b, 1, n, k, table + ids[i] * k, k, b, trans_b ? k : n, L4M_F32, bias, NULL, n,
                          activation, c + i * n, n);
    return code;
}

// One column after the other: panels of width 1.
int panel_bytes_ref(int64_t n, int64_t k, int32_t type, int64_t *bytes) {
    if (l4m_is_quantised(type)) return L4M_BAD_ARGUMENT;
    *bytes += (int64_t)sizeof(panel_header) + n * k * l4m_block_bytes(type);
    return L4M_OK;
}

int pack_panels_ref(l4m_pool *pool, int32_t trans_b, int64_t n, int64_t k, const void *b, int64_t ldb, int32_t type,
                    void *packed) {
    (void)pool;
    if (l4m_is_quantised(type)) return L4M_BAD_ARGUMENT;
    panel_header *header = packed;
    *header = (panel_header){.width = 1, .type = type, .n = n, .k = k};
    size_t size = (size_t)l4m_block_bytes(type);
    for (int64_t j = 0; j < n; j++)
        for (int64_t p = 0; p < k; p++)
            memcpy((char *)(header + 1) + (size_t)(j * k + p) * size,
                   l4m_at(b, trans_b ? j * ldb + p : p * ldb + j, type), size);
    return L4M_OK;
}

int matmul_panels_ref(l4m_pool *pool, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const void *packed,
                      int32_t type, const float *bias, const float *residual, int64_t ldr, int32_t activation,
                      float *c, int64_t ldc) {
    const panel_header *header = packed;
    if (header->width != 1 || header->type != type || header->n != n || header->k != k) return L4M_BAD_ARGUMENT;
    return matmul_ref(pool, 0, 1, m, n, k, a, lda, header + 1, k, type, bias, residual, ldr, activation, c, ldc);
}
