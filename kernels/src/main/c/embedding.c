// Embedding tables: lookups and the gradient of a table, summed per distinct row in a fixed order.
#include "indices.h"
#include "kernels.h"
#include "quant.h"
#include "rows.h"

typedef struct {
    const void *table;
    int64_t width;
    const int32_t *ids;
    int32_t type;
    float *out;
} gather_job;

static void widen_row(const void *src, int64_t n, int32_t type, float *dst) {
    if (l4m_is_quantised(type)) {
        ISA(dequantise)(src, type, n, dst);
        return;
    }
    int64_t j = 0;
    for (; j + VL <= n; j += VL) vstore(dst + j, vload_any(l4m_at(src, j, type), VL, type));
    if (j < n) vstore_n(dst + j, vload_any(l4m_at(src, j, type), n - j, type), n - j);
}

static void gather_range(const void *context, int64_t begin, int64_t end) {
    const gather_job *w = context;
    int64_t bytes = w->width / l4m_block_size(w->type) * l4m_block_bytes(w->type);
    for (int64_t i = begin; i < end; i++) {
        const char *next = l4m_at(w->table, w->ids[l4m_min(i + 1, end - 1)] * w->width, w->type);
        for (int64_t j = 0; j < bytes; j += 64) __builtin_prefetch(next + j, 0, 2);
        widen_row(l4m_at(w->table, w->ids[i] * w->width, w->type), w->width, w->type, w->out + i * w->width);
    }
}

int ISA(gather)(l4m_pool *pool, int64_t vocabulary, int64_t width, const void *table, int32_t type,
                int64_t count, const int32_t *ids, float *out) {
    int code = l4m_check_ids(ids, count, 1, vocabulary);
    if (code != L4M_OK) return code;
    gather_job w = {table, width, ids, type, out};
    return l4m_ranges(pool, count, (double)width + 16, gather_range, &w);
}

// On one thread: rows are few, and of equal ids the last one wins.
int ISA(scatter_rows)(l4m_pool *pool, int64_t size, int64_t width, float *table, int64_t count, const int32_t *ids,
                      const float *rows) {
    (void)pool;
    int code = l4m_check_ids(ids, count, 1, size);
    if (code != L4M_OK) return code;
    for (int64_t i = 0; i < count; i++)
        memcpy(table + ids[i] * width, rows + i * width, (size_t)width * sizeof(float));
    return L4M_OK;
}

typedef struct {
    int64_t field_count, ld;
    const int64_t (*fields)[4];
    const int32_t *ids;
    float *out;
} concat_job;

// Rows of a large table are far away: ask for them a few samples ahead.
#define AHEAD 4

static void concat_range(const void *context, int64_t begin, int64_t end) {
    const concat_job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const int32_t *ids = w->ids + i * w->field_count;
        const int32_t *next = i + AHEAD < end ? ids + AHEAD * w->field_count : ids;
        for (int64_t f = 0; f < w->field_count; f++) {
            const float *table = (const float *)(intptr_t)w->fields[f][0];
            int64_t width = w->fields[f][2];
            __builtin_prefetch(table + next[f] * width);
            widen_row(table + ids[f] * width, width, L4M_F32, w->out + i * w->ld + w->fields[f][3]);
        }
    }
}

int ISA(embedding_concat)(l4m_pool *pool, int64_t field_count, const int64_t (*fields)[4], int64_t count,
                          const int32_t *ids, float *out, int64_t ld) {
    int code = L4M_OK;
    for (int64_t f = 0; f < field_count && code == L4M_OK; f++)
        code = l4m_check_ids(ids + f, count, field_count, fields[f][1]);
    if (code != L4M_OK) return code;
    concat_job w = {field_count, ld, fields, ids, out};
    return l4m_ranges(pool, count, (double)ld + 32.0 * (double)field_count, concat_range, &w);
}

typedef struct {
    uint32_t id, position;
} entry;

#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)

