// For gemm.c, products with a matrix of one panel: packing the other would cost a fifth of the product, so it is read
// where it lies, each cache line once or twice. Rows that are looked up in a table are read out of the table.
#ifndef L4M_GEMM_IN_PLACE_H
#define L4M_GEMM_IN_PLACE_H

#include "gemm_pack.h"

// Rows of a tile: with NV vectors each, enough sums to hide the latency of an FMA, and no more rows than ways of an L1
// cache, since rows that lie powers of two apart share its sets.
#if VL == 16
#define ROWS 8
#elif VL == 8
#define ROWS 6
#else
#define ROWS 4
#endif
// Floats of a cache line.
#define LINE 16

// sums[ROWS, NR] (+)= a tile's.
INLINE void keep_sums(const int vectors, vf acc[ROWS][NV], int adds, float *sums) {
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            float *to = sums + i * NR + v * VL;
            if (adds) acc[i][v] = vload(to) + acc[i][v];
            vstore(to, acc[i][v]);
        }
}

// sums[ROWS, NR] (+)= rows[p0, p0 + kc) b[kc, NR]; the same columns of the next rows are asked for.
INLINE void rows_body(const int vectors, const float *const *rows, const float *const *next, int64_t p0, int64_t kc,
                      const float *restrict b, int adds, float *sums) {
    vf acc[ROWS][NV];
    const float *row[ROWS];
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++) {
        row[i] = rows[i] + p0;
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) acc[i][v] = vzero();
    }
    for (int64_t p = 0; p < kc; p += LINE) {
        for (int i = 0; i < ROWS; i++) __builtin_prefetch(next[i] + p0 + p, 0, 2);
        int64_t end = l4m_min(p + LINE, kc);
        for (int64_t q = p; q < end; q++, b += NR) {
            vf bv[NV];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) bv[v] = vload(b + v * VL);
#pragma GCC unroll 8
            for (int i = 0; i < ROWS; i++) {
                vf av = vset1(row[i][q]);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) acc[i][v] = vfma(av, bv[v], acc[i][v]);
            }
        }
    }
    keep_sums(vectors, acc, adds, sums);
}

static void wide_rows(const float *const *rows, const float *const *next, int64_t p0, int64_t kc, const float *b,
                      int adds, float *sums) {
    rows_body(NV, rows, next, p0, kc, b, adds, sums);
}

static void thin_rows(const float *const *rows, const float *const *next, int64_t p0, int64_t kc, const float *b,
                      int adds, float *sums) {
    rows_body(1, rows, next, p0, kc, b, adds, sums);
}

// The rows of A from i on; past the last one, that one again.
static void find_rows(const gemm *g, int64_t i, int64_t end, const float **rows) {
    for (int64_t r = 0; r < ROWS; r++) {
        int64_t at = l4m_min(i + r, end - 1);
        rows[r] = g->a + (g->rows_a ? g->rows_a[at] : at) * g->lda;
    }
}

// Columns [j0, j0 + n) of C, n <= NR. Inner blocks of `step` > 0; B is kept packed in `kept` floats at most.
static void rows_in_place(const gemm *g, int64_t i0, int64_t i1, int64_t j0, int64_t n, int64_t step, int64_t kept,
                          float *scratch) {
    float *sums = scratch, *b = sums + ROWS * NR;
    // As much of B as is kept packed, in whole inner blocks.
    int64_t strip = l4m_max(step, kept / NR / step * step);
    int onto_c = g->residual == g->c;
    for (int64_t s0 = 0; s0 == 0 || s0 < g->k; s0 += strip) {
        int64_t s1 = l4m_min(s0 + strip, g->k);
        int last = s1 == g->k, adds = s0 > 0 || onto_c;
        pack_b(g, j0, n, s0, s1 - s0, NULL, b);
        const float *rows[ROWS], *next[ROWS];
        find_rows(g, i0, i1, next);
        for (int64_t i = i0; i < i1; i += ROWS) {
            memcpy(rows, next, sizeof rows);
            find_rows(g, l4m_min(i + ROWS, i1 - 1), i1, next);
            int64_t m = l4m_min(ROWS, i1 - i);
            // What C holds comes first, as in packed products: the same sums in the same order.
            for (int64_t r = 0; adds && r < m; r++) {
                const float *from = g->c + (g->rows_c ? g->rows_c[i + r] : i + r) * g->ldc + j0;
                for (int64_t j = 0; j < n; j += VL) vstore(sums + r * NR + j, vload_n(from + j, l4m_min(VL, n - j)));
            }
            for (int64_t p = s0; p == s0 || p < s1; p += step) {
                int64_t kc = l4m_min(step, s1 - p);
                (n <= VL ? thin_rows : wide_rows)(rows, next, p, kc, b + (p - s0) * NR, adds || p > s0, sums);
            }
            for (int64_t r = 0; r < m; r++) {
                int64_t row = g->rows_c ? g->rows_c[i + r] : i + r;
                ISA(gemm_epilogue)
                (sums + r * NR, NULL, last && g->bias ? g->bias + j0 : NULL,
                 last && g->residual && !onto_c ? g->residual + row * g->ldr + j0 : NULL,
                 last ? g->activation : L4M_ACT_NONE, last && g->gate ? g->gate + row * g->ldc + j0 : NULL, n,
                 g->c + row * g->ldc + j0);
            }
        }
    }
}

