// Weights in blocks as they are in GGUF files, with their own scales, times activations that are rounded to 8 bits in
// blocks of 32 as they come, one scale for each (the arithmetic of ggml's products). Sums of a block are integers and
// exact; scaled, they are added up in float, block after block.
#include "int8.h"
#include "int8_product.h"
#include "kernels.h"
#include "panels.h"
#include "quant.h"
#include "rows.h"
#include "vmath.h"

#define BLOCK 32
// Rows of a tile: sums in integers and in float stay in registers.
#if VL == 16
#define ROWS 7
#define EACH_ROWS(T, kind) T(1, kind) T(2, kind) T(3, kind) T(4, kind) T(5, kind) T(6, kind) T(7, kind)
#else
#define ROWS 3
#define EACH_ROWS(T, kind) T(1, kind) T(2, kind) T(3, kind)
#endif

// How a type's weights lie in a panel: for each block of 32 of k the codes of NR columns, bytes or nibbles in pairs of
// groups, then their scales and, if it has some, minima.
typedef struct {
    int nibbles, mins;
    // Scales in 32 of k.
    int scales;
    // What nibbles are above their values.
    int32_t offset;
} form;

#define FORM_Q8_0 ((form){0, 0, 1, BYTE_OFFSET})
#define FORM_Q6_K ((form){0, 0, 2, BYTE_OFFSET})
#define FORM_Q4_0 ((form){1, 0, 1, 8})
#define FORM_Q4_K ((form){1, 1, 1, 0})

static form form_of(int32_t type) {
    switch (type) {
        case L4M_Q8_0:
            return FORM_Q8_0;
        case L4M_Q6_K:
            return FORM_Q6_K;
        case L4M_Q4_0:
            return FORM_Q4_0;
        default:
            return FORM_Q4_K;
    }
}

// Of k in a lane.
INLINE int64_t group_of(form f) { return f.nibbles ? 4 : GROUP; }
INLINE int64_t code_bytes(form f) { return NR * (f.nibbles ? BLOCK / 2 : BLOCK); }
INLINE int64_t block_bytes(form f) { return code_bytes(f) + (f.scales + f.mins) * NR * 4; }

int ISA(int8_block_bytes)(int64_t n, int64_t k, int32_t type, int64_t *bytes) {
    if (!l4m_has_block_products(type)) return L4M_BAD_ARGUMENT;
    *bytes += (int64_t)sizeof(panel_header) + l4m_ceil_div(n, NR) * (k / BLOCK) * block_bytes(form_of(type));
    return L4M_OK;
}

// Number s of the 32 elements of a block: codes, scales (the same twice where there is one), minimum.
static void decode(const uint8_t *b, int64_t s, int32_t type, int8_t *q, float *scales, float *minimum) {
    scales[0] = scales[1] = quant_f16(type == L4M_Q6_K ? b + 208 : b);
    switch (type) {
        case L4M_Q8_0:
            memcpy(q, b + 2, BLOCK);
            break;
        case L4M_Q4_0:
            for (int i = 0; i < BLOCK; i++) q[i] = b[2 + i % 16] >> (i < 16 ? 0 : 4) & 15;
            break;
        case L4M_Q4_K:
            for (int i = 0; i < BLOCK; i++) q[i] = b[16 + 32 * (s / 2) + i] >> 4 * (s % 2) & 15;
            scales[0] *= (float)quant_k4(b + 4, (int)s, 0);
            *minimum = quant_f16(b + 2) * (float)quant_k4(b + 4, (int)s, 1);
            break;
        default: {
            const uint8_t *low = b + 64 * (s / 4) + 32 * (s % 2), *high = b + 128 + 32 * (s / 4);
            for (int i = 0; i < BLOCK; i++)
                q[i] = (int8_t)((low[i] >> (s % 4 < 2 ? 0 : 4) & 15) | (high[i] >> 2 * (s % 4) & 3) << 4) - 32;
            for (int half = 0; half < 2; half++) scales[half] *= (float)(int8_t)b[192 + 2 * s + half];
        }
    }
}

