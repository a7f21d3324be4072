// Packed, register-tiled matrix product of one rectangle (Goto and van de Geijn, "Anatomy of
// High-Performance Matrix Multiplication", 2008, arranged for few rows: A is packed once per block of the
// inner dimension and stays in L2, B is packed one panel at a time and goes from L1 straight into the tile).
#include "gemm.h"

#include "quant.h"
#include "vmath.h"

// Tile: MR rows by NV vectors. AVX-512 14x32 uses 28 + 2 + 1 of 32 registers, AVX2 6x16 12 + 2 + 1 of 16.
#if VL == 16
#define MR 14
#define NV 2
#elif VL == 8
#define MR 6
#define NV 2
#else
#define MR 4
#define NV 2
#endif
#define NR (NV * VL)
// Inner block: a panel of B of KC x NR (64 KiB with AVX-512) streams from L2 into L1 while A's comes from L2.
// 224 to 900 measured within the noise of each other on Zen 5 once panels are prefetched.
#define KC 512

// A walk over the cache lines of a block of memory: `run` lines in a row, then `jump` bytes to the next row.
// Tiles ask for one line every few steps, so that the panel of B that is packed next has arrived by then;
// packing it from memory would cost a sixth of the time of 128 rows, and asking for all at once stalls.
typedef struct {
    const char *at;
    int64_t left, run, jump, rows;
} line_walk;

#define PREFETCH_STEP 4

INLINE void prefetch_next(line_walk *w) {
    __builtin_prefetch(w->at, 0, 2);
    w->at += 64;
    if (--w->left == 0) {
        w->at += w->jump;
        w->left = w->run;
        // Past the last row: stay there.
        if (--w->rows == 0) w->jump = -64 * w->run;
    }
}

// What is added to a tile's sums on their way to C; NULL where nothing is.
typedef struct {
    const float *bias, *residual;
    int64_t ldr;
} addends;

// c[mr, NR] (+)= a[kc, mr]^T b[kc, NR] + addends, all accumulators in registers.
INLINE void tile_body(const int mr, int64_t kc, const float *restrict a, const float *restrict b, float *c,
                      int64_t ldc, int accumulate, const addends *plus, line_walk *next) {
    vf acc[MR][NV];
    line_walk walk = *next;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) {
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) acc[i][v] = vzero();
        __builtin_prefetch(c + i * ldc, 1);
        __builtin_prefetch(c + i * ldc + NR - 1, 1);
    }
    for (int64_t p = 0; p < kc; p += PREFETCH_STEP) {
        int64_t steps = l4m_min(PREFETCH_STEP, kc - p);
        prefetch_next(&walk);
        for (int64_t s = 0; s < steps; s++) {
            vf bv[NV];
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) bv[v] = vload(b + v * VL);
#pragma GCC unroll 16
            for (int i = 0; i < mr; i++) {
                vf av = vset1(a[i]);
#pragma GCC unroll 4
                for (int v = 0; v < NV; v++) acc[i][v] = vfma(av, bv[v], acc[i][v]);
            }
            a += mr;
            b += NR;
        }
    }
    *next = walk;
    if (accumulate) {
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) acc[i][v] = vload(c + i * ldc + v * VL) + acc[i][v];
    }
    if (plus->bias) {
        vf bias[NV];
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) bias[v] = vload(plus->bias + v * VL);
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) acc[i][v] += bias[v];
    }
    if (plus->residual) {
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) acc[i][v] += vload(plus->residual + i * plus->ldr + v * VL);
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) vstore(c + i * ldc + v * VL, acc[i][v]);
}

typedef void (*tile_fn)(int64_t, const float *, const float *, float *, int64_t, int, const addends *, line_walk *);

#define TILE(n)                                                                                            \
    static void tile_##n(int64_t kc, const float *a, const float *b, float *c, int64_t ldc, int accumulate, \
                         const addends *plus, line_walk *next) {                                           \
        tile_body(n, kc, a, b, c, ldc, accumulate, plus, next);                                            \
    }
