// The specification of the products of 8-bit integers: exact sums, one column after the other.
#include <stdlib.h>

#include "kernels.h"
#include "panels.h"
#include "quant.h"
#include "ref.h"

// A column: its scale, then k integers.
static int64_t column_bytes(int64_t k) { return (int64_t)sizeof(float) + k; }

int int8_panel_bytes_ref(int64_t n, int64_t k, int64_t *bytes) {
    *bytes += (int64_t)sizeof(panel_header) + n * column_bytes(k);
    return L4M_OK;
}

// The least and the largest of zero and the elements index, index + step, ... of x; NaN if one is not finite.
static void bounds(const void *x, int64_t index, int64_t step, int64_t k, int32_t type, float *low, float *high) {
    *low = *high = 0;
    for (int64_t p = 0; p < k; p++) {
        float value = ref_load(x, index + p * step, type);
        if (!isfinite(value)) {
            *low = *high = NAN;
            return;
        }
        *low = fminf(*low, value);
        *high = fmaxf(*high, value);
    }
}

static int32_t quantised(float value, float inverse) { return inverse == 0 ? 0 : (int32_t)rintf(value * inverse); }

int pack_int8_ref(l4m_pool *pool, int32_t trans_b, int64_t n, int64_t k, const void *b, int64_t ldb, int32_t type,
                  void *packed) {
    (void)pool;
    if (k > INT8_MAX_K || (l4m_is_quantised(type) && !trans_b)) return L4M_BAD_ARGUMENT;
    panel_header *header = packed;
    *header = (panel_header){.width = 1, .type = INT8_PANELS + 1, .n = n, .k = k};
    for (int64_t j = 0; j < n; j++) {
        char *column = (char *)(header + 1) + j * column_bytes(k);
        int64_t index = trans_b ? j * ldb : j, step = trans_b ? 1 : ldb;
        float low, high, inverse;
        bounds(b, index, step, k, type, &low, &high);
        float scale = int8_scale(isnan(low) ? NAN : fmaxf(-low, high), INT8_WEIGHT_LEVELS, &inverse);
        memcpy(column, &scale, sizeof scale);
        for (int64_t p = 0; p < k; p++)
            column[(int64_t)sizeof scale + p] = (char)quantised(ref_load(b, index + p * step, type), inverse);
    }
    return L4M_OK;
}

int matmul_int8_ref(l4m_pool *pool, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const void *packed,
                    const float *bias, const float *residual, int64_t ldr, int32_t activation, float *c,
                    int64_t ldc) {
    (void)pool;
    const panel_header *header = packed;
    if (header->width != 1 || header->type != INT8_PANELS + 1 || header->n != n || header->k != k)
        return L4M_BAD_ARGUMENT;
    int32_t *row = malloc((size_t)(k + 1) * sizeof *row);
    if (row == NULL) return L4M_OUT_OF_MEMORY;
    for (int64_t i = 0; i < m; i++) {
        float low, high, inverse;
        bounds(a, i * lda, 1, k, L4M_F32, &low, &high);
        float row_scale = int8_scale(high - low, INT8_STEPS, &inverse);
        int32_t most = (int32_t)INT8_STEPS + quantised(low, inverse);
        for (int64_t p = 0; p < k; p++) row[p] = (int32_t)l4m_min(quantised(a[i * lda + p], inverse), most);
        for (int64_t j = 0; j < n; j++) {
            const char *column = (const char *)(header + 1) + j * column_bytes(k);
            float scale;
            memcpy(&scale, column, sizeof scale);
            int32_t sum = 0;
            for (int64_t p = 0; p < k; p++) sum += row[p] * ((const int8_t *)column + sizeof scale)[p];
            double value = (double)sum * row_scale * scale;
            if (bias) value += bias[j];
            if (residual) value += residual[i * ldr + j];
            c[i * ldc + j] = (float)ref_activate(value, activation);
        }
    }
    free(row);
    return L4M_OK;
}

int int8_peak_ref(l4m_pool *pool, int64_t iterations, double *operations) {
    (void)pool;
    volatile int32_t sum = 0;
    for (int64_t n = 0; n < iterations; n++) sum = (sum + 6) & 0xffff;
    *operations += (double)iterations * 2;
    return L4M_OK;
}
