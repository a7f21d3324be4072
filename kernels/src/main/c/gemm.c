// Packed, register-tiled matrix product of one rectangle (Goto and van de Geijn, "Anatomy of
// High-Performance Matrix Multiplication", 2008), in one of two orders. A narrow B is packed once per block of
// the inner dimension and stays in L2, a few tiles of A are packed at a time, and C is written row by row. A
// wide B is packed one panel at a time and goes from L1 straight into the tiles of A, packed once.
#include "gemm_in_place.h"
#include "vmath.h"

// Inner block: a panel of B of KC x NR (128 KiB with AVX-512) streams from L2 into L1 while A's comes from L2. Panels
// that fit into L1 (224, 300 with AVX-512) were slower on Zen 4 than 448, and K = 896 in one block, which writes C
// once, 2 % faster than in two.
#define KC 1024
// Floats of B that are kept packed, half of L2, and the tiles of A that are packed with them at a time: enough
// for a transposed A to be read in runs of several cache lines.
#define KEPT (128 * 1024)
#define TILES 8

// Of a grid's cost, see there.
#define PACKING 10.0
#define LATE 0.05

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

// What happens to a tile's sums on their way to C: what is added, NULL where nothing is, then a ReLU, then the gate.
typedef struct {
    const float *bias, *residual;
    int64_t ldr;
    int relu;
    const float *gate;
} finish;

// c[mr, NR] (+)= a[kc, mr]^T b[kc, NR] and what finish says, all accumulators in registers.
INLINE void tile_body(const int mr, int64_t kc, const float *restrict a, const float *restrict b, float *c,
                      int64_t ldc, int accumulate, const finish *plus, line_walk *next) {
    vf acc[MR][NV];
    line_walk walk = *next;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) {
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) acc[i][v] = vzero();
        __builtin_prefetch(c + i * ldc, 1);
        __builtin_prefetch(c + i * ldc + NR - 1, 1);
    }
    if (plus->gate) {
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            __builtin_prefetch(plus->gate + i * ldc);
            __builtin_prefetch(plus->gate + i * ldc + NR - 1);
        }
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
    if (plus->relu) {
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) acc[i][v] = vactivate(acc[i][v], L4M_ACT_RELU);
    }
    if (plus->gate) {
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++)
                acc[i][v] = vsel_gt(vload(plus->gate + i * ldc + v * VL), vzero(), acc[i][v], vzero());
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) vstore(c + i * ldc + v * VL, acc[i][v]);
}

typedef void (*tile_fn)(int64_t, const float *, const float *, float *, int64_t, int, const finish *, line_walk *);

#define TILE(n)                                                                                            \
    static void tile_##n(int64_t kc, const float *a, const float *b, float *c, int64_t ldc, int accumulate, \
                         const finish *plus, line_walk *next) {                                           \
        tile_body(n, kc, a, b, c, ldc, accumulate, plus, next);                                            \
    }
EACH_TILE(TILE)

#define ENTRY(n) tile_##n,
static const tile_fn tiles[MR + 1] = {NULL, EACH_TILE(ENTRY)};

// Panels that a few rows read at once: as many sums under way as multiply-adds wait for. Two for two rows were slower.
#define FEW_PANELS(mr) ((mr) == 1 ? 4 : 1)