TILE(1)
TILE(2)
TILE(3)
TILE(4)
#if MR >= 6
TILE(5)
TILE(6)
#endif
#if MR >= 14
TILE(7)
TILE(8)
TILE(9)
TILE(10)
TILE(11)
TILE(12)
TILE(13)
TILE(14)
#endif

static const tile_fn tiles[MR + 1] = {
    NULL,    tile_1, tile_2, tile_3, tile_4,
#if MR >= 6
    tile_5,  tile_6,
#endif
#if MR >= 14
    tile_7,  tile_8, tile_9, tile_10, tile_11, tile_12, tile_13, tile_14,
#endif
};

// dst[p * stride + i] = row(i)[p]: vectors of several rows transposed in registers. Each store is a whole
// vector, so up to VL - 1 floats past the last row are overwritten: by the next p, or slack at the end.
INLINE void pack_transposed(const void *base, int64_t ld, const int32_t *index, int64_t first, int64_t count,
                            int64_t p0, int64_t kc, const int32_t type, float *dst, int64_t stride) {
    const void *row[VL];
    for (int64_t i = 0; i < VL; i++) {
        int64_t r = first + l4m_min(i, count - 1);
        row[i] = l4m_at(base, (index ? index[r] : r) * ld + p0, type);
    }
    for (int64_t p = 0; p < kc; p += VL) {
        vf r[VL];
        int64_t n = l4m_min(VL, kc - p);
        if (n == VL) {
#pragma GCC unroll 16
            for (int i = 0; i < VL; i++) r[i] = vload_any(l4m_at(row[i], p, type), VL, type);
        } else {
            for (int i = 0; i < VL; i++) r[i] = vload_any(l4m_at(row[i], p, type), n, type);
        }
        vtranspose(r);
        if (n == VL) {
#pragma GCC unroll 16
            for (int q = 0; q < VL; q++) vstore(dst + (p + q) * stride, r[q]);
        } else {
            for (int64_t q = 0; q < n; q++) vstore(dst + (p + q) * stride, r[q]);
        }
    }
}

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

