// Dense matrix product: chooses the path by shape alone, cuts C into rectangles, lets the pool run them.
#include "gemm.h"
#include "indices.h"
#include "kernels.h"
#include "panels.h"
#include "quant.h"
#include "rows.h"
#include "vmath.h"

#define STRIP 256
// Rows of a quantised B that the few-rows path widens at a time.
#define WIDENED 4

typedef struct {
    gemm g;
    l4m_pool *pool;
    int64_t m, n;
    int64_t row_chunks, col_chunks;
    const float *x[GEMM_SMALL_ROWS];
} job;

static void packed_chunk(void *context, int64_t chunk, int thread) {
    const job *w = context;
    ISA(gemm_grid_rect)
    (&w->g, w->m, w->n, w->row_chunks, w->col_chunks, chunk, l4m_pool_scratch(w->pool, thread));
}

// Sums of a few rows with columns [j, j + n); a quantised B is widened a few of its rows at a time.
static void few_rows_sums(const job *w, int64_t j, int64_t n, float *widened) {
    const gemm *g = &w->g;
    if (!l4m_is_quantised(g->b_type)) {
        ISA(gemm_small)(w->x, w->m, g->b, g->ldb, g->trans_b, g->b_type, g->k, j, j + n, g->c + j, g->ldc);
        return;
    }
    for (int64_t q = j; q < j + n; q += WIDENED) {
        int64_t rows = l4m_min(WIDENED, j + n - q);
        for (int64_t r = 0; r < rows; r++)
            ISA(dequantise)(l4m_at(g->b, (q + r) * g->ldb, g->b_type), g->b_type, g->k, widened + r * g->k);
        ISA(gemm_small)(w->x, w->m, widened, g->k, 1, L4M_F32, g->k, 0, rows, g->c + q, g->ldc);
    }
}

// Few rows of C: B is read in place.
static void few_rows_chunk(void *context, int64_t chunk, int thread) {
    const job *w = context;
    const gemm *g = &w->g;
    int64_t tiles = l4m_ceil_div(w->n, 64);
    int64_t j0 = 64 * l4m_chunk_start(tiles, w->col_chunks, chunk);
    int64_t j1 = l4m_min(w->n, 64 * l4m_chunk_start(tiles, w->col_chunks, chunk + 1));
    for (int64_t j = j0; j < j1; j += STRIP) {
        int64_t n = l4m_min(STRIP, j1 - j);
        few_rows_sums(w, j, n, l4m_pool_scratch(w->pool, thread));
        if (!g->bias && !g->residual && !g->activation) continue;
        for (int64_t i = 0; i < w->m; i++) {
            float *c = g->c + i * g->ldc + j;
            ISA(gemm_epilogue)
            (c, NULL, g->bias ? g->bias + j : NULL, g->residual ? g->residual + i * g->ldr + j : NULL,
             g->activation, NULL, n, c);
        }
    }
}

// Few columns of C: the same with the roles exchanged (the transpose of C), A is read in place.
static void few_cols_chunk(void *context, int64_t chunk, int thread) {
    (void)thread;
    const job *w = context;
    const gemm *g = &w->g;
    float sums[GEMM_SMALL_ROWS * STRIP], addend[STRIP], biases[STRIP];
    int64_t tiles = l4m_ceil_div(w->m, 64);
    int64_t i0 = 64 * l4m_chunk_start(tiles, w->row_chunks, chunk);
    int64_t i1 = l4m_min(w->m, 64 * l4m_chunk_start(tiles, w->row_chunks, chunk + 1));
    for (int64_t i = i0; i < i1; i += STRIP) {
        int64_t m = l4m_min(STRIP, i1 - i);
        ISA(gemm_small)(w->x, w->n, g->a, g->lda, !g->trans_a, L4M_F32, g->k, i, i + m, sums, STRIP);
        for (int64_t j = 0; j < w->n; j++) {
            float *s = sums + j * STRIP;
            for (int64_t r = 0; g->residual && r < m; r++) addend[r] = g->residual[(i + r) * g->ldr + j];
            for (int64_t r = 0; g->bias && r < m; r++) biases[r] = g->bias[j];
            ISA(gemm_epilogue)
            (s, NULL, g->bias ? biases : NULL, g->residual ? addend : NULL, g->activation, NULL, m, s);
            for (int64_t r = 0; r < m; r++) g->c[(i + r) * g->ldc + j] = s[r];
        }
    }
}

