// Products of blocks of columns with a matrix each, side by side in memory: the experts' layers. All their
// rectangles are one job, so that threads meet once.
#include "gemm.h"
#include "indices.h"
#include "kernels.h"

// groups products of m x n x k; the g-th begins step_* further on.
typedef struct {
    gemm g;
    l4m_pool *pool;
    int64_t m, n;
    int64_t step_a, step_b, step_c, step_bias, step_sums;
    int64_t row_chunks, col_chunks;
} job;

static void chunk(void *context, int64_t item, int thread) {
    const job *w = context;
    int64_t parts = w->row_chunks * w->col_chunks, i = item / parts;
    gemm g = w->g;
    g.a += i * w->step_a;
    g.b = (const float *)g.b + i * w->step_b;
    g.c += i * w->step_c;
    if (g.bias) g.bias += i * w->step_bias;
    if (g.gate) g.gate += i * w->step_c;
    if (g.sums) g.sums += i * w->step_sums;
    ISA(gemm_grid_rect)
    (&g, w->m, w->n, w->row_chunks, w->col_chunks, item % parts, l4m_pool_scratch(w->pool, thread));
}

static int run(job *w, int64_t groups) {
    int code = l4m_pool_begin(w->pool, ISA(gemm_scratch)(w->m, w->g.k), 0);
    if (code != L4M_OK) return code;
    int64_t tiles = l4m_ceil_div(w->m, 64) * l4m_ceil_div(w->n, 64) * groups;
    double cost = (double)(w->m * w->n * groups) / (double)tiles * (double)w->g.k;
    int64_t wanted = l4m_chunks(w->pool, tiles, cost), threads = l4m_pool_threads(w->pool);
    ISA(gemm_grid)(w->m, w->n, groups, wanted, threads, &w->row_chunks, &w->col_chunks);
    l4m_pool_run(w->pool, groups * w->row_chunks * w->col_chunks, chunk, w);
    l4m_pool_end(w->pool);
    return L4M_OK;
}

static int few(int64_t m, int64_t n) { return l4m_min(m, n) <= GEMM_SMALL_ROWS; }

int ISA(block_matmul)(l4m_pool *pool, int64_t rows, int64_t n, int64_t k, int64_t groups, const float *x,
                      const float *w, int32_t trans_w, const float *bias, int32_t activation, const float *gate,
                      float *y) {
    if (rows == 0 || n == 0 || groups == 0) return L4M_OK;
    int64_t ldx = groups * k, ldw = trans_w ? k : n, ldy = groups * n;
    if (few(rows, n)) {
        for (int64_t g = 0; g < groups; g++) {
            int code = ISA(matmul)(pool, 0, trans_w, rows, n, k, x + g * k, ldx, w + g * k * n, ldw, L4M_F32,
                                   bias ? bias + g * n : NULL, NULL, n, activation, y + g * n, ldy);
            if (code != L4M_OK) return code;
        }
        return gate ? ISA(unary_gradient)(pool, L4M_ACT_RELU, rows * ldy, gate, y, y) : L4M_OK;
    }
    job j = {.g = {.a = x, .lda = ldx, .b = w, .ldb = ldw, .trans_b = trans_w, .c = y, .ldc = ldy, .bias = bias,
                   .activation = activation, .gate = gate, .k = k},
             .pool = pool,
             .m = rows,
             .n = n,
             .step_a = k,
             .step_b = k * n,
             .step_c = n,
             .step_bias = n};
    return run(&j, groups);
}

static int sum_rows(l4m_pool *pool, int64_t rows, int64_t width, const float *x, float *sums) {
    int64_t in[4] = {1, 1, rows, width}, out[4] = {1, 1, 1, width};
    return ISA(sum_to)(pool, in, x, out, sums);
}

int ISA(block_weight_gradient)(l4m_pool *pool, int64_t rows, int64_t n, int64_t k, int64_t groups, const float *x,
                               const float *dy, int32_t trans_w, float *dw, float *db) {
    if (db && !trans_w) return L4M_BAD_ARGUMENT;
    if (n == 0 || groups == 0) return L4M_OK;
    // The transposed result is dy^T x.
    int64_t m = trans_w ? n : k, width = trans_w ? k : n;
    const float *a = trans_w ? dy : x, *b = trans_w ? x : dy;
    if (few(m, width)) {
        for (int64_t g = 0; g < groups; g++) {
            int code = ISA(matmul)(pool, 1, 0, m, width, rows, a + g * m, groups * m, b + g * width, groups * width,
                                   L4M_F32, NULL, NULL, width, L4M_ACT_NONE, dw + g * k * n, width);
            if (code != L4M_OK) return code;
        }
        return db ? sum_rows(pool, rows, groups * n, dy, db) : L4M_OK;
    }
    job j = {.g = {.a = a, .lda = groups * m, .trans_a = 1, .b = b, .ldb = groups * width, .c = dw, .ldc = width,
                   .sums = db, .k = rows},
             .pool = pool,
             .m = m,
             .n = width,
             .step_a = m,
             .step_b = width,
             .step_c = n * k,
             .step_sums = m};
    return run(&j, groups);
}

int ISA(gathered_weight_gradient)(l4m_pool *pool, int64_t rows, int64_t n, int64_t k, int64_t vocabulary,
                                  const float *table, const int32_t *ids, const float *dy, int32_t trans_w, float *dw,
                                  float *db) {
    int code = l4m_check_ids(ids, rows, 1, vocabulary);
    if (code != L4M_OK) return code;
    if (db && !trans_w) return L4M_BAD_ARGUMENT;
    if (n == 0) return L4M_OK;
    if (k == 0) return db ? sum_rows(pool, rows, n, dy, db) : L4M_OK;
    job j = {.g = {.a = trans_w ? dy : table, .lda = trans_w ? n : k, .trans_a = 1, .b = trans_w ? table : dy,
                   .ldb = trans_w ? k : n, .c = dw, .ldc = trans_w ? k : n, .sums = db, .k = rows,
                   .inner_a = trans_w ? NULL : ids, .inner_b = trans_w ? ids : NULL},
             .pool = pool,
             .m = trans_w ? n : k,
             .n = trans_w ? k : n};
    return run(&j, 1);
}
