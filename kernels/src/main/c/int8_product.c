// Products of 8-bit integers on the pool, whatever their tiles and panels hold.
#include "int8_product.h"

#include "gemm.h"

// Packed rows of A that are multiplied with one panel after the other: they stay in L2.
#define KEPT_BYTES (384 * 1024)

static void quantise_chunk(void *context, int64_t t, int thread) {
    const int8_product *w = context;
    int64_t i = t * w->rows;
    w->quantise(w, w->a + i * w->lda, l4m_min(w->rows, w->m - i), l4m_pool_scratch(w->pool, thread),
                w->packed + t * w->stride);
}

// Tile number t of the rows and columns [j, j + NR) of C.
static void one_tile(const int8_product *w, int64_t t, int64_t j, const void *b) {
    int64_t i = t * w->rows, m = l4m_min(w->rows, w->m - i), n = l4m_min(NR, w->n - j);
    const int32_t *a = w->packed + t * w->stride;
    const float *bias = w->bias ? w->bias + j : NULL;
    float *c = w->c + i * w->ldc + j;
    if (n == NR) {
        int8_addends plus = {bias, w->residual ? w->residual + i * w->ldr + j : NULL, w->ldr};
        w->multiply[m](w->k, a, b, c, w->ldc, &plus);
        for (int64_t r = 0; w->activation && r < m; r++)
            ISA(gemm_epilogue)(c + r * w->ldc, NULL, NULL, NULL, w->activation, NULL, NR, c + r * w->ldc);
        return;
    }
    static const int8_addends none = {NULL, NULL, 0};
    float tile[INT8_MOST_ROWS * NR];
    w->multiply[m](w->k, a, b, tile, NR, &none);
    for (int64_t r = 0; r < m; r++)
        ISA(gemm_epilogue)
        (tile + r * NR, NULL, bias, w->residual ? w->residual + (i + r) * w->ldr + j : NULL, w->activation, NULL, n,
         c + r * w->ldc);
}

static void product_chunk(void *context, int64_t chunk, int thread) {
    (void)thread;
    const int8_product *w = context;
    int64_t r = chunk / w->col_chunks, c = chunk % w->col_chunks, panels = l4m_ceil_div(w->n, NR);
    int64_t last = l4m_chunk_start(w->tiles, w->row_chunks, r + 1);
    int64_t step = l4m_max(1, KEPT_BYTES / (w->stride * 4));
    if (w->begin) w->begin(w);
    for (int64_t t0 = l4m_chunk_start(w->tiles, w->row_chunks, r); t0 < last; t0 += step)
        for (int64_t q = l4m_chunk_start(panels, w->col_chunks, c); q < l4m_chunk_start(panels, w->col_chunks, c + 1); q++)
            for (int64_t t = t0; t < l4m_min(t0 + step, last); t++)
                one_tile(w, t, q * NR, w->panels + q * w->panel_bytes);
    if (w->end) w->end();
}

// Columns are cut first: tiles of A are read from L2 again and again as it is, but a panel only once. As many
// rectangles as wanted, which is the same number for each thread, the larger ones first.
static void cut(int8_product *w) {
    int64_t panels = l4m_ceil_div(w->n, NR);
    int64_t wanted = l4m_chunks(w->pool, w->tiles * panels, (double)(w->rows * NR) * (double)w->k / 4);
    w->col_chunks = l4m_min(panels, wanted);
    w->row_chunks = l4m_min(w->tiles, l4m_ceil_div(wanted, w->col_chunks));
}

int ISA(int8_run)(int8_product *w, size_t scratch) {
    w->tiles = l4m_ceil_div(w->m, w->rows);
    int code = l4m_pool_begin(w->pool, scratch, (size_t)(w->tiles * w->stride) * 4);
    if (code != L4M_OK) return code;
    w->packed = l4m_pool_shared(w->pool);
    cut(w);
    l4m_pool_run(w->pool, w->tiles, quantise_chunk, w);
    l4m_pool_run(w->pool, w->row_chunks * w->col_chunks, product_chunk, w);
    l4m_pool_end(w->pool);
    return L4M_OK;
}
