// The parts of scoring programs that compute in 8 bits, and what they read packed; see score.h.
#include "int8.h"
#include "kernels.h"
#include "panels.h"
#include "score.h"
#include "vmath.h"

// Output columns of a tile, for three vectors of items: what the registers hold.
#define VECTORS 3
#if GROUP == 4
#define TILE 8
#elif VL == 16
#define TILE 4
#else
#define TILE 2
#endif

// What turns numbers into integers of 8 bits, one for each lane.
typedef struct {
    vf inverse, most;
    vi zeros;  // the zero point in every byte
} rounding;

// Lanes whose values are all finite.
INLINE vlanes all_finite(vf x) { return (vlanes)(x * vzero() == vzero()); }
INLINE vf vwhere(vlanes mask, vf x, vf y) { return (vf)(((vlanes)x & mask) | ((vlanes)y & ~mask)); }

// As int8_scale, for each lane; what is not finite makes a scale of NaN.
INLINE vf scale_of(vf range, float levels, vf *inverse) {
    *inverse = vset1(levels) / range;
    vlanes known = all_finite(range), usable = known & all_finite(*inverse);
    *inverse = vwhere(usable, *inverse, vzero());
    return vwhere(usable, range / vset1(levels), vwhere(known, vzero(), vset1(NAN)));
}

// The lowest bytes of four integers side by side, plus what the bytes of `base` hold; unsigned, as sums may wrap.
INLINE vi quad_of(vi base, vi a, vi b, vi c, vi d) {
    return (vi)((vpairs)base + (vpairs)a + ((vpairs)b << 8) + ((vpairs)c << 16) + ((vpairs)d << 24));
}

// Of four numbers a lane, four bytes; the first lowest.
INLINE vi quad(const rounding *r, vf a, vf b, vf c, vf d) {
    return quad_of(r->zeros, vi_round(vmin(a * r->inverse, r->most)), vi_round(vmin(b * r->inverse, r->most)),
                   vi_round(vmin(c * r->inverse, r->most)), vi_round(vmin(d * r->inverse, r->most)));
}

// The same of numbers that are not negative, whose zero point is 0.
INLINE vi quad_above_zero(vf inverse, vf a, vf b, vf c, vf d) {
    return quad_of(vi_set1(0), vi_round(a * inverse), vi_round(b * inverse), vi_round(c * inverse),
                   vi_round(d * inverse));
}

INLINE void quantise_lane(const float *x, int64_t n, const int32_t *top, float *to) {
    vf low = vzero(), range;
    rounding r;
    if (top == NULL) {
        vf high = vzero(), bad = vzero();
        for (int64_t j = 0; j < n; j++) {
            vf y = vload(x + j * SCORE_LANES);
            low = vmin(y, low);
            high = vmax(y, high);
            bad = vfma(y, vzero(), bad);
        }
        range = high - low + bad;
    } else {
        range = (vf)vi_load(top);
    }
    vstore(to, scale_of(range, INT8_STEPS, &r.inverse));
    vi zero = vi_round(vwhere(all_finite(low), -low, vzero()) * r.inverse);
    vi_store((int32_t *)to + SCORE_LANES, zero);
    // The whole range may round to a step more than there are.
    r.most = vset1(INT8_STEPS) - vi_float(zero);
    r.zeros = vi_mul(zero, vi_set1(0x01010101));
    int32_t *quads = (int32_t *)to + SCORE_BYTES_HEAD * SCORE_LANES;
    for (int64_t j = 0; j < n; j += SCORE_QUAD, quads += SCORE_LANES) {
        const float *at = x + j * SCORE_LANES;
        vf part[SCORE_QUAD] = {vload(at), vzero(), vzero(), vzero()};
#pragma GCC unroll 4
        for (int i = 1; i < SCORE_QUAD; i++)
            if (j + i < n) part[i] = vload(at + i * SCORE_LANES);
        vi_store(quads, top ? quad_above_zero(r.inverse, part[0], part[1], part[2], part[3])
                            : quad(&r, part[0], part[1], part[2], part[3]));
    }
}

void ISA(score_quantise_columns)(const float *x, int64_t n, const int32_t *tops, float *to, int64_t vectors) {
    for (int64_t lane = 0; lane < vectors * VL; lane += VL) {
        if (tops)
            quantise_lane(x + lane, n, tops + lane, to + lane);
        else
            quantise_lane(x + lane, n, NULL, to + lane);
    }
}

