// The specification of the embedding kernels.
#include "indices.h"
#include "kernels.h"
#include "quant.h"
#include "ref.h"

int gather_ref(l4m_pool *pool, int64_t vocabulary, int64_t width, const void *table, int32_t type, int64_t count,
               const int32_t *ids, float *out) {
    (void)pool;
    int code = l4m_check_ids(ids, count, 1, vocabulary);
    if (code != L4M_OK) return code;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < width; j++) out[i * width + j] = ref_load(table, ids[i] * width + j, type);
    return L4M_OK;
}

int scatter_rows_ref(l4m_pool *pool, int64_t size, int64_t width, float *table, int64_t count, const int32_t *ids,
                     const float *rows) {
    (void)pool;
    int code = l4m_check_ids(ids, count, 1, size);
    if (code != L4M_OK) return code;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < width; j++) table[ids[i] * width + j] = rows[i * width + j];
    return L4M_OK;
}

int embedding_concat_ref(l4m_pool *pool, int64_t field_count, const int64_t (*fields)[4], int64_t count,
                         const int32_t *ids, float *out, int64_t ld) {
    (void)pool;
    for (int64_t i = 0; i < count; i++)
        for (int64_t f = 0; f < field_count; f++) {
            int64_t id = ids[i * field_count + f], width = fields[f][2];
            if (id < 0 || id >= fields[f][1]) return L4M_ID_OUT_OF_RANGE;
            for (int64_t j = 0; j < width; j++)
                out[i * ld + fields[f][3] + j] = ((const float *)(intptr_t)fields[f][0])[id * width + j];
        }
    return L4M_OK;
}

int sparse_row_gradient_ref(l4m_pool *pool, int64_t count, const int32_t *ids, int64_t id_stride,
                            int64_t vocabulary, const float *dy, int64_t ld, int64_t width, int32_t *rows,
                            int32_t *distinct, float *values) {
    (void)pool;
    int code = l4m_check_ids(ids, count, id_stride, vocabulary);
    if (code != L4M_OK) return code;
    // The next larger id, again and again: quadratic, and obviously right.
    int32_t n = 0;
    for (int64_t last = -1;;) {
        int64_t next = INT64_MAX;
        for (int64_t i = 0; i < count; i++)
            if (ids[i * id_stride] > last && ids[i * id_stride] < next) next = ids[i * id_stride];
        if (next == INT64_MAX) break;
        rows[n] = (int32_t)next;
        for (int64_t j = 0; j < width; j++) {
            double sum = 0;
            for (int64_t i = 0; i < count; i++)
                if (ids[i * id_stride] == next) sum += dy[i * ld + j];
            values[n * width + j] = (float)sum;
        }
        n++;
        last = next;
    }
    *distinct = n;
    return L4M_OK;
}

int sparse_to_dense_ref(l4m_pool *pool, int64_t capacity, const int32_t *rows, const int32_t *count,
                        const float *values, int64_t size, int64_t width, float *out) {
    (void)pool;
    int code = l4m_check_rows(rows, *count, capacity, size);
    if (code != L4M_OK) return code;
    for (int64_t i = 0; i < size * width; i++) out[i] = 0;
    for (int64_t i = 0; i < *count; i++)
        for (int64_t j = 0; j < width; j++) out[rows[i] * width + j] = values[i * width + j];
    return L4M_OK;
}
