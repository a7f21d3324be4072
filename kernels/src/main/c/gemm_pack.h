// Packing for gemm.c: tiles of A and panels of B in the order in which they are multiplied.
#ifndef L4M_GEMM_PACK_H
#define L4M_GEMM_PACK_H

#include "gemm.h"
#include "quant.h"
#include "tile.h"

// dst[p * stride + i] = base[(inner(p)) * ld + first + i]: rows copied as they are.
INLINE void pack_straight(const void *base, int64_t ld, const int32_t *inner, int64_t first, int64_t count,
                          int64_t p0, int64_t kc, const int32_t type, float *dst, int64_t stride) {
    for (int64_t p = 0; p < kc; p++) {
        int64_t q = inner ? inner[p0 + p] : p0 + p;
        const void *src = l4m_at(base, q * ld + first, type);
        float *to = dst + p * stride;
        int64_t i = 0;
        for (; i + VL <= count; i += VL) vstore(to + i, vload_any(l4m_at(src, i, type), VL, type));
        if (i < count) vstore(to + i, vload_any(l4m_at(src, i, type), count - i, type));
    }
}

// Rows [first, first + count) of A as tiles of mr rows, panel_stride apart.
static void pack_a(const gemm *g, int64_t first, int64_t count, int64_t mr, int64_t p0, int64_t kc, float *dst) {
    int64_t stride = panel_stride(mr, kc);
    if (!g->trans_a) {
        for (int64_t i = 0; i < count; i += mr, dst += stride) {
            int64_t m = l4m_min(mr, count - i);
            pack_transposed(g->a, g->lda, g->rows_a, first + i, m, p0, kc, L4M_F32, dst, m);
        }
        return;
    }
    // Along the rows of memory. Whole vectors again: a tile is no wider than one.
    int64_t whole = count / mr, rest = count % mr;
    for (int64_t p = 0; p < kc; p++) {
        const float *src = g->a + (g->inner_a ? g->inner_a[p0 + p] : p0 + p) * g->lda + first;
        float *to = dst + p * mr;
        for (int64_t t = 0; t < whole; t++, src += mr, to += stride) vstore(to, vload_n(src, mr));
        if (rest) vstore(dst + whole * stride + p * rest, vload_n(src, rest));
    }
}

// Sums over p of packed tiles, added to dst where some are there already.
static void add_sums(const float *tiles, int64_t count, int64_t mr, int64_t kc, int adds, float *dst) {
    for (int64_t i = 0; i < count; i += mr, tiles += panel_stride(mr, kc)) {
        int64_t m = l4m_min(mr, count - i), p = 0;
        vf s[4] = {adds ? vload_n(dst + i, m) : vzero(), vzero(), vzero(), vzero()};
        for (; p + 4 <= kc; p += 4)
            for (int u = 0; u < 4; u++) s[u] += vload(tiles + (p + u) * m);
        for (; p < kc; p++) s[0] += vload(tiles + p * m);
        vstore_n(dst + i, (s[0] + s[1]) + (s[2] + s[3]), m);
    }
}

INLINE void pack_b_typed(const gemm *g, int64_t j, int64_t n, int64_t p0, int64_t kc, const int32_t type,
                         float *dst) {
    if (g->trans_b)
        for (int64_t v = 0; v < n; v += VL)
            pack_transposed(g->b, g->ldb, NULL, j + v, l4m_min(VL, n - v), p0, kc, type, dst + v, NR);
    else if (n == NR)
        pack_straight(g->b, g->ldb, g->inner_b, j, NR, p0, kc, type, dst, NR);
    else
        pack_straight(g->b, g->ldb, g->inner_b, j, n, p0, kc, type, dst, NR);
}

// Rows of whole blocks become floats in `rows`, which then are packed like any others.
static void pack_b_quantised(const gemm *g, int64_t j, int64_t n, int64_t p0, int64_t kc, float *rows, float *dst) {
    for (int64_t i = 0; i < n; i++)
        ISA(dequantise)(l4m_at(g->b, (j + i) * g->ldb + p0, g->b_type), g->b_type, kc, rows + i * kc);
    for (int64_t v = 0; v < n; v += VL)
        pack_transposed(rows, kc, NULL, v, l4m_min(VL, n - v), 0, kc, L4M_F32, dst + v, NR);
}

INLINE void copy_halves(const gemm *g, int64_t j, int64_t n, int64_t p0, int64_t kc, uint16_t *dst) {
    const uint16_t *b = g->b;
    for (int64_t i = 0; i < n; i++)
        for (int64_t p = 0; p < kc; p++)
            dst[p * NR + i] = g->trans_b ? b[(j + i) * g->ldb + p0 + p] : b[(p0 + p) * g->ldb + j + i];
}

// rows has room for NR x kc floats where B is quantised.
static void pack_b(const gemm *g, int64_t j, int64_t n, int64_t p0, int64_t kc, float *rows, float *dst) {
    if (l4m_is_quantised(g->b_type)) {
        pack_b_quantised(g, j, n, p0, kc, rows, dst);
        return;
    }
    switch (g->b_type) {
        case L4M_BF16:
            pack_b_typed(g, j, n, p0, kc, L4M_BF16, dst);
            break;
        case L4M_F16:
            pack_b_typed(g, j, n, p0, kc, L4M_F16, dst);
            break;
        default:
            pack_b_typed(g, j, n, p0, kc, L4M_F32, dst);
    }
}

// Rows that lie pages apart are asked for before they are packed: the processor does not guess them.
#define ROWS_AHEAD 4

// Columns [j, j + n) of an untransposed B, as many panels as it takes, along the rows of memory.
static void pack_b_rows(const gemm *g, int64_t j, int64_t n, int64_t p0, int64_t kc, float *dst) {
    for (int64_t p = 0; p < kc; p++, dst += NR) {
        const float *b = g->b, *src = b + (g->inner_b ? g->inner_b[p0 + p] : p0 + p) * g->ldb + j;
        int64_t ahead = p0 + l4m_min(p + ROWS_AHEAD, kc - 1);
        const float *next = b + (g->inner_b ? g->inner_b[ahead] : ahead) * g->ldb + j;
        for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(next + i);
        int64_t i = 0;
        for (; i + NR <= n; i += NR)
            for (int v = 0; v < NV; v++) vstore(dst + i * kc + v * VL, vload(src + i + v * VL));
        for (int64_t at = i; at < n; at += VL)
            vstore(dst + i * kc + at - i, vload_any(src + at, l4m_min(VL, n - at), L4M_F32));
    }
}

#endif