void ISA(score_quantise)(const score_memory *m, const score_instruction *s, int64_t vectors) {
    ISA(score_quantise_columns)(score_at(m, s->a), s->n, NULL, score_at(m, s->dst), vectors);
}

// What a tile multiplies and adds besides.
typedef struct {
    const float *x;      // in 8 bits
    const float *panel;  // from the tile's first column on
    int64_t quads;
    int zeros;             // whether all zero points are 0
    const int32_t *bytes;  // of the addend's column 0, or NULL
    const float *scales;
    int64_t first;  // the tile's first column
} factors;

// TILE columns of `nv` vectors of items.
INLINE void multiply(const int nv, const factors *f, int64_t lane, vi acc[TILE][VECTORS]) {
    const int32_t *sums = (const int32_t *)f->panel + SCORE_PANEL, *w = sums + SCORE_PANEL;
    const int32_t *points = (const int32_t *)f->x + SCORE_LANES + lane, *lanes = points + SCORE_LANES;
#pragma GCC unroll 3
    for (int v = 0; v < nv; v++) {
#pragma GCC unroll 8
        for (int j = 0; j < TILE; j++) acc[j][v] = vi_set1(0);
        if (f->zeros) continue;
        vi less = (vi)(-(vlanes)vi_load(points + v * VL));
#pragma GCC unroll 8
        for (int j = 0; j < TILE; j++) acc[j][v] = vi_mul(less, vi_set1(sums[j]));
    }
    for (int64_t q = 0; q < f->quads; q++, lanes += SCORE_LANES, w += SCORE_PANEL) {
        vi xv[VECTORS];
#pragma GCC unroll 3
        for (int v = 0; v < nv; v++) xv[v] = vi_load(lanes + v * VL);
#pragma GCC unroll 8
        for (int j = 0; j < TILE; j++) {
            vi wj = vi_set1(w[j]);
#pragma GCC unroll 3
            for (int v = 0; v < nv; v++) acc[j][v] = vi_dot_quads(acc[j][v], xv[v], wj);
        }
    }
}

// `tops` are the largest numbers of each item so far, with relu.
INLINE void finish(const int nv, const int relu, const int bytes, const score_tile *t, const factors *f, int64_t lane,
                   vi acc[TILE][VECTORS], int32_t *tops) {
#pragma GCC unroll 3
    for (int v = 0; v < nv; v++, lane += VL) {
        vf scale = vload(f->x + lane), plus = bytes ? vload(f->scales + lane) : vzero();
        vi top = vi_load(tops + lane), quad = vi_set1(0);
#pragma GCC unroll 8
        for (int j = 0; j < TILE; j++) {
            if (j >= t->n) break;
            float *dst = t->dst + j * SCORE_LANES + lane;
            vf y = vfma(vi_float(acc[j][v]), scale * vset1(f->panel[j]), vset1(t->bias ? t->bias[j] : 0.0f));
            if (bytes) {
                int64_t column = f->first + j;
                // A tile of fewer columns lies in one quad.
                if (j % SCORE_QUAD == 0) {
                    quad = vi_load(f->bytes + column / SCORE_QUAD * SCORE_LANES + lane);
                    quad = (vi)((vlanes)quad ^ (vlanes)vi_set1(SCORE_BYTES_TURN));
                }
                y = vfma(vi_float(vi_signed_byte(quad, column % SCORE_QUAD)), plus, y);
            }
            if (t->add) y += vload(dst);
            y = relu ? vrelu(y) : vactivate(y, t->activation);
            if (relu) top = vi_max(top, (vi)vabs(y));
            vstore(dst, y);
        }
        if (relu) vi_store(tops + lane, top);
    }
}

INLINE void tile(const int nv, const score_tile *t, const factors *f, int64_t lane, int32_t *tops) {
    vi acc[TILE][VECTORS];
    multiply(nv, f, lane, acc);
    int relu = t->activation == L4M_ACT_RELU;
    if (relu && f->bytes)
        finish(nv, 1, 1, t, f, lane, acc, tops);
    else if (relu)
        finish(nv, 1, 0, t, f, lane, acc, tops);
    else
        finish(nv, 0, f->bytes != NULL, t, f, lane, acc, tops);
}

// Whether a block's zero points are all 0, as they are behind a ReLU.
static int no_zero_points(const float *x, int64_t vectors) {
    int32_t any = 0;
    for (int64_t i = 0; i < vectors * VL; i++) any |= ((const int32_t *)x)[SCORE_LANES + i];
    return any == 0;
}

