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

// Of four numbers a lane, four bytes; the first lowest.
INLINE vi quad(const rounding *r, vf a, vf b, vf c, vf d) {
    vlanes q0 = (vlanes)vi_round(vmin(a * r->inverse, r->most)), q1 = (vlanes)vi_round(vmin(b * r->inverse, r->most));
    vlanes q2 = (vlanes)vi_round(vmin(c * r->inverse, r->most)), q3 = (vlanes)vi_round(vmin(d * r->inverse, r->most));
    return (vi)((vlanes)r->zeros + q0 + (q1 << 8) + (q2 << 16) + (q3 << 24));
}

void ISA(score_quantise)(const score_memory *m, const score_instruction *s, int64_t vectors) {
    const float *x = score_at(m, s->a);
    float *scales = score_at(m, s->dst);
    int32_t *points = (int32_t *)scales + SCORE_LANES, *quads = points + SCORE_LANES;
    for (int64_t lane = 0; lane < vectors * VL; lane += VL) {
        vf low = vzero(), high = vzero(), bad = vzero();
        for (int64_t j = 0; j < s->n; j++) {
            vf y = vload(x + j * SCORE_LANES + lane);
            low = vmin(y, low);
            high = vmax(y, high);
            bad = vfma(y, vzero(), bad);
        }
        rounding r;
        vstore(scales + lane, scale_of(high - low + bad, INT8_STEPS, &r.inverse));
        vi zero = vi_round(vwhere(all_finite(low), -low, vzero()) * r.inverse);
        vi_store(points + lane, zero);
        // The whole range may round to a step more than there are.
        r.most = vset1(INT8_STEPS) - vi_float(zero);
        r.zeros = vi_mul(zero, vi_set1(0x01010101));
        for (int64_t j = 0; j < s->n; j += SCORE_QUAD) {
            const float *at = x + j * SCORE_LANES + lane;
            vf rest[SCORE_QUAD] = {vload(at), vzero(), vzero(), vzero()};
            for (int64_t i = 1; i < l4m_min(SCORE_QUAD, s->n - j); i++) rest[i] = vload(at + i * SCORE_LANES);
            vi_store(quads + j / SCORE_QUAD * SCORE_LANES + lane, quad(&r, rest[0], rest[1], rest[2], rest[3]));
        }
    }
}

// Where a tile's sums go.
typedef struct {
    const float *bias;
    float *dst;
    int64_t n;
    int add;  // to what dst holds
    int32_t activation;
} tile_result;

// TILE columns of `nv` vectors of items, `column` the first of them in its panel.
INLINE void tile(const int nv, const tile_result *t, const float *x, const float *panel, int64_t column,
                 int64_t quads) {
    const float *scales = panel + column;
    const int32_t *sums = (const int32_t *)scales + SCORE_PANEL, *w = sums + SCORE_PANEL;
    const int32_t *points = (const int32_t *)x + SCORE_LANES, *lanes = points + SCORE_LANES;
    vi acc[TILE][VECTORS];
#pragma GCC unroll 3
    for (int v = 0; v < nv; v++) {
        vi less = (vi)(-(vlanes)vi_load(points + v * VL));
#pragma GCC unroll 8
        for (int j = 0; j < TILE; j++) acc[j][v] = vi_mul(less, vi_set1(sums[j]));
    }
    for (int64_t q = 0; q < quads; q++, lanes += SCORE_LANES, w += SCORE_PANEL) {
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
#pragma GCC unroll 8
    for (int j = 0; j < TILE; j++) {
        if (j >= t->n) break;
        vf bias = vset1(t->bias ? t->bias[j] : 0.0f);
#pragma GCC unroll 3
        for (int v = 0; v < nv; v++) {
            float *dst = t->dst + j * SCORE_LANES + v * VL;
            vf y = vi_float(acc[j][v]) * (vload(x + v * VL) * vset1(scales[j])) + bias;
            if (t->add) y += vload(dst);
            vstore(dst, vactivate(y, t->activation));
        }
    }
}

void ISA(score_linear_int8)(const score_memory *m, const score_instruction *s, int64_t vectors) {
    const float *x = score_at(m, s->a), *w = score_at(m, s->b), *bias = score_at(m, s->c);
    int64_t quads = score_quads(s->k), stride = score_int8_panel(s->k);
    for (int64_t j = 0; j < s->n; j += TILE) {
        const float *panel = w + j / SCORE_PANEL * stride;
        tile_result t = {.bias = bias ? bias + j : NULL,
                         .n = l4m_min(TILE, s->n - j),
                         .add = (s->flags & SCORE_ACCUMULATE) != 0,
                         .activation = (int32_t)s->kind};
        for (int64_t v = 0; v < vectors; v += VECTORS) {
            t.dst = score_at(m, s->dst) + j * SCORE_LANES + v * VL;
            switch (l4m_min(VECTORS, vectors - v)) {
                case 1:
                    tile(1, &t, x + v * VL, panel, j % SCORE_PANEL, quads);
                    break;
                case 2:
                    tile(2, &t, x + v * VL, panel, j % SCORE_PANEL, quads);
                    break;
                default:
                    tile(3, &t, x + v * VL, panel, j % SCORE_PANEL, quads);
            }
        }
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
        vlanes turned = (vlanes)vi_set1((int32_t)0x80808080);
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
