// Products with one matrix per group of rows: scenario towers (few large groups), meta layers generated
// per user (thousands of groups of a row or two, which run at the speed of memory).
#include "gemm.h"
#include "indices.h"
#include "kernels.h"
#include "rows.h"

#define STRIP 256
// Up to this many rows a weight gradient is a sum of outer products, written once.
#define OUTER_ROWS 4

// A piece of work: groups [g0, g1) whole, or when grid_rows > 0 rectangle `part` of group g0's grid.
typedef struct {
    int64_t g0, g1, grid_rows, grid_cols, part;
} piece;

typedef struct {
    l4m_pool *pool;
    int64_t rows, n, k, groups;
    const float *x, *w, *bias;
    const int32_t *order, *offsets;
    int32_t trans_w, activation;
    float *y;
    piece *pieces;
} job;

// Writes pieces of similar cost to `out` (only counts them if it is NULL). A group of more than `small`
// rows is cut into rectangles of its m x n result; weights: m is k, else the group's rows.
static int64_t cut(const job *w, int64_t small, int weights, piece *out) {
    double per_row = (double)w->n * (double)w->k;
    double total = (double)(w->rows + w->groups) * per_row;
    int64_t wanted = l4m_chunks(w->pool, INT32_MAX, total / INT32_MAX);
    double share = total / (double)l4m_max(wanted, 1), held = 0;
    int64_t start = 0, count = 0;
    for (int64_t g = 0; g < w->groups; g++) {
        int64_t r = w->offsets[g + 1] - w->offsets[g];
        double cost = (double)(r + 1) * per_row;
        if (r > small && cost > share && wanted > 1) {
            if (g > start && out) out[count] = (piece){start, g, 0, 0, 0};
            count += g > start;
            int64_t grid_rows, grid_cols;
            int64_t threads = l4m_max(1, (int64_t)(cost / total * l4m_pool_threads(w->pool) + 0.5));
            ISA(gemm_grid)(weights ? w->k : r, w->n, 1, (int64_t)(cost / share) + 1, threads, &grid_rows, &grid_cols);
            for (int64_t p = 0; p < grid_rows * grid_cols; p++, count++)
                if (out) out[count] = (piece){g, g + 1, grid_rows, grid_cols, p};
        } else {
            held += cost;
            if (held < share && g + 1 < w->groups) continue;
            if (out) out[count] = (piece){start, g + 1, 0, 0, 0};
            count++;
        }
        start = g + 1;
        held = 0;
    }
    return count;
}

// Rows in batches of GEMM_SMALL_ROWS through the unpacked path. `big` is [n, k] (by_row) or [k, n].
static void row_batches(const job *w, int64_t g, int64_t i0, int64_t i1, const float *big, int by_row) {
    float sums[GEMM_SMALL_ROWS * STRIP];
    const float *x[GEMM_SMALL_ROWS];
    for (int64_t i = i0; i < i1; i += GEMM_SMALL_ROWS) {
        int64_t m = l4m_min(GEMM_SMALL_ROWS, i1 - i);
        for (int64_t r = 0; r < m; r++) x[r] = w->x + w->order[i + r] * w->k;
        for (int64_t j = 0; j < w->n; j += STRIP) {
            int64_t n = l4m_min(STRIP, w->n - j);
            ISA(gemm_small)(x, m, big, by_row ? w->k : w->n, by_row, L4M_F32, w->k, j, j + n, sums, STRIP);
            for (int64_t r = 0; r < m; r++)
                ISA(gemm_epilogue)
                (sums + r * STRIP, NULL, w->bias ? w->bias + g * w->n + j : NULL, NULL, w->activation, NULL, n,
                 w->y + w->order[i + r] * w->n + j);
        }
    }
}

static int consecutive(const int32_t *rows, int64_t count) {
    for (int64_t i = 1; i < count; i++)
        if (rows[i] != rows[0] + i) return 0;
    return 1;
}

