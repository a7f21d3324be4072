// The specification of products of weights in blocks with activations in blocks of 8 bits: A rounded in blocks of 32,
// times B as it is, in double.
#include <stdlib.h>

#include "kernels.h"
#include "panels.h"
#include "quant.h"
#include "ref.h"

#define BLOCK 32

int int8_block_bytes_ref(int64_t n, int64_t k, int32_t type, int64_t *bytes) {
    if (!l4m_has_block_products(type)) return L4M_BAD_ARGUMENT;
    *bytes += (int64_t)sizeof(panel_header) + n * k / l4m_block_size(type) * l4m_block_bytes(type);
    return L4M_OK;
}

// The columns as they are, one after the other.
int pack_int8_blocks_ref(l4m_pool *pool, int64_t n, int64_t k, const void *b, int64_t ldb, int32_t type, void *packed) {
    (void)pool;
    if (!l4m_has_block_products(type)) return L4M_BAD_ARGUMENT;
    panel_header *header = packed;
    *header = (panel_header){.width = 1, .type = INT8_BLOCKS + L4M_TYPE_COUNT + type, .n = n, .k = k};
    size_t bytes = (size_t)(k / l4m_block_size(type) * l4m_block_bytes(type));
    for (int64_t j = 0; j < n; j++) memcpy((char *)(header + 1) + (size_t)j * bytes, l4m_at(b, j * ldb, type), bytes);
    return L4M_OK;
}

static void round_block(const float *x, float *to) {
    float largest = 0, inverse;
    for (int i = 0; i < BLOCK && isfinite(largest); i++)
        largest = isfinite(x[i]) ? fmaxf(largest, fabsf(x[i])) : NAN;
    float scale = int8_scale(largest, INT8_WEIGHT_LEVELS, &inverse);
    for (int i = 0; i < BLOCK; i++) to[i] = inverse == 0 ? scale : scale * rintf(x[i] * inverse);
}

int matmul_int8_blocks_ref(l4m_pool *pool, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                           const void *packed, int32_t type, const float *bias, const float *residual, int64_t ldr,
                           int32_t activation, float *c, int64_t ldc) {
    (void)pool;
    const panel_header *header = packed;
    if (header->width != 1 || header->type != INT8_BLOCKS + L4M_TYPE_COUNT + type || header->n != n || header->k != k ||
        !l4m_has_block_products(type))
        return L4M_BAD_ARGUMENT;
    float *row = malloc((size_t)(k + 1) * sizeof *row);
    if (row == NULL) return L4M_OUT_OF_MEMORY;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t p = 0; p < k; p += BLOCK) round_block(a + i * lda + p, row + p);
        for (int64_t j = 0; j < n; j++) {
            double value = 0;
            for (int64_t p = 0; p < k; p++) value += (double)row[p] * ref_load(header + 1, j * k + p, type);
            if (bias) value += bias[j];
            if (residual) value += residual[i * ldr + j];
            c[i * ldc + j] = (float)ref_activate(value, activation);
        }
    }
    free(row);
    return L4M_OK;
}