void ISA(score_linear_int8)(const score_memory *m, const score_instruction *s, int64_t vectors) {
    const float *w = score_at(m, s->b), *bias = score_at(m, s->c), *e = score_at(m, s->e);
    float *dst = score_at(m, s->dst);
    int32_t tops[SCORE_LANES] = {0};
    factors f = {.x = score_at(m, s->a),
                 .quads = score_quads(s->k),
                 .bytes = e ? (const int32_t *)e + SCORE_BYTES_HEAD * SCORE_LANES : NULL,
                 .scales = e};
    f.zeros = no_zero_points(f.x, vectors);
    for (int64_t j = 0; j < s->n; j += TILE) {
        score_ask(m->ahead, score_tile_work(s->k));
        f.panel = w + j / SCORE_PANEL * score_int8_panel(s->k) + j % SCORE_PANEL;
        f.first = j;
        score_tile t = {.dst = dst + j * SCORE_LANES,
                        .bias = bias ? bias + j : NULL,
                        .n = l4m_min(TILE, s->n - j),
                        .add = (s->flags & SCORE_ACCUMULATE) != 0,
                        .activation = (int32_t)s->kind};
        for (int64_t v = 0; v < vectors; v += VECTORS) {
            switch (l4m_min(VECTORS, vectors - v)) {
                case 1:
                    tile(1, &t, &f, v * VL, tops);
                    break;
                case 2:
                    tile(2, &t, &f, v * VL, tops);
                    break;
                default:
                    tile(3, &t, &f, v * VL, tops);
            }
        }
    }
    if (s->d)
        ISA(score_quantise_columns)(dst, s->n, s->kind == L4M_ACT_RELU ? tops : NULL, score_at(m, s->d), vectors);
}

// One row of numbers in 8 bits, bytes up to a whole vector; returns their scale.
static float quantise_vector(const float *x, int64_t n, int32_t *zero, uint8_t *bytes) {
    vf low = vzero(), high = vzero(), bad = vzero();
    for (int64_t i = 0; i < n; i += VL) {
        vf y = vload_any(x + i, n - i, L4M_F32);
        low = vmin(y, low);
        high = vmax(y, high);
        bad = vfma(y, vzero(), bad);
    }
    float least = -vmaxval(vzero() - low), inverse;
    float scale = int8_scale(vmaxval(high) - least + vsum(bad), INT8_STEPS, &inverse);
    *zero = isfinite(least) ? (int32_t)rintf(-least * inverse) : 0;
    vf most = vset1(INT8_STEPS - (float)*zero);
    for (int64_t i = 0; i < n; i += VL) {
        vf y = vload_any(x + i, n - i, L4M_F32);
        int32_t q[VL];
        vi_store(q, (vi)((vlanes)vi_round(vmin(y * vset1(inverse), most)) + (vlanes)vi_set1(*zero)));
        for (int j = 0; j < VL; j++) bytes[i + j] = (uint8_t)q[j];
    }
    return scale;
}

// A row in 8 bits.
typedef struct {
    float scale;
    int32_t zero, quads[(SCORE_INT8_VECTOR + VL) / SCORE_QUAD];
} vector8;

// `nv` vectors of columns from the j-th on.
INLINE void vector_tile(const int nv, const score_instruction *s, const float *w, const float *bias, const vector8 *x,
                        int64_t j, float *dst) {
    int64_t quads = score_quads(s->k), stride = score_int8_wide_panel(s->k);
    const float *panel[4];
    vi acc[4];
#pragma GCC unroll 4
    for (int v = 0; v < nv; v++) {
        int64_t first = j + v * VL;
        panel[v] = w + first / SCORE_WIDE_PANEL * stride + first % SCORE_WIDE_PANEL;
        acc[v] = vi_set1(0);
        if (x->zero) acc[v] = vi_mul(vi_set1(-x->zero), vi_load((const int32_t *)panel[v] + SCORE_WIDE_PANEL));
    }
    for (int64_t q = 0; q < quads; q++) {
        vi xq = vi_set1(x->quads[q]);
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++)
            acc[v] = vi_dot_quads(acc[v], xq, vi_load((const int32_t *)panel[v] + (2 + q) * SCORE_WIDE_PANEL));
    }