static void matmul_piece(void *context, int64_t chunk, int thread) {
    const job *w = context;
    const piece *p = w->pieces + chunk;
    void *scratch = l4m_pool_scratch(w->pool, thread);
    for (int64_t g = p->g0; g < p->g1; g++) {
        int64_t i0 = w->offsets[g], rows = w->offsets[g + 1] - i0;
        const float *matrix = w->w + g * w->k * w->n;
        if (w->n <= GEMM_SMALL_ROWS && rows > GEMM_SMALL_ROWS) {
            // Few columns: dot products with the transposed matrix.
            float *copy = scratch;
            for (int64_t j = 0; !w->trans_w && j < w->n; j++)
                for (int64_t q = 0; q < w->k; q++) copy[j * w->k + q] = matrix[q * w->n + j];
            int64_t parts = l4m_max(1, p->grid_rows * p->grid_cols);
            row_batches(w, g, i0 + l4m_chunk_start(rows, parts, p->part),
                        i0 + l4m_chunk_start(rows, parts, p->part + 1), w->trans_w ? matrix : copy, 1);
        } else if (rows <= GEMM_SMALL_ROWS) {
            row_batches(w, g, i0, i0 + rows, matrix, w->trans_w);
        } else {
            // Rows that lie side by side need no map.
            const int32_t *map = consecutive(w->order + i0, rows) ? NULL : w->order + i0;
            int64_t first = map ? 0 : w->order[i0];
            gemm product = {.a = w->x + first * w->k,
                            .lda = w->k,
                            .b = matrix,
                            .ldb = w->trans_w ? w->k : w->n,
                            .trans_b = w->trans_w,
                            .c = w->y + first * w->n,
                            .ldc = w->n,
                            .bias = w->bias ? w->bias + g * w->n : NULL,
                            .activation = w->activation,
                            .k = w->k,
                            .rows_a = map,
                            .rows_c = map};
            ISA(gemm_grid_rect)
            (&product, rows, w->n, l4m_max(1, p->grid_rows), l4m_max(1, p->grid_cols), p->part, scratch);
        }
    }
}

static int run_pieces(job *w, int64_t small, int weights, size_t scratch, l4m_task task) {
    int64_t pieces = cut(w, small, weights, NULL);
    int code = l4m_pool_begin(w->pool, scratch, (size_t)pieces * sizeof(piece));
    if (code != L4M_OK) return code;
    w->pieces = l4m_pool_shared(w->pool);
    cut(w, small, weights, w->pieces);
    l4m_pool_run(w->pool, pieces, task, w);
    l4m_pool_end(w->pool);
    return L4M_OK;
}

int ISA(grouped_matmul)(l4m_pool *pool, int64_t rows, int64_t n, int64_t k, int64_t groups, const float *x,
                        const float *w, int32_t trans_w, const int32_t *order, const int32_t *offsets,
                        const float *bias, int32_t activation, float *y) {
    int code = l4m_check_groups(rows, groups, order, offsets);
    if (code != L4M_OK || rows == 0 || n == 0) return code;
    job j = {.pool = pool,
             .rows = rows,
             .n = n,
             .k = k,
             .groups = groups,
             .x = x,
             .w = w,
             .bias = bias,
             .order = order,
             .offsets = offsets,
             .trans_w = trans_w,
             .activation = activation,
             .y = y};
    size_t scratch = ISA(gemm_scratch)(rows, k), copy = (size_t)(GEMM_SMALL_ROWS * k) * sizeof(float);
    return run_pieces(&j, GEMM_SMALL_ROWS, 0, scratch > copy ? scratch : copy, matmul_piece);
}

// out[m, n] = sum over the rows of a^T b.
static void outer(const float *a, int64_t m, const float *b, int64_t n, const int32_t *map, int64_t rows,
                  float *out) {
    for (int64_t i = 0; i < m; i++, out += n) {
        for (int64_t j = 0; j < n; j += VL) {
            int64_t t = l4m_min(VL, n - j);
            vf sum = vzero();
            for (int64_t r = 0; r < rows; r++)
                sum = vfma(vset1(a[map[r] * m + i]), vload_any(b + map[r] * n + j, t, L4M_F32), sum);
            if (t == VL)
                vstore(out + j, sum);
            else
                vstore_n(out + j, sum, t);
        }
    }
}