// out[mr, panels * NR] = a[kc, mr]^T times panels one after the other as they are stored. Each is used once, so floats
// of it are made in registers. The same sums as tile_body's. What follows the panels is asked for meanwhile: several
// short streams are nothing that the processor foresees.
INLINE void few_body(const int mr, const int panels, const int32_t type, int64_t kc, const float *restrict a,
                     const void *restrict b, float *restrict out) {
    const int64_t bytes = type == L4M_F32 ? 4 : 2;
    vf acc[MR][4 * NV];
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels * NV; v++) acc[i][v] = vzero();
    for (int64_t p = 0; p < kc; p++) {
        // One row's numbers stay in a register, otherwise those of B do: there are not enough for both.
        vf bv[NV], one = vset1(a[0]);
#pragma GCC unroll 8
        for (int v = 0; v < panels * NV; v++) {
            int64_t in_panel = p * NR + v % NV * VL, at = v / NV * kc * NR + in_panel;
            if (in_panel * bytes % 64 == 0) __builtin_prefetch(l4m_at(b, at + panels * kc * NR, type), 0, 2);
            bv[v % NV] = vload_any(l4m_at(b, at, type), VL, type);
            if (mr == 1) acc[0][v] = vfma(one, bv[v % NV], acc[0][v]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < mr && mr > 1; i++) {
            vf av = vset1(a[i]);
#pragma GCC unroll 8
            for (int v = 0; v < NV; v++) acc[i][v] = vfma(av, bv[v], acc[i][v]);
        }
        a += mr;
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels * NV; v++) vstore(out + (i * panels * NV + v) * VL, acc[i][v]);
}

INLINE void few_panels(const int mr, const int panels, int32_t type, int64_t kc, const float *a, const void *b,
                       float *out) {
    if (type == L4M_BF16)
        few_body(mr, panels, L4M_BF16, kc, a, b, out);
    else if (type == L4M_F16)
        few_body(mr, panels, L4M_F16, kc, a, b, out);
    else
        few_body(mr, panels, L4M_F32, kc, a, b, out);
}

typedef void (*few_fn)(int panels, int32_t type, int64_t kc, const float *a, const void *b, float *out);

#define FEW(n)                                                                                              \
    static void few_##n(int panels, int32_t type, int64_t kc, const float *a, const void *b, float *out) {  \
        panels == 1 ? few_panels(n, 1, type, kc, a, b, out)                                                 \
                    : few_panels(n, FEW_PANELS(n), type, kc, a, b, out);                                    \
    }
EACH_TILE(FEW)

#define FEW_ENTRY(n) few_##n,
static const few_fn few[MR + 1] = {NULL, EACH_TILE(FEW_ENTRY)};

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

// The lines of rows [first, first + count) of A.
static line_walk tiles_walk(const gemm *g, int64_t first, int64_t count, int64_t p0, int64_t kc, const float *any) {
    if (count <= 0 || kc == 0 || g->rows_a || g->inner_a) return (line_walk){(const char *)any, 1, 1, -64, 0};
    const float *at = g->a + (g->trans_a ? p0 * g->lda + first : first * g->lda + p0);
    int64_t run = l4m_ceil_div((g->trans_a ? count : kc) * 4, 64);
    return (line_walk){(const char *)at, run, run, g->lda * 4 - 64 * run, g->trans_a ? kc : count};
}

void ISA(gemm_epilogue)(const float *src, const float *add, const float *bias, const float *residual,
                        int32_t activation, const float *gate, int64_t n, float *dst) {
    for (int64_t j = 0; j < n; j += VL) {
        int64_t w = l4m_min(VL, n - j);
        vf x = vload_any(src + j, w, L4M_F32);
        if (add) x += vload_any(add + j, w, L4M_F32);
        if (bias) x += vload_any(bias + j, w, L4M_F32);
        if (residual) x += vload_any(residual + j, w, L4M_F32);
        x = vactivate(x, activation);
        if (gate) x = vsel_gt(vload_any(gate + j, w, L4M_F32), vzero(), x, vzero());
        if (w == VL)
            vstore(dst + j, x);
        else
            vstore_n(dst + j, x, w);
    }
}

size_t ISA(gemm_scratch)(int64_t rows, int64_t k) {
    int64_t kc = l4m_min(k, KC), r = l4m_min(rows, GEMM_MAX_ROWS), panels = l4m_ceil_div(r, MR);
    int64_t tile = MR * NR, b = l4m_max(KEPT, l4m_round_up((kc + 1) * NR, 16));
    return (size_t)(tile + b + (l4m_max(r, TILES * MR) + MR) * kc + l4m_max(panels, TILES) * (VL + 16)) * sizeof(float);
}