// Column j of a panel, one block of 32.
static void pack_block(form f, const int8_t *q, int64_t j, int8_t *codes) {
    int64_t group = group_of(f);
    for (int i = 0; i < BLOCK; i++) {
        int64_t g = i / group, lane = i % group;
        if (f.nibbles)
            codes[(g / 2 * NR + j) * 4 + lane] |= (int8_t)(g % 2 ? q[i] << 4 : q[i]);
        else
            codes[(g * NR + j) * group + lane] = (int8_t)(q[i] + BYTE_OFFSET);
    }
}

typedef struct {
    const char *b;
    int64_t ldb, n, k;
    int32_t type;
    char *panels;
} packing;

static void pack_range(const void *context, int64_t begin, int64_t end) {
    const packing *w = context;
    form f = form_of(w->type);
    int64_t blocks = w->k / BLOCK, parts = l4m_block_size(w->type) / BLOCK;
    for (int64_t c = begin * NR; c < l4m_min(w->n, end * NR); c++) {
        const uint8_t *column = l4m_at(w->b, c * w->ldb, w->type);
        char *to = w->panels + c / NR * blocks * block_bytes(f);
        for (int64_t p = 0; p < blocks; p++, to += block_bytes(f)) {
            int8_t q[BLOCK];
            float scales[2], minimum = 0, *factors = (float *)(to + code_bytes(f)) + c % NR;
            decode(column + p / parts * l4m_block_bytes(w->type), p % parts, w->type, q, scales, &minimum);
            pack_block(f, q, c % NR, (int8_t *)to);
            for (int s = 0; s < f.scales; s++) factors[s * NR] = scales[s];
            if (f.mins) factors[f.scales * NR] = minimum;
        }
    }
}

int ISA(pack_int8_blocks)(l4m_pool *pool, int64_t n, int64_t k, const void *b, int64_t ldb, int32_t type, void *packed) {
    if (!l4m_has_block_products(type)) return L4M_BAD_ARGUMENT;
    panel_header *header = packed;
    *header = (panel_header){.width = NR, .type = INT8_BLOCKS + GROUP * L4M_TYPE_COUNT + type, .n = n, .k = k};
    packing w = {.b = b, .ldb = ldb, .n = n, .k = k, .type = type, .panels = (char *)(header + 1)};
    return l4m_ranges(pool, l4m_ceil_div(n, NR), 4.0 * (double)(k * NR), pack_range, &w);
}

// A tile: lanes [k / group, rows], scales [k / 32, rows], and for each scale of B [.., rows] what it takes: the sum of
// the activations times minus the offset, or in float times their scale for a minimum.
typedef struct {
    int64_t lanes, scales, words;
} layout;

INLINE layout layout_of(form f, int64_t rows, int64_t k) {
    // Stores are of whole vectors.
    return (layout){panel_stride(rows, k / group_of(f)), k / BLOCK * rows, k / BLOCK * rows * f.scales + VL};
}

// One row of A: k elements, and the scale of each block, `step` apart.
INLINE void quantise_row(form f, const float *x, int64_t k, int8_t *to, float *scales, int64_t step) {
    for (int64_t p = 0; p < k; p += BLOCK) {
        vf y[BLOCK / VL];
        vi largest = vi_set1(0);
        for (int i = 0; i < BLOCK / VL; i++) {
            y[i] = vload(x + p + i * VL);
            largest = vi_max((vi)vabs(y[i]), largest);
        }
        float inverse;
        *scales = int8_scale(l4m_f32_from_bits((uint32_t)vi_maxval(largest)), INT8_WEIGHT_LEVELS, &inverse);
        scales += step;
        vf by = vset1(inverse);
        for (int i = 0; i < BLOCK / VL; i++) {
            // Not multiplied by 0: that makes no integers of what is not finite.
            vf q = inverse == 0 ? vzero() : vround(y[i] * by);
            if (f.nibbles)
                vi_store_bytes(to + p + i * VL, q);
            else
                vi_store_elements(to + (p + i * VL) * (4 / GROUP), q);
        }
    }
}