// Stable radix sort by id; the result is in `a`, whose place may be exchanged with `b`.
static entry *sort_entries(entry *a, entry *b, int64_t count, int64_t vocabulary, int32_t *starts) {
    for (int shift = 0; shift == 0 || (vocabulary - 1) >> shift > 0; shift += DIGIT_BITS) {
        memset(starts, 0, DIGITS * sizeof *starts);
        for (int64_t i = 0; i < count; i++) starts[a[i].id >> shift & (DIGITS - 1)]++;
        for (int32_t d = 0, sum = 0; d < DIGITS; d++) {
            int32_t n = starts[d];
            starts[d] = sum;
            sum += n;
        }
        for (int64_t i = 0; i < count; i++) b[starts[a[i].id >> shift & (DIGITS - 1)]++] = a[i];
        entry *t = a;
        a = b;
        b = t;
    }
    return a;
}

typedef struct {
    const entry *sorted;
    const int32_t *segments;
    int64_t distinct, chunks, width, ld;
    const float *dy;
    float *values;
} segment_job;

static void segment_chunk(void *context, int64_t chunk, int thread) {
    (void)thread;
    const segment_job *w = context;
    int64_t end = l4m_chunk_start(w->distinct, w->chunks, chunk + 1);
    for (int64_t s = l4m_chunk_start(w->distinct, w->chunks, chunk); s < end; s++)
        for (int64_t j = 0; j < w->width; j += VL) {
            int64_t n = l4m_min(VL, w->width - j);
            vf sum = vzero();
            for (int64_t i = w->segments[s]; i < w->segments[s + 1]; i++)
                sum += vload_any(w->dy + w->sorted[i].position * w->ld + j, n, L4M_F32);
            if (n == VL)
                vstore(w->values + s * w->width + j, sum);
            else
                vstore_n(w->values + s * w->width + j, sum, n);
        }
}

int ISA(sparse_row_gradient)(l4m_pool *pool, int64_t count, const int32_t *ids, int64_t id_stride,
                             int64_t vocabulary, const float *dy, int64_t ld, int64_t width, int32_t *rows,
                             int32_t *distinct, float *values) {
    int code = l4m_check_ids(ids, count, id_stride, vocabulary);
    if (code != L4M_OK) return code;
    if (count > INT32_MAX) return L4M_BAD_ARGUMENT;
    size_t shared = (size_t)count * 2 * sizeof(entry) + (DIGITS + (size_t)count + 1) * sizeof(int32_t);
    if ((code = l4m_pool_begin(pool, 0, shared)) != L4M_OK) return code;
    entry *a = l4m_pool_shared(pool), *b = a + count;
    int32_t *starts = (int32_t *)(b + count), *segments = starts + DIGITS;
    for (int64_t i = 0; i < count; i++) a[i] = (entry){(uint32_t)ids[i * id_stride], (uint32_t)i};
    const entry *sorted = sort_entries(a, b, count, vocabulary, starts);
    int32_t n = 0;
    for (int64_t i = 0; i < count; i++)
        if (i == 0 || sorted[i].id != sorted[i - 1].id) {
            rows[n] = (int32_t)sorted[i].id;
            segments[n++] = (int32_t)i;
        }
    segments[n] = (int32_t)count;
    *distinct = n;
    segment_job w = {sorted, segments, n, 0, width, ld, dy, values};
    w.chunks = l4m_chunks(pool, n, (double)count / l4m_max(n, 1) * (double)(width + 16));
    l4m_pool_run(pool, w.chunks, segment_chunk, &w);
    l4m_pool_end(pool);
    return L4M_OK;
}

int ISA(sparse_to_dense)(l4m_pool *pool, int64_t capacity, const int32_t *rows, const int32_t *count,
                         const float *values, int64_t size, int64_t width, float *out) {
    (void)pool;
    int code = l4m_check_rows(rows, *count, capacity, size);
    if (code != L4M_OK) return code;
    memset(out, 0, (size_t)(size * width) * sizeof(float));
    for (int64_t i = 0; i < *count; i++)
        memcpy(out + rows[i] * width, values + i * width, (size_t)width * sizeof(float));
    return L4M_OK;
}
