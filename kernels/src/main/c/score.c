// Scoring one request in one call: first what depends on the user and the request alone, then block after
// block of items, whose activations never leave the L1 and L2 caches.
#include "int8.h"
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

// An operand of row instructions: columns of lanes, or one float per column for all items.
typedef struct {
    const float *at;
    int64_t stride;
    int rows;
} columns;

INLINE columns operand(const score_memory *m, int64_t address, int one) {
    int rows = score_space(address) == SCORE_ROWS;
    return (columns){score_at(m, address), one ? 0 : rows ? SCORE_LANES : 1, rows};
}

INLINE vf column(const columns *c, int64_t j, int64_t lane) {
    const float *at = c->at + j * c->stride;
    return c->rows ? vload(at + lane) : vset1(*at);
}

// Where a tile's sums begin, and where they go.
typedef struct {
    float *dst;
    const float *bias;
    int64_t n;
    int add;  // to what dst holds
    int32_t activation;
} tile_result;

INLINE void tile_begin(const int nv, const int to, const tile_result *t, vf acc[TILE][VECTORS]) {
#pragma GCC unroll 8
    for (int j = 0; j < to; j++) {
        vf start = vset1(t->bias != NULL && j < t->n ? t->bias[j] : 0.0f);
#pragma GCC unroll 3
        for (int v = 0; v < nv; v++)
            acc[j][v] = t->add && j < t->n ? (vf)(start + vload(t->dst + j * SCORE_LANES + v * VL)) : start;
    }
}

INLINE void tile_end(const int nv, const int to, const tile_result *t, vf acc[TILE][VECTORS]) {
#pragma GCC unroll 8
    for (int j = 0; j < to; j++) {
        if (j >= t->n) break;
#pragma GCC unroll 3
        for (int v = 0; v < nv; v++)
            vstore(t->dst + j * SCORE_LANES + v * VL, vactivate(acc[j][v], t->activation));
    }
}