// Columns of X whose sums are kept at a time, and rows of X and Y: 16 KiB of Y stay in L1, 128 of X in L2.
#define STRIP 256
#define DEPTH 128

// Two tiles are side by side: the first keeps the second's part of X, since rows that lie powers of two apart would be
// out of L1 by then.
#define PAIR (2 * ROWS)

// Rows of X, and where the next that are needed begin; NULL where none are.
typedef struct {
    const float *const *rows, *const *ahead;
    int64_t at, ahead_at, kc;
    // Sums begun by the rows before, or NULL.
    const float *begun;
} columns_tile;

// sums[ROWS, NR] (+)= X[kc, ROWS]^T y[kc, NR]
INLINE void columns_body(const int vectors, const int first, const columns_tile *t, const float *restrict y,
                         int64_t ldy, int adds, float *restrict second, float *sums) {
    vf acc[ROWS][NV];
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) acc[i][v] = t->begun ? vload(t->begun + i * NR + v * VL) : vzero();
    for (int64_t p = 0; p < t->kc; p++, y += ldy) {
        const float *x = t->rows[p] + t->at;
        vf yv[NV];
        if (first) {
            __builtin_prefetch(t->ahead[p] + t->ahead_at, 0, 2);
            memcpy(second + p * ROWS, x + ROWS, ROWS * sizeof *x);
        }
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) yv[v] = vload(y + v * VL);
#pragma GCC unroll 8
        for (int i = 0; i < ROWS; i++) {
            vf xv = vset1(x[i]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[i][v] = vfma(xv, yv[v], acc[i][v]);
        }
    }
    keep_sums(vectors, acc, adds, sums);
}

#define COLUMNS(name, vectors, first)                                                                         \
    static void name(const columns_tile *t, const float *y, int64_t ldy, int adds, float *second, float *sums) { \
        columns_body(vectors, first, t, y, ldy, adds, second, sums);                                           \
    }
COLUMNS(wide_first, NV, 1)
COLUMNS(wide_second, NV, 0)
COLUMNS(thin_first, 1, 1)
COLUMNS(thin_second, 1, 0)

// C = X^T Y, or its transpose, for columns [i0, i1) of X and n <= NR of Y from j0 on.
typedef struct {
    const float *x, *y;
    int64_t ldx, ldy;
    const int32_t *inner_x, *inner_y;
    int64_t i0, i1, j0, n;
    int transposed;
} columns_job;

static void find_columns(const columns_job *w, int64_t p0, int64_t kc, const float **rows) {
    for (int64_t p = 0; p < kc; p++) rows[p] = w->x + (w->inner_x ? w->inner_x[p0 + p] : p0 + p) * w->ldx;
}

static void store_columns(const columns_job *w, const float *sums, int64_t i0, int64_t count, float *c, int64_t ldc) {
    if (!w->transposed) {
        for (int64_t i = 0; i < count; i++)
            for (int64_t j = 0; j < w->n; j += VL) {
                float *to = c + (i0 + i) * ldc + w->j0 + j;
                vstore_n(to, vload(sums + i * NR + j), l4m_min(VL, w->n - j));
            }
        return;
    }
    for (int64_t i = 0; i < count; i += VL)
        for (int64_t j = 0; j < w->n; j += VL) {
            vf r[VL];
            for (int q = 0; q < VL; q++) r[q] = vload(sums + (i + q) * NR + j);
            vtranspose(r);
            for (int64_t q = 0; q < l4m_min(VL, w->n - j); q++)
                vstore_n(c + (w->j0 + j + q) * ldc + i0 + i, r[q], l4m_min(VL, count - i));
        }
}