static void pack_a(const gemm *g, int64_t first, int64_t count, int64_t p0, int64_t kc, float *dst) {
    if (g->trans_a)
        pack_straight(g->a, g->lda, g->inner_a, first, count, p0, kc, L4M_F32, dst, count);
    else
        pack_transposed(g->a, g->lda, g->rows_a, first, count, p0, kc, L4M_F32, dst, count);
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

// Inner blocks of equal size, which for a quantised B are of whole blocks of weights (KC is).
static int64_t inner_blocks(int64_t k) { return l4m_max(1, l4m_ceil_div(k, KC)); }
static int64_t inner_block(int64_t k, int32_t type) {
    return l4m_round_up(l4m_ceil_div(k, inner_blocks(k)), l4m_block_size(type));
}

int64_t ISA(gemm_panel_width)(void) { return NR; }

size_t ISA(gemm_panel_bytes)(int64_t n, int64_t k, int32_t type) {
    return (size_t)(l4m_round_up(n, NR) * k * l4m_block_bytes(type));
}

static const char *packed_panel(const gemm *g, int64_t j, int64_t p0, int64_t kc) {
    return l4m_at(g->panels, p0 * g->panel_columns + j * kc, g->b_type);
}

void ISA(gemm_pack)(const gemm *g, int64_t n, int64_t panel, void *panels) {
    int64_t step = inner_block(g->k, g->b_type), columns = l4m_round_up(n, NR), j = panel * NR;
    for (int64_t p0 = 0; p0 < g->k; p0 += step) {
        int64_t kc = l4m_min(step, g->k - p0), count = l4m_min(NR, n - j), at = p0 * columns + j * kc;
        if (g->b_type == L4M_F32)
            pack_b(g, j, count, p0, kc, NULL, (float *)panels + at);
        else
            copy_halves(g, j, count, p0, kc, (uint16_t *)panels + at);
    }
}

// A packed panel as floats, in `widened` unless it is of floats.
static const float *widened_panel(const gemm *g, int64_t j, int64_t p0, int64_t kc, float *widened) {
    const char *panel = packed_panel(g, j, p0, kc);
    if (g->b_type == L4M_F32) return (const float *)panel;
    const uint16_t *halves = (const uint16_t *)panel;
    for (int64_t i = 0; i < kc * NR; i += VL)
        vstore(widened + i, g->b_type == L4M_BF16 ? vload_bf16(halves + i) : vload_f16(halves + i));
    return widened;
}

// The lines of the panel of B from column j on; of none, any line that is there anyway.
static line_walk panel_walk(const gemm *g, int64_t j, int64_t n, int64_t p0, int64_t kc, const float *any) {
    if (n <= 0 || kc == 0 || g->inner_b) return (line_walk){(const char *)any, 1, 1, -64, 0};
    int64_t size = l4m_block_size(g->b_type), bytes = l4m_block_bytes(g->b_type);
    if (g->panels) {
        int64_t run = l4m_ceil_div(kc * NR * bytes, 64);
        return (line_walk){packed_panel(g, j, p0, kc), run, run, -64 * run, 1};
    }
    int64_t at = g->trans_b ? j * g->ldb + p0 : p0 * g->ldb + j;
    int64_t run = l4m_ceil_div((g->trans_b ? kc : n) / size * bytes, 64), jump = g->ldb / size * bytes - 64 * run;
    return (line_walk){l4m_at(g->b, at, g->b_type), run, run, jump, g->trans_b ? n : kc};
}

void ISA(gemm_epilogue)(const float *src, const float *add, const float *bias, const float *residual,
                        int32_t activation, int64_t n, float *dst) {
    for (int64_t j = 0; j < n; j += VL) {
        int64_t w = l4m_min(VL, n - j);
        vf x = vload_any(src + j, w, L4M_F32);
        if (add) x += vload_any(add + j, w, L4M_F32);
        if (bias) x += vload_any(bias + j, w, L4M_F32);
        if (residual) x += vload_any(residual + j, w, L4M_F32);
        x = vactivate(x, activation);
        if (w == VL)
            vstore(dst + j, x);
        else
            vstore_n(dst + j, x, w);
    }
}

size_t ISA(gemm_scratch)(int64_t rows, int64_t k) {
    int64_t kc = l4m_min(k, KC), r = l4m_min(rows, GEMM_MAX_ROWS), panels = l4m_ceil_div(r, MR);
    int64_t tile = MR * NR, b = l4m_round_up((kc + 1) * NR, 16);
    return (size_t)(tile + b + (r + MR) * kc + panels * (VL + 16)) * sizeof(float);
}

size_t ISA(gemm_scratch_quantised)(int64_t k) { return (size_t)(NR * l4m_min(k, KC)) * sizeof(float); }

static int64_t panel_stride(int64_t mr, int64_t kc) { return l4m_round_up(mr * kc + VL, 16); }

static void activate(float *c, int64_t ldc, int64_t rows, int64_t n, int32_t activation) {
    for (int64_t r = 0; r < rows; r++, c += ldc)
        for (int64_t j = 0; j < n; j += VL) vstore(c + j, vactivate(vload(c + j), activation));
}

static void rect_block(const gemm *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, float *scratch) {
    // Equal tiles rather than full ones and a rest: 128 rows are 9 x 13 + 11, not 9 x 14 + 2.
    int64_t rows = i1 - i0, panels = l4m_ceil_div(rows, MR), mr = l4m_ceil_div(rows, panels);
    int64_t blocks = inner_blocks(g->k), kc_max = inner_block(g->k, g->b_type);
    panels = l4m_ceil_div(rows, mr);
    // A residual that is C itself is what the tiles add to.
    int in_place = g->residual == g->c;
    float *tile = scratch, *b = tile + MR * NR, *a = b + l4m_round_up((kc_max + 1) * NR, 16);
    float *b_rows = a + panels * panel_stride(mr, kc_max);
    static const addends none = {NULL, NULL, 0};
    for (int64_t block = 0, p0 = 0; block < blocks; block++, p0 += kc_max) {
        int64_t kc = l4m_min(kc_max, g->k - p0), stride = panel_stride(mr, kc);
        int last = block == blocks - 1;
        const float *bias = last ? g->bias : NULL, *residual = last && !in_place ? g->residual : NULL;
        int adds = block > 0 || in_place;
        for (int64_t q = 0; q < panels; q++)
            pack_a(g, i0 + q * mr, l4m_min(mr, rows - q * mr), p0, kc, a + q * stride);
        for (int64_t j = j0; j < j1; j += NR) {
            int64_t n = l4m_min(NR, j1 - j);
            const float *panel = b;
            if (g->panels)
                panel = widened_panel(g, j, p0, kc, b);
            else
                pack_b(g, j, n, p0, kc, b_rows, b);
            line_walk next = panel_walk(g, j + NR, l4m_min(NR, j1 - j - NR), p0, kc, b);
            int direct = n == NR && g->rows_c == NULL;
            for (int64_t q = 0; q < panels; q++) {
                int64_t i = i0 + q * mr, m = l4m_min(mr, rows - q * mr);
                float *c = g->c + i * g->ldc + j;
                if (direct) {
                    addends plus = {bias ? bias + j : NULL, residual ? residual + i * g->ldr + j : NULL, g->ldr};
                    tiles[m](kc, a + q * stride, panel, c, g->ldc, adds, &plus, &next);
                    if (last && g->activation) activate(c, g->ldc, m, NR, g->activation);
                    continue;
                }
                tiles[m](kc, a + q * stride, panel, tile, NR, 0, &none, &next);
                for (int64_t r = 0; r < m; r++) {
                    int64_t row = g->rows_c ? g->rows_c[i + r] : i + r;
                    float *to = g->c + row * g->ldc + j;
                    ISA(gemm_epilogue)
                    (tile + r * NR, adds ? to : NULL, bias ? bias + j : NULL,
                     residual ? residual + row * g->ldr + j : NULL, last ? g->activation : L4M_ACT_NONE, n, to);
                }
            }
        }
    }
}

void ISA(gemm_rect)(const gemm *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, void *scratch) {
    int64_t step = g->panels ? GEMM_PANEL_ROWS : GEMM_MAX_ROWS;
    for (int64_t i = i0; i < i1; i += step) rect_block(g, i, l4m_min(i + step, i1), j0, j1, scratch);
}

void ISA(gemm_grid)(int64_t m, int64_t n, int64_t wanted, int64_t *row_chunks, int64_t *col_chunks) {
    int64_t r = l4m_ceil_div(m, GEMM_MAX_ROWS), c = l4m_ceil_div(n, GEMM_MAX_COLS);
    while (r * c < wanted) {
        int64_t rows = m / r, cols = n / c;
        if (cols >= 128 && cols >= rows)
            c++;
        else if (rows >= 64)
            r++;
        else if (cols >= 128)
            c++;
        else
            break;
    }
    *row_chunks = r;
    *col_chunks = c;
}

void ISA(gemm_panel_grid)(int64_t m, int64_t n, int64_t k, int64_t wanted, int64_t *row_chunks, int64_t *col_chunks) {
    // With one inner block C is written once, and A packed once for all columns.
    int64_t r = l4m_ceil_div(m, GEMM_PANEL_ROWS), c = k > KC ? l4m_ceil_div(n, GEMM_MAX_COLS) : 1;
    while (r * c < wanted) {
        if (m / r >= 4 * MR)
            r++;
        else if (n / c >= 128)
            c++;
        else
            break;
    }
    *row_chunks = r;
    *col_chunks = c;
}

void ISA(gemm_grid_rect)(const gemm *g, int64_t m, int64_t n, int64_t row_chunks, int64_t col_chunks,
                         int64_t chunk, void *scratch) {
    int64_t r = chunk / col_chunks, c = chunk % col_chunks, tiles = l4m_ceil_div(n, 64);
    int64_t j0 = 64 * l4m_chunk_start(tiles, col_chunks, c);
    int64_t j1 = l4m_min(n, 64 * l4m_chunk_start(tiles, col_chunks, c + 1));
    ISA(gemm_rect)
    (g, l4m_chunk_start(m, row_chunks, r), l4m_chunk_start(m, row_chunks, r + 1), j0, j1, scratch);
}
