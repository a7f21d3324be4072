// Rows of tables become columns of items: VL rows at a time, transposed in registers; see score.h.
#include "int8.h"
#include "kernels.h"
#include "vmath.h"

#include "score.h"

// What is added to a row, and what becomes of the sum.
typedef struct {
    const float *plus;  // or NULL
    int relu;           // whatever else the instruction says comes later
    int64_t n;
    float *dst;
    vi top;  // with relu: the largest numbers of each item so far
} gathered;

INLINE void put_column(gathered *g, int64_t j, vf y) {
    if (g->relu) {
        y = vrelu(y);
        g->top = vi_max(g->top, (vi)vabs(y));
    }
    vstore(g->dst + j * SCORE_LANES, y);
}

// Columns [j, ...) of VL rows of F32 or BF16.
INLINE void gather_square(const int32_t type, const int whole, const float *const row[VL], int64_t j, gathered *g) {
    vf t[VL];
    int64_t width = whole ? VL : g->n - j;
    vf add = g->plus == NULL ? vzero() : whole ? vload(g->plus + j) : vload_n(g->plus + j, width);
#pragma GCC unroll 16
    for (int r = 0; r < VL; r++) t[r] = vload_any(l4m_at(row[r], j, type), width, type) + add;
    vtranspose(t);
#pragma GCC unroll 16
    for (int q = 0; q < VL; q++)
        if (whole || q < width) put_column(g, j + q, t[q]);
}

INLINE void gather_floats(const int32_t type, const float *const row[VL], gathered *g) {
    int64_t j = 0;
    for (; j + VL <= g->n; j += VL) gather_square(type, 1, row, j, g);
    if (j < g->n) gather_square(type, 0, row, j, g);
}

// Quads [q, q + VL) of VL rows of bytes, four columns in each lane.
INLINE void quad_square(const float *const row[VL], int64_t q, int64_t quads, vf t[VL]) {
#pragma GCC unroll 16
    for (int r = 0; r < VL; r++) t[r] = q + VL <= quads ? vload(row[r] + 1 + q) : vload_n(row[r] + 1 + q, quads - q);
    vtranspose(t);
}

INLINE vf row_scales(const float *const row[VL]) {
    float scales[VL];
    for (int r = 0; r < VL; r++) scales[r] = *row[r];
    return vload(scales);
}

INLINE void gather_int8(const float *const row[VL], gathered *g) {
    vf scale = row_scales(row), t[VL];
    int64_t quads = score_quads(g->n);
    for (int64_t q = 0; q < quads; q += VL) {
        quad_square(row, q, quads, t);
        for (int64_t i = 0; i < l4m_min(VL, quads - q); i++) {
            int64_t first = (q + i) * SCORE_QUAD, columns = l4m_min(SCORE_QUAD, g->n - first);
#pragma GCC unroll 4
            for (int c = 0; c < SCORE_QUAD; c++) {
                if (c >= columns) break;
                vf add = g->plus ? vset1(g->plus[first + c]) : vzero();
                put_column(g, first + c, vfma(vi_float(vi_signed_byte((vi)t[i], c)), scale, add));
            }
        }
    }
}

static void gather_bytes(const float *const row[VL], int64_t n, float *dst) {
    vf t[VL];
    vi above = vi_set1(SCORE_BYTES_TURN);
    int64_t quads = score_quads(n);
    vstore(dst, row_scales(row));
    vi_store((int32_t *)dst + SCORE_LANES, vi_set1(SCORE_BYTES_ZERO));
    dst += SCORE_BYTES_HEAD * SCORE_LANES;
    for (int64_t q = 0; q < quads; q += VL) {
        quad_square(row, q, quads, t);
        for (int64_t i = 0; i < l4m_min(VL, quads - q); i++)
            vi_store((int32_t *)dst + (q + i) * SCORE_LANES, (vi)((vlanes)t[i] ^ (vlanes)above));
    }
}

static void activate_columns(const score_instruction *s, float *dst, int64_t count) {
    for (int64_t j = 0; j < s->n; j++)
        for (int64_t i = 0; i < count; i += VL)
            vstore(dst + j * SCORE_LANES + i, vactivate(vload(dst + j * SCORE_LANES + i), (int32_t)s->kind));
}

INLINE void gather_group(const score_instruction *s, const float *const row[VL], gathered *g) {
    if (s->flags & SCORE_INT8)
        gather_int8(row, g);
    else if (score_type(s) == L4M_BF16)
        gather_floats(L4M_BF16, row, g);
    else
        gather_floats(L4M_F32, row, g);
}

void ISA(score_gather)(const score_memory *m, const score_instruction *s, const int32_t *items, int64_t count) {
    float *dst = score_at(m, s->dst);
    int relu = s->kind == L4M_ACT_RELU;
    int32_t tops[SCORE_LANES];
    for (int64_t i = 0; i < count; i += VL) {
        const float *row[VL];
        for (int64_t r = 0; r < VL; r++) row[r] = score_row(m, s, items[l4m_min(i + r, count - 1)]);
        if (s->flags & SCORE_BYTES) {
            gather_bytes(row, s->n, dst + i);
            continue;
        }
        gathered g = {.plus = score_at(m, s->b), .relu = relu, .n = s->n, .dst = dst + i, .top = vi_set1(0)};
        gather_group(s, row, &g);
        vi_store(tops + i, g.top);
    }
    if (!relu && s->kind != L4M_ACT_NONE) activate_columns(s, dst, count);
    if (s->d)
        ISA(score_quantise_columns)(dst, s->n, relu ? tops : NULL, score_at(m, s->d), l4m_ceil_div(count, VL));
}