// For one scale of B, what the sums of `rows` rows are made from; `groups` lanes each.
INLINE void note_sums(form f, const int32_t *lanes, int64_t groups, int64_t rows, const float *scales, int32_t *words) {
    vi sum = vi_set1(0), ones = vi_set1(f.nibbles || GROUP == 4 ? 0x01010101 : 0x00010001);
    for (int64_t g = 0; g < groups; g++) {
        vi lane = vi_load(lanes + g * rows);
        sum = f.nibbles ? vi_dot_nibbles(sum, ones, lane) : vi_dot(sum, ones, lane);
    }
    if (f.nibbles) sum = vi_nibble_sums(sum);
    if (f.mins) {
        vstore((float *)words, vi_float(sum) * vload(scales));
    } else {
        sum = vi_mul(sum, vi_set1(-f.offset));
        memcpy(words, &sum, sizeof sum);
    }
}

INLINE void quantise_tile(form f, const int8_product *w, const float *x, int64_t rows, int8_t *scratch, int32_t *tile) {
    layout at = layout_of(f, rows, w->k);
    int64_t group = group_of(f), groups = w->k / group, ld = groups + VL, per_scale = BLOCK / group / f.scales;
    float *scales = (float *)(tile + at.lanes);
    int32_t *words = tile + at.lanes + at.scales;
    for (int64_t i = 0; i < rows; i++)
        quantise_row(f, x + i * w->lda, w->k, scratch + i * ld * 4, scales + i, rows);
    // Lanes are moved like floats.
    pack_transposed(scratch, ld, NULL, 0, rows, 0, groups, L4M_F32, (float *)tile, rows);
    if (f.offset == 0 && !f.mins) return;
    // Whole vectors: rows past the last one are overwritten by the next scale's.
    for (int64_t s = 0; s < w->k / BLOCK * f.scales; s++)
        note_sums(f, tile + s * per_scale * rows, per_scale, rows, scales + s / f.scales * rows, words + s * rows);
}

// c[rows, NR] = a b + addends, sums in registers.
INLINE void tile_body(const int rows, const form f, int64_t k, const int32_t *restrict a, const char *restrict b, float *c,
                      int64_t ldc, const int8_addends *plus) {
    const layout at = layout_of(f, rows, k);
    const float *scales = (const float *)(a + at.lanes);
    const int32_t *words = a + at.lanes + at.scales;
    const int steps = (int)(BLOCK / group_of(f)) / f.scales;
    vf sum[ROWS][NV];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) sum[i][v] = vzero();
    for (int64_t p = 0; p < k; p += BLOCK) {
        const float *factors = (const float *)(b + code_bytes(f));
#pragma GCC unroll 2
        for (int s = 0; s < f.scales; s++) {
            vi acc[ROWS][NV];
#pragma GCC unroll 16
            for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
                for (int v = 0; v < NV; v++)
                    acc[i][v] = vi_set1(f.offset != 0 && (GROUP == 4 || !f.nibbles) ? words[i] : 0);
            for (int g = 0; g < steps; g += 1 + f.nibbles) {
                vi bv[NV];
#pragma GCC unroll 4
                for (int v = 0; v < NV; v++)
                    bv[v] = f.nibbles ? vi_low_nibbles(vi_load((const int32_t *)b + v * VL))
                                      : vi_load_weights((const int8_t *)b + v * VL * GROUP);
#pragma GCC unroll 16
                for (int i = 0; i < rows; i++) {
                    vi av = vi_set1(a[i]);
#pragma GCC unroll 4
                    for (int v = 0; v < NV; v++)
                        acc[i][v] = f.nibbles ? vi_dot_nibbles(acc[i][v], bv[v], av) : vi_dot(acc[i][v], bv[v], av);
                }
                a += rows;
                if (f.nibbles) {
#pragma GCC unroll 4
                    for (int v = 0; v < NV; v++) bv[v] = vi_high_nibbles(vi_load((const int32_t *)b + v * VL));
#pragma GCC unroll 16
                    for (int i = 0; i < rows; i++) {
                        vi av = vi_set1(a[i]);
#pragma GCC unroll 4
                        for (int v = 0; v < NV; v++) acc[i][v] = vi_dot_nibbles(acc[i][v], bv[v], av);
                    }
                    a += rows;
                }
                b += NR * (f.nibbles ? 4 : GROUP);
            }
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) {
                vf factor = vload(factors + s * NR + v * VL);
#pragma GCC unroll 16
                for (int i = 0; i < rows; i++) {
                    vi total = acc[i][v];
                    if (f.nibbles) total = vi_nibble_sums(total);
                    if (f.nibbles && GROUP != 4 && f.offset != 0) total = vi_add(total, vi_set1(words[i]));
                    sum[i][v] = vfma(vi_float(total) * factor, vset1(scales[i]), sum[i][v]);
                }
                if (f.mins) {
                    vf minimum = vload(factors + f.scales * NR + v * VL);
#pragma GCC unroll 16
                    for (int i = 0; i < rows; i++)
                        sum[i][v] = vfnma(minimum, vset1(((const float *)words)[i]), sum[i][v]);
                }
            }
            words += rows;
        }
        scales += rows;
        b = (const char *)(factors + (f.scales + f.mins) * NR);
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) {
            vf x = sum[i][v];
            if (plus->bias) x += vload(plus->bias + v * VL);
            if (plus->residual) x += vload(plus->residual + i * plus->ldr + v * VL);
            vstore(c + i * ldc + v * VL, x);
        }
}