// The sums of Y's columns, in the order in which gemm_pack.h adds up.
static void sum_columns(const columns_job *w, int64_t k, int64_t step, float *dst) {
    for (int64_t p0 = 0; p0 == 0 || p0 < k; p0 += step) {
        int64_t kc = l4m_min(step, k - p0);
        for (int64_t j = 0; j < w->n; j += VL) {
            int64_t count = l4m_min(VL, w->n - j);
            vf sum[4] = {p0 > 0 ? vload_n(dst + j, count) : vzero(), vzero(), vzero(), vzero()};
            for (int64_t p = 0; p < kc; p++) {
                const float *y = w->y + (w->inner_y ? w->inner_y[p0 + p] : p0 + p) * w->ldy + w->j0 + j;
                sum[p < kc / 4 * 4 ? p % 4 : 0] += vload_n(y, count);
            }
            vstore_n(dst + j, (sum[0] + sum[1]) + (sum[2] + sum[3]), count);
        }
    }
}

// Inner blocks of `step` > 0: their sums are added as those of packed products are. column_sums, unless NULL: the sums
// of Y's columns.
static void columns_in_place(const columns_job *w, int64_t k, int64_t step, float *c, int64_t ldc, float *column_sums,
                             float *scratch) {
    float *sums = scratch, *begun = sums + (STRIP + VL) * NR, *panel = begun + (STRIP + VL) * NR;
    float *second = panel + DEPTH * NR, *tail = second + DEPTH * ROWS;
    const float *rows[2][DEPTH], *seconds[DEPTH], *tails[DEPTH];
    int direct = w->n == NR && !w->inner_y, now = 0;
    int64_t ldy = direct ? w->ldy : NR;
    if (column_sums) sum_columns(w, k, step, column_sums);
    for (int64_t p = 0; p < DEPTH; p++) seconds[p] = second + p * ROWS, tails[p] = tail + p * PAIR;
    find_columns(w, 0, l4m_min(l4m_min(DEPTH, step), k), rows[0]);
    for (int64_t i = w->i0; i < w->i1; i += STRIP) {
        int64_t count = l4m_min(STRIP, w->i1 - i);
        for (int64_t p0 = 0, kc = 0; p0 == 0 || p0 < k; p0 += l4m_max(1, kc), now = !now) {
            // Rows up to the end of the inner block, and those after them.
            int64_t in_block = p0 % step, left = l4m_min(step - in_block, k - p0);
            kc = l4m_min(DEPTH, left);
            int64_t after = p0 + kc < k ? p0 + kc : 0;
            int64_t kc_after = l4m_min(l4m_min(DEPTH, step - after % step), k - after);
            find_columns(w, after, kc_after, rows[!now]);
            const float *y = w->y + p0 * w->ldy + w->j0;
            if (!direct) {
                pack_straight(w->y, w->ldy, w->inner_y, w->j0, w->n, p0, kc, L4M_F32, panel, NR);
                y = panel;
            }
            int ends = kc == left;
            for (int64_t q = 0; q < count; q += PAIR) {
                float *to = (ends ? sums : begun) + q * NR;
                columns_tile a = {rows[now], rows[now], i + q, l4m_min(i + q + PAIR, w->i1 - 1), kc,
                                  in_block ? begun + q * NR : NULL};
                // The last pair asks for what is next: other rows, or other columns.
                if (q + PAIR >= count && kc_after >= kc) {
                    a.ahead = rows[!now];
                    a.ahead_at = after ? i : l4m_min(i + STRIP, w->i1 - 1);
                }
                if (q + PAIR > count) {
                    for (int64_t p = 0; p < kc; p++)
                        for (int64_t r = 0; r < PAIR; r++)
                            tail[p * PAIR + r] = q + r < count ? rows[now][p][i + q + r] : 0.0f;
                    a.rows = tails;
                    a.at = 0;
                }
                columns_tile b = {seconds, NULL, 0, 0, kc, in_block ? a.begun + ROWS * NR : NULL};
                int adds = ends && p0 >= step;
                (w->n <= VL ? thin_first : wide_first)(&a, y, ldy, adds, second, to);
                (w->n <= VL ? thin_second : wide_second)(&b, y, ldy, adds, second, to + ROWS * NR);
            }
        }
        store_columns(w, sums, i, count, c, ldc);
    }
}

#endif