size_t ISA(gemm_scratch_quantised)(int64_t k) { return (size_t)(NR * l4m_min(k, KC)) * sizeof(float); }

static void activate(float *c, int64_t ldc, int64_t rows, int64_t n, int32_t activation) {
    for (int64_t r = 0; r < rows; r++, c += ldc)
        for (int64_t j = 0; j < n; j += VL) vstore(c + j, vactivate(vload(c + j), activation));
}

// One block of the inner dimension: [p0, p0 + kc).
typedef struct {
    const gemm *g;
    int64_t p0, kc;
    int adds, last;
    const float *bias, *residual;
    float *tile;
} inner;

// Rows [i, i + m) and columns [j, j + n) of C.
static void one_tile(const inner *w, int64_t i, int64_t m, int64_t j, int64_t n, const float *a, const float *b,
                     line_walk *next) {
    const gemm *g = w->g;
    const float *bias = w->bias ? w->bias + j : NULL;
    int simple = g->activation == L4M_ACT_NONE || g->activation == L4M_ACT_RELU;
    if (n == NR && g->rows_c == NULL && (simple || !g->gate)) {
        float *c = g->c + i * g->ldc + j;
        finish end = {.bias = bias,
                      .residual = w->residual ? w->residual + i * g->ldr + j : NULL,
                      .ldr = g->ldr,
                      .relu = w->last && g->activation == L4M_ACT_RELU,
                      .gate = w->last && g->gate ? g->gate + i * g->ldc + j : NULL};
        tiles[m](w->kc, a, b, c, g->ldc, w->adds, &end, next);
        if (w->last && !simple) activate(c, g->ldc, m, NR, g->activation);
        return;
    }
    static const finish none = {0};
    tiles[m](w->kc, a, b, w->tile, NR, 0, &none, next);
    for (int64_t r = 0; r < m; r++) {
        int64_t row = g->rows_c ? g->rows_c[i + r] : i + r;
        float *to = g->c + row * g->ldc + j;
        ISA(gemm_epilogue)
        (w->tile + r * NR, w->adds ? to : NULL, bias, w->residual ? w->residual + row * g->ldr + j : NULL,
         w->last ? g->activation : L4M_ACT_NONE, w->last && g->gate ? g->gate + row * g->ldc + j : NULL, n, to);
    }
}

// A single tile of rows and packed panels.
static void few_rows(const inner *w, int64_t i, int64_t rows, int64_t j0, int64_t j1, const float *a) {
    const gemm *g = w->g;
    for (int64_t j = j0, panels; j < j1; j += panels * NR) {
        panels = l4m_ceil_div(j1 - j, NR) < FEW_PANELS(rows) ? 1 : FEW_PANELS(rows);
        few[rows]((int)panels, g->b_type, w->kc, a, packed_panel(g, j, w->p0, w->kc), w->tile);
        for (int64_t r = 0; r < rows; r++) {
            float *to = g->c + (i + r) * g->ldc + j;
            ISA(gemm_epilogue)
            (w->tile + r * panels * NR, w->adds ? to : NULL, w->bias ? w->bias + j : NULL,
             w->residual ? w->residual + (i + r) * g->ldr + j : NULL, w->last ? g->activation : L4M_ACT_NONE, NULL,
             l4m_min(panels * NR, j1 - j), to);
        }
    }
}