#pragma GCC unroll 4
    for (int v = 0; v < nv; v++) {
        int64_t first = j + v * VL, n = l4m_min(VL, s->n - first);
        if (n <= 0) break;
        vf plus = bias ? vload_any(bias + first, n, L4M_F32) : vzero();
        vf y = vactivate(vfma(vi_float(acc[v]), vset1(x->scale) * vload(panel[v]), plus), (int32_t)s->kind);
        n == VL ? vstore(dst + first, y) : vstore_n(dst + first, y, n);
    }
}

void ISA(score_vector_int8)(const score_memory *m, const score_instruction *s) {
    const float *x = score_at(m, s->a), *w = score_at(m, s->b), *bias = score_at(m, s->c);
    float *dst = score_at(m, s->dst);
    vector8 rounded;
    for (int64_t i = 0; i < s->m; i++, x += s->k, dst += s->n) {
        rounded.scale = quantise_vector(x, s->k, &rounded.zero, (uint8_t *)rounded.quads);
        int64_t j = 0;
        for (; j + 4 * VL <= s->n; j += 4 * VL) {
            score_ask(m->ahead, score_tile_work(s->k));
            vector_tile(4, s, w, bias, &rounded, j, dst);
        }
        for (; j < s->n; j += VL) vector_tile(1, s, w, bias, &rounded, j, dst);
    }
}

// VL columns [j, ...) of what goes to one place in each panel, the panels `stride` apart.
INLINE void spread(int64_t n, int64_t j, vi lanes, float *to, int64_t stride) {
    int32_t values[VL];
    vi_store(values, lanes);
    for (int64_t i = 0; i < VL && j + i < n; i += l4m_min(VL, SCORE_PANEL))
        memcpy(to + (j + i) / SCORE_PANEL * stride + (j + i) % SCORE_PANEL, values + i,
               sizeof(float) * (size_t)l4m_min(VL, SCORE_PANEL));
}

// Row p of VL columns of a, zeros behind the last.
INLINE vf row_of(const score_instruction *s, const float *a, int64_t p, int64_t j) {
    return p < s->k ? vload_any(a + p * s->n + j, s->n - j, L4M_F32) : vzero();
}

static void pack_bf16(const score_memory *m, const score_instruction *s) {
    const float *a = score_at(m, s->a);
    float *to = score_at(m, s->dst);
    int64_t pairs = l4m_ceil_div(s->k, 2);
    for (int64_t j = 0; j < s->n; j += VL)
        for (int64_t p = 0; p < pairs; p++)
            spread(s->n, j, (vi)vpairs_of(row_of(s, a, 2 * p, j), row_of(s, a, 2 * p + 1, j)), to + p * SCORE_PANEL,
                   pairs * SCORE_PANEL);
}

static void pack_int8(const score_memory *m, const score_instruction *s) {
    const float *a = score_at(m, s->a);
    float *to = score_at(m, s->dst);
    int64_t stride = score_int8_panel(s->k);
    for (int64_t j = 0; j < s->n; j += VL) {
        vf largest = vzero(), bad = vzero();
        for (int64_t p = 0; p < s->k; p++) {
            vf y = row_of(s, a, p, j);
            largest = vmax(vabs(y), largest);
            bad = vfma(y, vzero(), bad);
        }
        // Bytes that count from -128 and, with their highest bit turned, are signed ones.
        vlanes turned = (vlanes)vi_set1(SCORE_BYTES_TURN);
        rounding r = {.most = vset1(INT8_WEIGHT_LEVELS), .zeros = (vi)turned};
        spread(s->n, j, (vi)scale_of(largest + bad, INT8_WEIGHT_LEVELS, &r.inverse), to, stride);
        vlanes sums = (vlanes)vi_set1(0);
        for (int64_t p = 0; p < s->k; p += SCORE_QUAD) {
            vi q = quad(&r, row_of(s, a, p, j), row_of(s, a, p + 1, j), row_of(s, a, p + 2, j),
                        row_of(s, a, p + 3, j));
            q = (vi)((vlanes)q ^ turned);
            sums = (vlanes)vi_dot_quads((vi)sums, vi_set1(0x01010101), q);
            spread(s->n, j, q, to + SCORE_PANEL_HEAD + p / SCORE_QUAD * SCORE_PANEL, stride);
        }
        spread(s->n, j, (vi)sums, to + SCORE_PANEL, stride);
    }
}

void ISA(score_pack)(const score_memory *m, const score_instruction *s) {
    if (s->flags & SCORE_INT8)
        pack_int8(m, s);
    else
        pack_bf16(m, s);
}