static void weights_piece(void *context, int64_t chunk, int thread) {
    const job *w = context;
    const piece *p = w->pieces + chunk;
    for (int64_t g = p->g0; g < p->g1; g++) {
        int64_t i0 = w->offsets[g], rows = w->offsets[g + 1] - i0;
        const int32_t *map = w->order + i0;
        float *out = w->y + g * w->k * w->n;
        if (rows <= OUTER_ROWS) {
            outer(w->x, w->k, w->w, w->n, map, rows, out);
            continue;
        }
        gemm product = {.a = w->x,
                        .lda = w->k,
                        .trans_a = 1,
                        .b = w->w,
                        .ldb = w->n,
                        .c = out,
                        .ldc = w->n,
                        .k = rows,
                        .inner_a = map,
                        .inner_b = map};
        ISA(gemm_grid_rect)
        (&product, w->k, w->n, l4m_max(1, p->grid_rows), l4m_max(1, p->grid_cols), p->part,
         l4m_pool_scratch(w->pool, thread));
    }
}

int ISA(grouped_weight_gradient)(l4m_pool *pool, int64_t rows, int64_t n, int64_t k, int64_t groups,
                                 const float *x, const float *dy, const int32_t *order, const int32_t *offsets,
                                 int32_t trans_w, float *dw) {
    int code = l4m_check_groups(rows, groups, order, offsets);
    if (code != L4M_OK || n == 0 || k == 0) return code;
    // The transposed result is dy^T x; a single column is the same memory either way, better as a row.
    int swap = trans_w ? k != 1 : n == 1;
    job j = {.pool = pool,
             .rows = rows,
             .n = swap ? k : n,
             .k = swap ? n : k,
             .groups = groups,
             .x = swap ? dy : x,
             .w = swap ? x : dy,
             .order = order,
             .offsets = offsets,
             .y = dw};
    return run_pieces(&j, OUTER_ROWS, 1, ISA(gemm_scratch)(j.k, rows), weights_piece);
}

typedef struct {
    const float *x;
    const int32_t *order, *offsets;
    int64_t width, blocks;
    int32_t mean;
    float *out;
} sum_job;

#define SUM_COLS 64

// One item is 64 columns of one group.
static void sum_range(const void *context, int64_t begin, int64_t end) {
    const sum_job *w = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t g = item / w->blocks, from = item % w->blocks * SUM_COLS;
        int64_t i0 = w->offsets[g], i1 = w->offsets[g + 1];
        vf factor = vset1(w->mean && i1 > i0 ? 1.0f / (float)(i1 - i0) : 1.0f);
        for (int64_t j = from; j < l4m_min(w->width, from + SUM_COLS); j += VL) {
            int64_t n = l4m_min(VL, w->width - j);
            vf sum = vzero();
            for (int64_t i = i0; i < i1; i++) sum += vload_any(w->x + w->order[i] * w->width + j, n, L4M_F32);
            if (n == VL)
                vstore(w->out + g * w->width + j, sum * factor);
            else
                vstore_n(w->out + g * w->width + j, sum * factor, n);
        }
    }
}

int ISA(grouped_sum)(l4m_pool *pool, int64_t rows, int64_t width, int64_t groups, const float *x,
                     const int32_t *order, const int32_t *offsets, int32_t mean, float *out) {
    int code = l4m_check_groups(rows, groups, order, offsets);
    if (code != L4M_OK || width == 0) return code;
    sum_job w = {x, order, offsets, width, l4m_ceil_div(width, SUM_COLS), mean, out};
    double cost = (double)(rows + groups) / (double)l4m_max(1, groups) * SUM_COLS / 2;
    return l4m_ranges(pool, groups * w.blocks, cost, sum_range, &w);
}