static void narrow_block(const inner *w, int64_t i0, int64_t i1, int64_t mr, int64_t j0, int64_t j1, float *b,
                         float *a) {
    const gemm *g = w->g;
    int64_t p0 = w->p0, kc = w->kc, stride = panel_stride(mr, kc), step = TILES * mr;
    float *b_rows = a + TILES * stride;
    if (g->trans_b || g->b_type != L4M_F32)
        for (int64_t j = j0; j < j1; j += NR) pack_b(g, j, l4m_min(NR, j1 - j), p0, kc, b_rows, b + (j - j0) * kc);
    else
        pack_b_rows(g, j0, j1 - j0, p0, kc, b);
    for (int64_t i = i0; i < i1; i += step) {
        int64_t count = l4m_min(step, i1 - i);
        pack_a(g, i, count, mr, p0, kc, a);
        if (g->sums && j0 == 0) add_sums(a, count, mr, kc, p0 > 0, g->sums + i);
        line_walk next = tiles_walk(g, i + step, l4m_min(step, i1 - i - step), p0, kc, b);
        for (int64_t q = 0; q * mr < count; q++)
            for (int64_t j = j0; j < j1; j += NR)
                one_tile(w, i + q * mr, l4m_min(mr, count - q * mr), j, l4m_min(NR, j1 - j), a + q * stride,
                         b + (j - j0) * kc, &next);
    }
}

static void wide_block(const inner *w, int64_t i0, int64_t i1, int64_t mr, int64_t j0, int64_t j1, float *b,
                       float *a) {
    const gemm *g = w->g;
    int64_t p0 = w->p0, kc = w->kc, stride = panel_stride(mr, kc), rows = i1 - i0;
    float *b_rows = a + l4m_ceil_div(rows, mr) * stride;
    pack_a(g, i0, rows, mr, p0, kc, a);
    if (g->sums && j0 == 0) add_sums(a, rows, mr, kc, p0 > 0, g->sums + i0);
    if (g->panels && rows <= mr) {
        few_rows(w, i0, rows, j0, j1, a);
        return;
    }
    for (int64_t j = j0; j < j1; j += NR) {
        int64_t n = l4m_min(NR, j1 - j);
        const float *panel = b;
        if (g->panels)
            panel = widened_panel(g, j, p0, kc, b);
        else
            pack_b(g, j, n, p0, kc, b_rows, b);
        line_walk next = panel_walk(g, j + NR, l4m_min(NR, j1 - j - NR), p0, kc, b);
        for (int64_t q = 0; q * mr < rows; q++)
            one_tile(w, i0 + q * mr, l4m_min(mr, rows - q * mr), j, n, a + q * stride, panel, &next);
    }
}

// Computes the rectangle if it is one for gemm_in_place.h; whether it was.
static int ran_in_place(const gemm *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, float *scratch) {
    if (g->panels) return 0;
    int64_t step = l4m_max(1, inner_block(g->k, g->b_type));
    if (!g->trans_a && j1 - j0 <= NR && !g->inner_b && !g->sums && !l4m_is_quantised(g->b_type)) {
        rows_in_place(g, i0, i1, j0, j1 - j0, step, KEPT, scratch);
        return 1;
    }
    int plain = !g->bias && !g->residual && !g->activation && !g->gate && !g->rows_c;
    if (!g->trans_a || g->trans_b || g->b_type != L4M_F32 || !plain) return 0;
    if (i1 - i0 <= NR) {
        columns_job w = {g->b, g->a, g->ldb, g->lda, g->inner_b, g->inner_a, j0, j1, i0, i1 - i0, 1};
        columns_in_place(&w, g->k, step, g->c, g->ldc, g->sums && j0 == 0 ? g->sums + i0 : NULL, scratch);
        return 1;
    }
    if (j1 - j0 > NR || g->sums) return 0;
    columns_job w = {g->a, g->b, g->lda, g->ldb, g->inner_a, g->inner_b, i0, i1, j0, j1 - j0, 0};
    columns_in_place(&w, g->k, step, g->c, g->ldc, NULL, scratch);
    return 1;
}