static void small_path(job *w) {
    const gemm *g = &w->g;
    int few_rows = w->m <= GEMM_SMALL_ROWS;
    int64_t few = few_rows ? w->m : w->n, many = few_rows ? w->n : w->m;
    float *copy = l4m_pool_shared(w->pool);
    for (int64_t i = 0; i < few; i++) {
        w->x[i] = copy + i * g->k;
        if (few_rows && !g->trans_a) w->x[i] = g->a + i * g->lda;
        for (int64_t p = 0; few_rows && g->trans_a && p < g->k; p++) copy[i * g->k + p] = g->a[p * g->lda + i];
        if (!few_rows && l4m_is_quantised(g->b_type)) {
            ISA(dequantise)(l4m_at(g->b, i * g->ldb, g->b_type), g->b_type, g->k, copy + i * g->k);
            continue;
        }
        for (int64_t p = 0; !few_rows && p < g->k; p++)
            copy[i * g->k + p] = l4m_load(g->b, g->trans_b ? i * g->ldb + p : p * g->ldb + i, g->b_type);
    }
    int64_t chunks = l4m_chunks(w->pool, l4m_ceil_div(many, 64), 64.0 * (double)few * (double)g->k);
    w->row_chunks = w->col_chunks = chunks;
    l4m_pool_run(w->pool, chunks, few_rows ? few_rows_chunk : few_cols_chunk, w);
}

static void packed_path(job *w) {
    int64_t tiles = l4m_ceil_div(w->m, 64) * l4m_ceil_div(w->n, 64);
    int64_t wanted = l4m_chunks(w->pool, tiles, (double)(w->m * w->n) / (double)tiles * (double)w->g.k);
    ISA(gemm_grid)(w->m, w->n, 1, wanted, l4m_pool_threads(w->pool), &w->row_chunks, &w->col_chunks);
    l4m_pool_run(w->pool, w->row_chunks * w->col_chunks, packed_chunk, w);
}

int ISA(matmul)(l4m_pool *pool, int32_t trans_a, int32_t trans_b, int64_t m, int64_t n, int64_t k, const float *a,
                int64_t lda, const void *b, int64_t ldb, int32_t b_type, const float *bias, const float *residual,
                int64_t ldr, int32_t activation, float *c, int64_t ldc) {
    if (m == 0 || n == 0) return L4M_OK;
    job w = {.g = {.a = a, .lda = lda, .trans_a = trans_a, .b = b, .ldb = ldb, .trans_b = trans_b, .b_type = b_type,
                   .c = c, .ldc = ldc, .bias = bias, .residual = residual, .ldr = ldr, .activation = activation, .k = k},
             .pool = pool,
             .m = m,
             .n = n};
    int small = l4m_min(m, n) <= GEMM_SMALL_ROWS && residual != c, quantised = l4m_is_quantised(b_type);
    if (quantised && !trans_b) return L4M_BAD_ARGUMENT;
    size_t copied = small ? (size_t)(GEMM_SMALL_ROWS * k) * sizeof(float) : 0;
    size_t scratch = small ? 0 : ISA(gemm_scratch)(m, k);
    if (quantised) scratch += small ? (size_t)(WIDENED * k) * sizeof(float) : ISA(gemm_scratch_quantised)(k);
    int code = l4m_pool_begin(pool, scratch, copied);
    if (code != L4M_OK) return code;
    if (small)
        small_path(&w);
    else
        packed_path(&w);
    l4m_pool_end(pool);
    return L4M_OK;
}

