// Layers on rows of a scoring program: tiles of a few vectors of items by a few columns; see score.h.
#include "kernels.h"
#include "vmath.h"

#include "score.h"

// Output columns of a tile: 3 vectors of items x 8 columns use 27 of 32 registers, x 4 columns 16 of 16.
#if VL == 16
#define TILE 8
#else
#define TILE 4
#endif
#define VECTORS 3

INLINE void tile_begin(const int nv, const int to, const score_tile *t, vf acc[TILE][VECTORS]) {
#pragma GCC unroll 8
    for (int j = 0; j < to; j++) {
        vf start = vset1(t->bias != NULL && j < t->n ? t->bias[j] : 0.0f);
#pragma GCC unroll 3
        for (int v = 0; v < nv; v++)
            acc[j][v] = t->add && j < t->n ? (vf)(start + vload(t->dst + j * SCORE_LANES + v * VL)) : start;
    }
}

INLINE void tile_end(const int nv, const int to, const score_tile *t, vf acc[TILE][VECTORS]) {
#pragma GCC unroll 8
    for (int j = 0; j < to; j++) {
        if (j >= t->n) break;
#pragma GCC unroll 3
        for (int v = 0; v < nv; v++)
            vstore(t->dst + j * SCORE_LANES + v * VL, vactivate(acc[j][v], t->activation));
    }
}

// `to` columns of `nv` vectors of items: everything stays in registers over the whole inner dimension.
INLINE void float_tile(const int nv, const int to, const score_tile *t, const float *x, const float *w, int64_t k,
                       int64_t step) {
    vf acc[TILE][VECTORS];
    tile_begin(nv, to, t, acc);
    for (int64_t p = 0; p < k; p++, x += SCORE_LANES, w += step) {
        vf xv[VECTORS];
#pragma GCC unroll 3
        for (int v = 0; v < nv; v++) xv[v] = vload(x + v * VL);
#pragma GCC unroll 8
        for (int j = 0; j < to; j++) {
            vf wj = vset1(w[j]);
#pragma GCC unroll 3
            for (int v = 0; v < nv; v++) acc[j][v] = vfma(wj, xv[v], acc[j][v]);
        }
    }
    tile_end(nv, to, t, acc);
}

// The same of pairs of BF16: two rows of the matrix at a time.
INLINE void pair_tile(const int nv, const int to, const score_tile *t, const uint32_t *x, const uint16_t *w,
                      int64_t pairs, int64_t step) {
    vf acc[TILE][VECTORS];
    tile_begin(nv, to, t, acc);
    for (int64_t p = 0; p < pairs; p++, x += SCORE_LANES, w += step) {
        vpairs xv[VECTORS];
#pragma GCC unroll 3
        for (int v = 0; v < nv; v++) xv[v] = vpairs_load(x + v * VL);
#pragma GCC unroll 8
        for (int j = 0; j < to; j++) {
            vpairs wj = vpairs_set1(w + 2 * j);
#pragma GCC unroll 3
            for (int v = 0; v < nv; v++) acc[j][v] = vdot_pairs(wj, xv[v], acc[j][v]);
        }
    }
    tile_end(nv, to, t, acc);
}

// One tile of `half` BF16 or F32; x and w as its kind of tile reads them, k its steps.
INLINE void linear_tile(const int half, const int nv, const score_tile *t, const void *x, const void *w, int64_t k,
                        int64_t step) {
    if (half && t->n == 1)
        pair_tile(nv, 1, t, x, w, k, step);
    else if (half)
        pair_tile(nv, TILE, t, x, w, k, step);
    else if (t->n == 1)
        float_tile(nv, 1, t, x, w, k, step);
    else
        float_tile(nv, TILE, t, x, w, k, step);
}

// All columns of a layer, `steps` rows or pairs of rows of its matrix from w on, x the columns that go with them.
INLINE void linear_tiles(const int half, const score_memory *m, const score_instruction *s, const uint32_t *x,
                         const void *w, int64_t steps, int first, int last, int64_t vectors) {
    const float *bias = first ? score_at(m, s->c) : NULL;
    int32_t type = half ? L4M_BF16 : L4M_F32;
    for (int64_t j = 0; j < s->n; j += TILE) {
        score_ask(m->ahead, score_tile_work(steps));
        const void *panel = l4m_at(w, j / SCORE_PANEL * s->panel_stride + j % SCORE_PANEL * (half ? 2 : 1), type);
        score_tile t = {.bias = bias ? bias + j : NULL,
                         .n = l4m_min(TILE, s->n - j),
                         .add = !first || (s->flags & SCORE_ACCUMULATE) != 0,
                         .activation = last ? (int32_t)s->kind : L4M_ACT_NONE};
        for (int64_t v = 0; v < vectors; v += VECTORS) {
            t.dst = (float *)score_at(m, s->dst) + j * SCORE_LANES + v * VL;
            switch (l4m_min(VECTORS, vectors - v)) {
                case 1:
                    linear_tile(half, 1, &t, x + v * VL, panel, steps, s->inner_stride);
                    break;
                case 2:
                    linear_tile(half, 2, &t, x + v * VL, panel, steps, s->inner_stride);
                    break;
                default:
                    linear_tile(half, 3, &t, x + v * VL, panel, steps, s->inner_stride);
            }
        }
    }
}

// Pairs of columns that are rounded to BF16 at a time: 24 KiB, which all tiles read from L1.
#define PAIRS 128

static void linear_pairs(const score_memory *m, const score_instruction *s, int64_t vectors) {
    uint32_t x[PAIRS * SCORE_LANES];
    const float *from = score_at(m, s->a);
    const uint16_t *w = (const uint16_t *)score_at(m, s->b);
    int64_t pairs = l4m_ceil_div(s->k, 2);
    for (int64_t first = 0; first == 0 || first < pairs; first += PAIRS) {
        int64_t count = l4m_min(PAIRS, pairs - first);
        for (int64_t p = 0; p < count; p++, from += 2 * SCORE_LANES) {
            int alone = 2 * (first + p) + 1 == s->k;
            for (int64_t lane = 0; lane < vectors * VL; lane += VL) {
                vf second = alone ? vzero() : vload(from + SCORE_LANES + lane);
                vpairs_store(x + p * SCORE_LANES + lane, vpairs_of(vload(from + lane), second));
            }
        }
        linear_tiles(1, m, s, x, w + first * s->inner_stride, count, first == 0, first + PAIRS >= pairs, vectors);
    }
}

void ISA(score_linear)(const score_memory *m, const score_instruction *s, int64_t vectors) {
    if (s->flags & SCORE_INT8)
        ISA(score_linear_int8)(m, s, vectors);
    else if (score_type(s) == L4M_BF16)
        linear_pairs(m, s, vectors);
    else
        linear_tiles(0, m, s, (const uint32_t *)score_at(m, s->a), score_at(m, s->b), s->k, 1, 1, vectors);
    if (s->d && !(s->flags & SCORE_INT8))
        ISA(score_quantise_columns)(score_at(m, s->dst), s->n, NULL, score_at(m, s->d), vectors);
}