// `to` columns of `nv` vectors of items: everything stays in registers over the whole inner dimension.
INLINE void float_tile(const int nv, const int to, const tile_result *t, const float *x, const float *w, int64_t k,
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
INLINE void pair_tile(const int nv, const int to, const tile_result *t, const uint32_t *x, const uint16_t *w,
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
INLINE void linear_tile(const int half, const int nv, const tile_result *t, const void *x, const void *w, int64_t k,
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
        const void *panel = l4m_at(w, j / SCORE_PANEL * s->panel_stride + j % SCORE_PANEL * (half ? 2 : 1), type);
        tile_result t = {.bias = bias ? bias + j : NULL,
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

static void linear_rows(const score_memory *m, const score_instruction *s, int64_t vectors) {
    if (s->flags & SCORE_INT8)
        ISA(score_linear_int8)(m, s, vectors);
    else if (score_type(s) == L4M_BF16)
        linear_pairs(m, s, vectors);
    else
        linear_tiles(0, m, s, (const uint32_t *)score_at(m, s->a), score_at(m, s->b), s->k, 1, 1, vectors);
}

// Where an item's row of a table lies.
INLINE const float *row_of(const score_memory *m, const score_instruction *s, int64_t item) {
    int64_t row = item < 0 ? s->k - 1 : item;
    const float *table = score_at(m, s->a);
    return s->flags & SCORE_INT8 ? table + row * score_int8_row(s->n) : l4m_at(table, row * s->n, score_type(s));
}

// VL numbers of a table's row from column j on, those behind the last anything; in 8 bits times its scale.
INLINE vf table_numbers(const int32_t type, const float *row, int64_t j, int64_t width) {
    if (type == L4M_TYPE_COUNT) return vload_s8((const int8_t *)(row + 1) + j) * vset1(*row);
    return vload_any(l4m_at(row, j, type), width, type);
}

// VL rows and VL of their columns, transposed in registers; `relu` or whatever else the instruction says.
INLINE void gather_square(const int32_t type, const int relu, const int whole, const score_instruction *s,
                          const float *const row[VL], int64_t j, vf add, float *dst) {
    vf t[VL];
    int64_t width = whole ? VL : s->n - j;
#pragma GCC unroll 16
    for (int r = 0; r < VL; r++) {
        vf y = table_numbers(type, row[r], j, width) + add;
        t[r] = relu ? vmax(y, vzero()) : y;
    }
    vtranspose(t);
#pragma GCC unroll 16
    for (int q = 0; q < VL; q++)
        if (whole || q < width) vstore(dst + q * SCORE_LANES, t[q]);
}

// Rows of a table become columns. L4M_TYPE_COUNT stands for 8 bits here.
INLINE void gather_typed(const int32_t type, const int relu, const score_memory *m, const score_instruction *s,
                         const int32_t *items, int64_t count) {
    const float *plus = score_at(m, s->b);
    float *dst = score_at(m, s->dst);
    for (int64_t i = 0; i < count; i += VL) {
        const float *row[VL];
        for (int64_t r = 0; r < VL; r++) row[r] = row_of(m, s, items[l4m_min(i + r, count - 1)]);
        int64_t j = 0;
        for (; j + VL <= s->n; j += VL)
            gather_square(type, relu, 1, s, row, j, plus ? vload(plus + j) : vzero(), dst + j * SCORE_LANES + i);
        if (j < s->n)
            gather_square(type, relu, 0, s, row, j, plus ? vload_n(plus + j, s->n - j) : vzero(),
                          dst + j * SCORE_LANES + i);
    }
}

INLINE void gather_of(const int32_t type, const score_memory *m, const score_instruction *s, const int32_t *items,
                      int64_t count) {
    if (s->kind == L4M_ACT_RELU)
        gather_typed(type, 1, m, s, items, count);
    else
        gather_typed(type, 0, m, s, items, count);
}

static void gather_rows(const score_memory *m, const score_instruction *s, const int32_t *items, int64_t count) {
    if (s->flags & SCORE_INT8)
        gather_of(L4M_TYPE_COUNT, m, s, items, count);
    else if (score_type(s) == L4M_BF16)
        gather_of(L4M_BF16, m, s, items, count);
    else
        gather_of(L4M_F32, m, s, items, count);
    if (s->kind == L4M_ACT_NONE || s->kind == L4M_ACT_RELU) return;
    float *dst = score_at(m, s->dst);
    for (int64_t j = 0; j < s->n; j++)
        for (int64_t i = 0; i < count; i += VL)
            vstore(dst + j * SCORE_LANES + i, vactivate(vload(dst + j * SCORE_LANES + i), (int32_t)s->kind));
}

INLINE vf combine(int64_t kind, vf a, vf b) {
    switch (kind) {
        case SCORE_ADD:
            return a + b;
        case SCORE_SUB:
            return a - b;
        case SCORE_MUL:
            return a * b;
        default:
            return a / b;
    }
}

static void softmax_rows(const columns *a, int64_t n, int64_t lane, float *dst) {
    vf top = column(a, 0, lane), sum = vzero();
    for (int64_t j = 1; j < n; j++) top = vmax(top, column(a, j, lane));
    for (int64_t j = 0; j < n; j++) {
        vf e = vexp(column(a, j, lane) - top);
        vstore(dst + j * SCORE_LANES, e);
        sum += e;
    }
    for (int64_t j = 0; j < n; j++) vstore(dst + j * SCORE_LANES, vload(dst + j * SCORE_LANES) / sum);
}

static void norm_rows(const score_instruction *s, const columns *a, const columns *b, int64_t lane, float *dst) {
    vf squares = vzero();
    for (int64_t j = 0; j < s->n; j++) {
        vf x = column(a, j, lane);
        squares = vfma(x, x, squares);
    }
    vf scale = vset1(1.0f) / vsqrt(squares / vset1((float)s->n) + vset1((float)s->p));
    for (int64_t j = 0; j < s->n; j++)
        vstore(dst + j * SCORE_LANES, column(a, j, lane) * scale * column(b, j, lane));
}

// Instructions that treat every lane alike.
static void lanes(const score_memory *m, const score_instruction *s, int64_t vectors) {
    columns a = operand(m, s->a, (s->flags & SCORE_A_ONE) != 0), b = operand(m, s->b, (s->flags & SCORE_B_ONE) != 0);
    for (int64_t lane = 0; lane < vectors * VL; lane += VL) {
        float *dst = score_at(m, s->dst) + lane;
        switch (s->op) {
            case SCORE_BINARY:
                for (int64_t j = 0; j < s->n; j++)
                    vstore(dst + j * SCORE_LANES,
                           vactivate(combine(s->kind, column(&a, j, lane), column(&b, j, lane)), (int32_t)s->m));
                break;
            case SCORE_UNARY:
                for (int64_t j = 0; j < s->n; j++)
                    vstore(dst + j * SCORE_LANES, vactivate(column(&a, j, lane), (int32_t)s->kind));
                break;
            case SCORE_SCALE:
                for (int64_t j = 0; j < s->n; j++)
                    vstore(dst + j * SCORE_LANES, vfma(vset1((float)s->p), column(&a, j, lane), vset1((float)s->q)));
                break;
            case SCORE_SOFTMAX:
                softmax_rows(&a, s->n, lane, dst);
                break;
            case SCORE_MIXTURE:
                for (int64_t j = 0; j < s->n; j++) {
                    vf sum = vzero();
                    for (int64_t k = 0; k < s->k; k++)
                        sum = vfma(column(&a, k, lane), column(&b, k * s->n + j, lane), sum);
                    vstore(dst + j * SCORE_LANES, sum);
                }
                break;
            case SCORE_RMS_NORM:
                norm_rows(s, &a, &b, lane, dst);
                break;
            case SCORE_COPY:
                for (int64_t j = 0; j < s->n; j++) vstore(dst + j * SCORE_LANES, column(&a, j, lane));
                break;
            default:
                for (int64_t j = 0; j < s->n; j++)
                    for (int64_t r = 0; r < s->m; r++)
                        vstore(dst + (j * s->m + r) * SCORE_LANES, column(&a, j, lane));
        }
    }
}

// dst[mr, 4 or 1 vectors] of a small row-major product.
INLINE void small_tile(const int32_t type, const int mr, const int nv, const score_instruction *s, const float *x,
                       const void *w, const float *bias, int64_t n, float *dst) {
    vf acc[4][4];
    for (int r = 0; r < mr; r++)
        for (int v = 0; v < nv; v++)
            acc[r][v] = bias == NULL ? vzero() : nv == 1 && n < VL ? vload_n(bias, n) : vload(bias + v * VL);
    for (int64_t p = 0; p < s->k; p++, w = l4m_at(w, s->n, type)) {
        for (int v = 0; v < nv; v++) {
            vf wv = vload_any(l4m_at(w, v * VL, type), nv == 1 ? n : VL, type);
            for (int r = 0; r < mr; r++) acc[r][v] = vfma(vset1(x[r * s->k + p]), wv, acc[r][v]);
        }
    }
    for (int r = 0; r < mr; r++)
        for (int v = 0; v < nv; v++) {
            vf y = vactivate(acc[r][v], (int32_t)s->kind);
            if (nv == 1 && n < VL)
                vstore_n(dst + r * s->n, y, n);
            else
                vstore(dst + r * s->n + v * VL, y);
        }
}

INLINE void small_rows(const int32_t type, const int mr, const score_instruction *s, const float *x, const void *w,
                       const float *bias, float *dst) {
    int64_t j = 0;
    for (; j + 4 * VL <= s->n && mr == 1; j += 4 * VL)
        small_tile(type, mr, 4, s, x, l4m_at(w, j, type), bias ? bias + j : NULL, 4 * VL, dst + j);
    for (; j + 2 * VL <= s->n; j += 2 * VL)
        small_tile(type, mr, 2, s, x, l4m_at(w, j, type), bias ? bias + j : NULL, 2 * VL, dst + j);
    for (; j < s->n; j += VL)
        small_tile(type, mr, 1, s, x, l4m_at(w, j, type), bias ? bias + j : NULL, l4m_min(VL, s->n - j), dst + j);
}

INLINE void linear_vector_typed(const int32_t type, const score_memory *m, const score_instruction *s) {
    const float *x = score_at(m, s->a), *w = score_at(m, s->b), *bias = score_at(m, s->c);
    float *dst = score_at(m, s->dst);
    int64_t i = 0;
    for (; i + 4 <= s->m; i += 4) small_rows(type, 4, s, x + i * s->k, w, bias, dst + i * s->n);
    for (; i < s->m; i++) small_rows(type, 1, s, x + i * s->k, w, bias, dst + i * s->n);
}

static void linear_vector(const score_memory *m, const score_instruction *s) {
    if (score_type(s) == L4M_BF16)
        linear_vector_typed(L4M_BF16, m, s);
    else
        linear_vector_typed(L4M_F32, m, s);
}

static void softmax_vector(const float *a, int64_t n, float *dst) {
    float top = a[0], sum = 0;
    for (int64_t j = 1; j < n; j++) top = a[j] > top ? a[j] : top;
    for (int64_t j = 0; j < n; j += VL) {
        int64_t w = l4m_min(VL, n - j);
        vf e = vexp(vload_any(a + j, w, L4M_F32) - vset1(top));
        w == VL ? vstore(dst + j, e) : vstore_n(dst + j, e, w);
    }
    for (int64_t j = 0; j < n; j++) sum += dst[j];
    for (int64_t j = 0; j < n; j++) dst[j] /= sum;
}

static void norm_vector(const score_instruction *s, const float *a, const float *b, float *dst) {
    float squares = 0;
    for (int64_t j = 0; j < s->n; j++) squares += a[j] * a[j];
    float scale = 1 / __builtin_sqrtf(squares / (float)s->n + (float)s->p);
    for (int64_t j = 0; j < s->n; j++) dst[j] = a[j] * scale * b[j];
}

// One item and vectors: what depends on the user and the request alone.
static void vector_instruction(const score_memory *m, const score_instruction *s) {
    const float *a = score_at(m, s->a), *b = score_at(m, s->b);
    float *dst = score_at(m, s->dst);
    int64_t sa = (s->flags & SCORE_A_ONE) ? 0 : 1, sb = (s->flags & SCORE_B_ONE) ? 0 : 1;
    switch (s->op) {
        case SCORE_LINEAR:
            linear_vector(m, s);
            break;
        case SCORE_BINARY:
        case SCORE_UNARY: {
            int binary = s->op == SCORE_BINARY;
            for (int64_t j = 0; j < s->n; j += VL) {
                int64_t w = l4m_min(VL, s->n - j);
                vf x = sa ? vload_any(a + j, w, L4M_F32) : vset1(*a);
                if (binary) x = combine(s->kind, x, sb ? vload_any(b + j, w, L4M_F32) : vset1(*b));
                x = vactivate(x, (int32_t)(binary ? s->m : s->kind));
                w == VL ? vstore(dst + j, x) : vstore_n(dst + j, x, w);
            }
            break;
        }
        case SCORE_SCALE:
            for (int64_t j = 0; j < s->n; j++) dst[j] = (float)s->p * a[j] + (float)s->q;
            break;
        case SCORE_SOFTMAX:
            softmax_vector(a, s->n, dst);
            break;
        case SCORE_MIXTURE:
            for (int64_t j = 0; j < s->n; j++) {
                float sum = 0;
                for (int64_t k = 0; k < s->k; k++) sum += a[k] * b[k * s->n + j];
                dst[j] = sum;
            }
            break;
        case SCORE_RMS_NORM:
            norm_vector(s, a, b, dst);
            break;
        case SCORE_COPY:
            memcpy(dst, a, (size_t)s->n * sizeof(float));
            break;
        case SCORE_PACK:
            ISA(score_pack)(m, s);
            break;
        default:
            for (int64_t j = 0; j < s->n; j++)
                for (int64_t r = 0; r < s->m; r++) dst[j * s->m + r] = a[j];
    }
}

static void block(const score_memory *m, const score_instruction *program, int64_t instructions, const int32_t *items,
                  int64_t first, int64_t count, float *out) {
    int64_t vectors = l4m_ceil_div(count, VL);
    for (int64_t i = 0; i < instructions; i++) {
        const score_instruction *s = program + i;
        switch (s->op) {
            case SCORE_GATHER:
                gather_rows(m, s, items + first, count);
                break;
            case SCORE_LINEAR:
                linear_rows(m, s, vectors);
                break;
            case SCORE_QUANTISE:
                ISA(score_quantise)(m, s, vectors);
                break;
            case SCORE_INPUT: {
                float *dst = score_at(m, s->dst);
                for (int64_t r = 0; r < SCORE_LANES; r++) dst[r] = r < count ? m->input[first + r] : 0;
                break;
            }
            case SCORE_OUTPUT: {
                const float *a = score_at(m, s->a);
                float y[SCORE_LANES];
                for (int64_t r = 0; r < vectors * VL; r += VL) vstore(y + r, vactivate(vload(a + r), (int32_t)s->kind));
                memcpy(out + first, y, (size_t)count * sizeof(float));
                break;
            }
            default:
                lanes(m, s, vectors);
        }
    }
}

int ISA(score)(const void *program, int64_t begin, int64_t vector_end, int64_t end, const float *constants,
               const float *user, const float *context, const float *input, int64_t known_items,
               const int32_t *items, int64_t count, float *state, float *rows, float *out) {
    const score_instruction *all = program;
    score_memory m = {constants, user, context, input, state, rows};
    for (int64_t i = 0; i < count; i++)
        if (items[i] < -1 || items[i] >= known_items) return L4M_ID_OUT_OF_RANGE;
    for (int64_t i = begin; i < vector_end; i++) vector_instruction(&m, all + i);
    // Blocks of equal size, in whole vectors.
    int64_t blocks = l4m_ceil_div(count, SCORE_LANES);
    int64_t size = blocks == 0 ? 0 : l4m_round_up(l4m_ceil_div(count, blocks), VL);
    for (int64_t first = 0; first < count; first += size)
        block(&m, all + vector_end, end - vector_end, items, first, l4m_min(size, count - first), out);
    return L4M_OK;
}