int ISA(gathered_matmul)(l4m_pool *pool, int64_t m, int64_t n, int64_t k, int64_t vocabulary, const float *table,
                         const int32_t *ids, int32_t trans_b, const float *b, const float *bias, int32_t activation,
                         float *c) {
    int code = l4m_check_ids(ids, m, 1, vocabulary);
    if (code != L4M_OK || m == 0 || n == 0) return code;
    job w = {.g = {.a = table, .lda = k, .b = b, .ldb = trans_b ? k : n, .trans_b = trans_b, .b_type = L4M_F32, .c = c,
                   .ldc = n, .bias = bias, .activation = activation, .k = k, .rows_a = ids},
             .pool = pool,
             .m = m,
             .n = n};
    if ((code = l4m_pool_begin(pool, ISA(gemm_scratch)(m, k), 0)) != L4M_OK) return code;
    packed_path(&w);
    l4m_pool_end(pool);
    return L4M_OK;
}

int ISA(panel_bytes)(int64_t n, int64_t k, int32_t type, int64_t *bytes) {
    if (l4m_is_quantised(type)) return L4M_BAD_ARGUMENT;
    *bytes += (int64_t)(sizeof(panel_header) + ISA(gemm_panel_bytes)(n, k, type));
    return L4M_OK;
}

typedef struct {
    gemm g;
    int64_t n;
    void *panels;
} packing;

static void pack_range(const void *context, int64_t begin, int64_t end) {
    const packing *w = context;
    for (int64_t panel = begin; panel < end; panel++) ISA(gemm_pack)(&w->g, w->n, panel, w->panels);
}

int ISA(pack_panels)(l4m_pool *pool, int32_t trans_b, int64_t n, int64_t k, const void *b, int64_t ldb, int32_t type,
                     void *packed) {
    if (l4m_is_quantised(type)) return L4M_BAD_ARGUMENT;
    panel_header *header = packed;
    int64_t width = ISA(gemm_panel_width)();
    *header = (panel_header){.width = (int32_t)width, .type = type, .n = n, .k = k};
    packing w = {.g = {.b = b, .ldb = ldb, .trans_b = trans_b, .b_type = type, .k = k}, .n = n, .panels = header + 1};
    return l4m_ranges(pool, l4m_ceil_div(n, width), 4.0 * (double)(k * width), pack_range, &w);
}

int ISA(matmul_panels)(l4m_pool *pool, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const void *packed,
                       int32_t type, const float *bias, const float *residual, int64_t ldr, int32_t activation,
                       float *c, int64_t ldc) {
    const panel_header *header = packed;
    int64_t width = ISA(gemm_panel_width)();
    if (header->width != width || header->type != type || header->n != n || header->k != k) return L4M_BAD_ARGUMENT;
    if (m == 0 || n == 0) return L4M_OK;
    job w = {.g = {.a = a, .lda = lda, .b_type = type, .c = c, .ldc = ldc, .bias = bias, .residual = residual,
                   .ldr = ldr, .activation = activation, .k = k, .panels = header + 1,
                   .panel_columns = l4m_round_up(n, width)},
             .pool = pool,
             .m = m,
             .n = n};
    int code = l4m_pool_begin(pool, ISA(gemm_scratch)(l4m_min(m, GEMM_PANEL_ROWS), k), 0);
    if (code != L4M_OK) return code;
    int64_t tiles = l4m_ceil_div(m, 64) * l4m_ceil_div(n, 64);
    int64_t wanted = l4m_chunks(pool, tiles, (double)(m * n) / (double)tiles * (double)k);
    ISA(gemm_panel_grid)(m, n, k, wanted, &w.row_chunks, &w.col_chunks);
    l4m_pool_run(pool, w.row_chunks * w.col_chunks, packed_chunk, &w);
    l4m_pool_end(pool);
    return L4M_OK;
}