#define TILE(n, kind)                                                                             \
    static void tile_##kind##_##n(int64_t k, const int32_t *a, const void *b, float *c, int64_t ldc, \
                                  const int8_addends *plus) {                                     \
        tile_body(n, FORM_##kind, k, a, b, c, ldc, plus);                                         \
    }
#define ENTRY(n, kind) tile_##kind##_##n,
#define KIND(kind)                                                                                                 \
    EACH_ROWS(TILE, kind)                                                                                          \
    static const int8_tile tiles_##kind[ROWS + 1] = {NULL, EACH_ROWS(ENTRY, kind)};                                \
    static void quantise_##kind(const int8_product *w, const float *x, int64_t rows, void *scratch, int32_t *tile) { \
        quantise_tile(FORM_##kind, w, x, rows, scratch, tile);                                                     \
    }
KIND(Q8_0)
KIND(Q6_K)
KIND(Q4_0)
KIND(Q4_K)

static void choose(int8_product *w, int32_t type) {
    switch (type) {
        case L4M_Q8_0:
            w->multiply = tiles_Q8_0;
            w->quantise = quantise_Q8_0;
            break;
        case L4M_Q6_K:
            w->multiply = tiles_Q6_K;
            w->quantise = quantise_Q6_K;
            break;
        case L4M_Q4_0:
            w->multiply = tiles_Q4_0;
            w->quantise = quantise_Q4_0;
            break;
        default:
            w->multiply = tiles_Q4_K;
            w->quantise = quantise_Q4_K;
    }
}

int ISA(matmul_int8_blocks)(l4m_pool *pool, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                            const void *packed, int32_t type, const float *bias, const float *residual, int64_t ldr,
                            int32_t activation, float *c, int64_t ldc) {
    const panel_header *header = packed;
    if (header->width != NR || header->type != INT8_BLOCKS + GROUP * L4M_TYPE_COUNT + type || header->n != n ||
        header->k != k || !l4m_has_block_products(type))
        return L4M_BAD_ARGUMENT;
    if (m == 0 || n == 0) return L4M_OK;
    form f = form_of(type);
    int8_product w = {.pool = pool, .m = m, .n = n, .k = k, .a = a, .lda = lda,
                      .panels = (const char *)(header + 1), .panel_bytes = k / BLOCK * block_bytes(f), .bias = bias,
                      .residual = residual, .ldr = ldr, .activation = activation, .c = c, .ldc = ldc,
                      .rows = int8_rows(m, ROWS)};
    choose(&w, type);
    layout at = layout_of(f, w.rows, k);
    w.stride = l4m_round_up(at.lanes + at.scales + at.words, 16);
    return ISA(int8_run)(&w, (size_t)(ROWS * (k / group_of(f) + VL)) * 4);
}