static void rect_block(const gemm *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, float *scratch) {
    if (ran_in_place(g, i0, i1, j0, j1, scratch)) return;
    // Equal tiles rather than full ones and a rest: 128 rows are 9 x 13 + 11, not 9 x 14 + 2.
    int64_t rows = i1 - i0, mr = l4m_ceil_div(rows, l4m_ceil_div(rows, MR));
    int64_t blocks = inner_blocks(g->k), kc_max = inner_block(g->k, g->b_type);
    int narrow = !g->panels && l4m_round_up(j1 - j0, NR) * kc_max <= KEPT;
    // A residual that is C itself is what the tiles add to.
    int onto_c = g->residual == g->c;
    float *tile = scratch, *b = tile + MR * NR;
    float *a = b + l4m_round_up(narrow ? KEPT : (kc_max + 1) * NR, 16);
    for (int64_t block = 0, p0 = 0; block < blocks; block++, p0 += kc_max) {
        int last = block == blocks - 1;
        inner w = {.g = g,
                   .p0 = p0,
                   .kc = l4m_min(kc_max, g->k - p0),
                   .adds = block > 0 || onto_c,
                   .last = last,
                   .bias = last ? g->bias : NULL,
                   .residual = last && !onto_c ? g->residual : NULL,
                   .tile = tile};
        if (narrow)
            narrow_block(&w, i0, i1, mr, j0, j1, b, a);
        else
            wide_block(&w, i0, i1, mr, j0, j1, b, a);
    }
}

void ISA(gemm_rect)(const gemm *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, void *scratch) {
    int64_t step = g->panels ? GEMM_PANEL_ROWS : GEMM_MAX_ROWS;
    for (int64_t i = i0; i < i1; i += step) rect_block(g, i, l4m_min(i + step, i1), j0, j1, scratch);
}

// What a product takes, in columns times rows of C, where each rectangle also packs as much as 10 rows and columns
// cost, and a thread that falls behind makes the others wait for a part of a rectangle.
static double grid_cost(int64_t m, int64_t n, int64_t copies, int64_t threads, int64_t r, int64_t c) {
    double rows = (double)l4m_ceil_div(m, r), cols = (double)l4m_min(n, 64 * l4m_ceil_div(l4m_ceil_div(n, 64), c));
    double rounds = (double)l4m_ceil_div(copies * r * c, threads);
    return (rounds + LATE) * (rows + PACKING) * (cols + PACKING);
}

void ISA(gemm_grid)(int64_t m, int64_t n, int64_t copies, int64_t wanted, int64_t threads, int64_t *row_chunks,
                    int64_t *col_chunks) {
    int64_t least_rows = l4m_ceil_div(m, GEMM_MAX_ROWS), least_cols = l4m_ceil_div(n, GEMM_MAX_COLS);
    *row_chunks = least_rows;
    *col_chunks = least_cols;
    if (wanted <= 1 || threads == 1) return;
    double best = grid_cost(m, n, copies, threads, least_rows, least_cols);
    for (int64_t c = least_cols; c <= l4m_min(l4m_ceil_div(n, 64), l4m_max(wanted, least_cols)); c++)
        for (int64_t rounds = 1; rounds <= 4; rounds++) {
            int64_t r = l4m_max(least_rows, l4m_min(rounds * threads / (copies * c), m / MR));
            double cost = grid_cost(m, n, copies, threads, r, c);
            if (cost < best && copies * r * c <= l4m_max(wanted, copies * least_rows * least_cols)) {
                best = cost;
                *row_chunks = r;
                *col_chunks = c;
            }
        }
}

void ISA(gemm_panel_grid)(int64_t m, int64_t n, int64_t k, int64_t wanted, int64_t *row_chunks, int64_t *col_chunks) {
    // With one inner block C is written once, and A packed once for all columns.
    int64_t r = l4m_ceil_div(m, GEMM_PANEL_ROWS), c = k > KC ? l4m_ceil_div(n, GEMM_MAX_COLS) : 1, rows = r;
    // As many as wanted, not one more, which would be a thread's tail: 9 on two threads take as long as 10.
    for (int64_t more = r + 1; more * c <= wanted && m / more >= 3 * MR; more++)
        if (wanted % more == 0) rows = more;
    while (rows * c < wanted && n / c >= 128) c++;
    *row_chunks = rows;
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
