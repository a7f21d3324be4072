// Attention over packed sequences with grouped heads and an online softmax (Milakov and Gimelshein 2018;
// Dao et al. 2022). Keys and values pass by in blocks that are packed once for all queries of a block, which are those
// of every head that reads the key head. A register tile of queries meets them with its scores in L1.
#include "attention.h"

#include "indices.h"
#include "kernels.h"
#include "tile.h"
#include "vmath.h"

// Keys that are packed at a time, whole panels of every instruction set: with their values they stay in L2.
#define KEYS 256
// From one row of scores to the next: not a power of two, for rows would share few sets of the cache.
#define SCORES (KEYS + 16)
// Queries that share them: packing costs less than a twentieth of their products.
#define QUERIES 224

void ISA(attention_cap)(float *s, int64_t n, float scale, float cap) {
    vf inner = vset1(scale / cap), outer = vset1(cap);
    for (int64_t j = 0; j < n; j += VL) {
        int64_t t = l4m_min(VL, n - j);
        vf r = outer * vtanh(vload_any(s + j, t, L4M_F32) * inner);
        t == VL ? vstore(s + j, r) : vstore_n(s + j, r, t);
    }
}

// Below every score: what a row begins with.
#define LEAST -3e38f

// One task's scratch.
typedef struct {
    int32_t *map;
    // Of each row: scores so far, their largest and the sum of exponentials; sums of values, `width` columns.
    float *top, *sum, *out;
    int64_t width;
    // Queries as tiles [head_dim, rows], keys as panels [head_dim, NR], values as panels [KEYS, NR].
    float *queries, *keys, *values;
    // Of a tile, [MR, SCORES].
    float *scores;
} memory;

// Floats, or integers, of such a scratch, and where it begins to be each.
static int64_t lay_out(float *base, int64_t rows, int64_t d, memory *m) {
    int64_t width = l4m_round_up(d, NR), at = l4m_round_up(rows, 16);
    int64_t sizes[] = {rows, rows, rows * width, l4m_ceil_div(rows, MR) * panel_stride(MR, d),
                       KEYS * d, KEYS * width, MR * SCORES};
    float **fields[] = {&m->top, &m->sum, &m->out, &m->queries, &m->keys, &m->values, &m->scores};
    m->width = width;
    m->map = (int32_t *)base;
    for (int i = 0; i < 7; i++) {
        *fields[i] = base == NULL ? NULL : base + at;
        at += l4m_round_up(sizes[i] + VL, 16);
    }
    return at;
}

// The first `vectors` vectors of c[rows, NR] = a[d, rows]^T b[d, NR]; c has rows of SCORES.
INLINE void score_tile(const int rows, const int vectors, int64_t d, const float *restrict a, const float *restrict b,
                       float *c) {
    vf acc[MR][NV];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) acc[i][v] = vzero();
    for (int64_t p = 0; p < d; p++) {
        vf bv[NV];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) bv[v] = vload(b + v * VL);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            vf av = vset1(a[i]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[i][v] = vfma(av, bv[v], acc[i][v]);
        }
        a += rows;
        b += NR;
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) vstore(c + i * SCORES + v * VL, acc[i][v]);
}

// c[rows, NR] = factors c + a[rows, n] b[n, NR]; a has rows of SCORES, c rows of ldc.
INLINE void value_tile(const int rows, int64_t n, const float *restrict a, const float *restrict b,
                       const float *factors, float *c, int64_t ldc) {
    vf acc[MR][NV];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        vf factor = vset1(factors[i]);
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) acc[i][v] = factor * vload(c + i * ldc + v * VL);
    }
    for (int64_t p = 0; p < n; p++) {
        vf bv[NV];
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) bv[v] = vload(b + v * VL);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            vf av = vset1(a[i * SCORES]);
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) acc[i][v] = vfma(av, bv[v], acc[i][v]);
        }
        a++;
        b += NR;
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) vstore(c + i * ldc + v * VL, acc[i][v]);
}

typedef void (*score_fn)(int64_t, const float *, const float *, float *);
typedef void (*value_fn)(int64_t, const float *, const float *, const float *, float *, int64_t);

#define SCORE_TILE(n)                                                                                                \
    static void score_##n(int64_t d, const float *a, const float *b, float *c) { score_tile(n, NV, d, a, b, c); }    \
    static void narrow_score_##n(int64_t d, const float *a, const float *b, float *c) { score_tile(n, 1, d, a, b, c); }
EACH_TILE(SCORE_TILE)
#define VALUE_TILE(n)                                                                                              \
    static void value_##n(int64_t k, const float *a, const float *b, const float *factors, float *c, int64_t ldc) { \
        value_tile(n, k, a, b, factors, c, ldc);                                                                   \
    }
EACH_TILE(VALUE_TILE)
#define SCORE_ENTRY(n) score_##n,
#define NARROW_ENTRY(n) narrow_score_##n,
static const score_fn score_tiles[MR + 1] = {NULL, EACH_TILE(SCORE_ENTRY)};
static const score_fn narrow_score_tiles[MR + 1] = {NULL, EACH_TILE(NARROW_ENTRY)};
#define VALUE_ENTRY(n) value_##n,
static const value_fn value_tiles[MR + 1] = {NULL, EACH_TILE(VALUE_ENTRY)};

// Asks for `count` rows of d values, `ld` apart: the processor does not guess rows that lie pages apart.
static void prefetch_rows(const float *x, int64_t ld, int64_t count, int64_t d) {
    for (int64_t r = 0; r < count; r++)
        for (int64_t c = 0; c < d; c += 16) __builtin_prefetch(x + r * ld + c);
}

// Rows [row, row + n) of keys and values as panels.
static void pack_keys(const attention_job *w, int64_t row, int64_t n, int64_t kv_head, const memory *m) {
    int64_t d = w->head_dim, width = w->kv_heads * d, at = row * width + kv_head * d;
    for (int64_t j0 = 0; j0 < n; j0 += VL) {
        int64_t count = l4m_min(VL, n - j0), ahead = l4m_min(VL, n - j0 - count);
        prefetch_rows(w->k + at + (j0 + VL) * width, width, ahead, d);
        prefetch_rows(w->v + at + (j0 + VL) * width, width, ahead, d);
        pack_transposed(w->k + at, width, NULL, j0, count, 0, d, L4M_F32, m->keys + j0 / NR * NR * d + j0 % NR, NR);
        for (int64_t c = 0; c < m->width; c += VL) {
            float *to = m->values + (c / NR * KEYS + j0) * NR + c % NR;
            const float *from = w->v + at + j0 * width + c;
            for (int64_t j = 0; j < count; j++, to += NR, from += width)
                vstore(to, c + VL <= d ? vload(from) : c < d ? vload_n(from, d - c) : vzero());
        }
    }
}

// A row's scores [from, to) among those of its tile from a multiple of VL on.
typedef struct {
    int64_t from, to;
} span;

// Lanes of the vector at j that lie in a span; `otherwise` in the others.
INLINE vf within(vf x, span see, int64_t j, float otherwise) {
    if (see.from <= j && j + VL <= see.to) return x;
    return vkeep(x, see.from - j, see.to - j, otherwise);
}

INLINE float largest_score(const float *s, span see, int64_t begin, int64_t end, vf scale) {
    vf largest = vset1(LEAST);
    for (int64_t j = begin; j < end; j += VL) largest = vmax(largest, within(vload(s + j) * scale, see, j, LEAST));
    return vmaxval(largest);
}

// Exponentials in place of scores, zeros outside the span.
INLINE float exponentials(float *s, span see, int64_t begin, int64_t end, vf scale, float top) {
    vf total = vzero(), shift = vset1(-top);
    for (int64_t j = begin; j < end; j += VL) {
        vf e = within(vexp2(vfma(vload(s + j), scale, shift)), see, j, 0);
        vstore(s + j, e);
        total += e;
    }
    return vsum(total);
}

// Scores [begin, end) of rows [r, r + n) become exponentials; factors of what was summed up before.
static void soften(const attention_job *w, const memory *m, int64_t r, int64_t n, const span *see, int64_t begin,
                   int64_t end, float *factors) {
    // In powers of two.
    vf scale = vset1((w->cap > 0 ? 1 : w->scale) * 1.44269504f);
    float fresh[VL];
    for (int64_t i = 0; i < n; i++) {
        float *s = m->scores + i * SCORES;
        if (w->cap > 0) ISA(attention_cap)(s + begin, end - begin, w->scale, w->cap);
        fresh[i] = largest_score(s, see[i], begin, end, scale);
    }
    vf before = vload_n(m->top + r, n), top = vmax(before, vload_n(fresh, n)), factor = vexp2(before - top);
    vstore_n(m->top + r, top, n);
    vstore_n(factors, factor, n);
    vf sums = vload_n(m->sum + r, n) * factor;
    for (int64_t i = 0; i < n; i++) fresh[i] = exponentials(m->scores + i * SCORES, see[i], begin, end, scale, m->top[r + i]);
    vstore_n(m->sum + r, sums + vload_n(fresh, n), n);
}

// Rows [r, r + n) of a block of queries with keys [k0, k0 + count) of its sequence.
static void tile_step(const attention_job *w, const query_block *q, const memory *m, int64_t r, int64_t n,
                      const float *queries, int64_t k0, int64_t count) {
    int64_t group = w->heads / w->kv_heads, keys = q->end - q->start, d = w->head_dim;
    int64_t begin = l4m_max(attention_visible(w, q->position + r / group, keys).from - k0, 0) / NR * NR;
    int64_t end = l4m_min(attention_visible(w, q->position + (r + n - 1) / group, keys).to - k0, count);
    if (begin >= end) return;
    for (int64_t j = begin; j < end; j += NR)
        (end - j > VL ? score_tiles : narrow_score_tiles)[n](d, queries, m->keys + j * d, m->scores + j);
    float factors[VL];
    span see[MR];
    for (int64_t i = 0; i < n; i++) {
        visible_keys row = attention_visible(w, q->position + (r + i) / group, keys);
        see[i] = (span){row.from - k0, l4m_min(row.to - k0, end)};
    }
    soften(w, m, r, n, see, begin, end, factors);
    for (int64_t c = 0; c < m->width; c += NR)
        value_tiles[n](end - begin, m->scores + begin, m->values + (c * KEYS + begin * NR), factors,
                       m->out + r * m->width + c, m->width);
}

static void block_task(void *context, int64_t chunk, int thread) {
    const attention_job *w = context;
    const query_block *q = w->blocks + chunk / w->kv_heads;
    int64_t kv_head = chunk % w->kv_heads, d = w->head_dim;
    memory m;
    lay_out(l4m_pool_scratch(w->pool, thread), w->rows, d, &m);
    int64_t rows = attention_map(w, kv_head, q->q0, q->q1, m.map), tiles = l4m_ceil_div(rows, MR);
    int64_t stride = panel_stride(MR, d);
    for (int64_t t = 0; t < tiles; t++) {
        int64_t r = l4m_chunk_start(rows, tiles, t), n = l4m_chunk_start(rows, tiles, t + 1) - r;
        pack_transposed(w->q, d, m.map, r, n, 0, d, L4M_F32, m.queries + t * stride, n);
    }
    for (int64_t r = 0; r < rows; r++) {
        m.top[r] = LEAST;
        m.sum[r] = 0;
    }
    memset(m.out, 0, (size_t)(rows * m.width) * sizeof(float));
    int64_t keys = q->end - q->start, first = attention_visible(w, q->position, keys).from;
    int64_t last = attention_visible(w, q->position + q->q1 - q->q0 - 1, keys).to;
    for (int64_t k0 = first; k0 < last; k0 += KEYS) {
        int64_t count = l4m_min(KEYS, last - k0);
        pack_keys(w, q->start + k0, count, kv_head, &m);
        for (int64_t t = 0; t < tiles; t++) {
            int64_t r = l4m_chunk_start(rows, tiles, t), n = l4m_chunk_start(rows, tiles, t + 1) - r;
            tile_step(w, q, &m, r, n, m.queries + t * stride, k0, count);
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        vf by = vset1(1.0f / m.sum[r]);
        float *to = w->out + m.map[r] * d;
        for (int64_t c = 0; c < d; c += VL) {
            vf x = vload(m.out + r * m.width + c) * by;
            c + VL <= d ? vstore(to + c, x) : vstore_n(to + c, x, d - c);
        }
    }
}

int ISA(attention)(l4m_pool *pool, int64_t tokens, int64_t keys, int64_t sequences, int64_t heads, int64_t kv_heads,
                   int64_t head_dim, double scale, int64_t before, int64_t after, double cap, const float *q,
                   const float *k, const float *v, const int32_t *offsets, const int32_t *key_begins,
                   const int32_t *key_ends, float *out) {
    int code = l4m_check_offsets(offsets, sequences, tokens);
    if (code == L4M_OK) code = l4m_check_keys(offsets, key_begins, key_ends, sequences, keys);
    if (code != L4M_OK) return code;
    if (tokens * heads > INT32_MAX) return L4M_BAD_ARGUMENT;
    int64_t group = heads / kv_heads, longest = 0, blocks = 0;
    for (int64_t s = 0; s < sequences; s++) longest = l4m_max(longest, offsets[s + 1] - offsets[s]);
    // Fewer queries share packed keys where there would be less than a few blocks for each thread.
    int64_t parts = l4m_ceil_div(4 * l4m_pool_threads(pool), l4m_max(1, sequences * kv_heads));
    int64_t step = l4m_min(QUERIES, l4m_max(4 * MR, l4m_ceil_div(longest, parts) * group)) / group;
    step = l4m_max(1, step);
    for (int64_t s = 0; s < sequences; s++) blocks += l4m_ceil_div(offsets[s + 1] - offsets[s], step);
    int64_t rows = l4m_min(step, longest) * group;
    memory m;
    size_t scratch = (size_t)lay_out(NULL, rows, head_dim, &m) * sizeof(float);
    code = l4m_pool_begin(pool, scratch, (size_t)blocks * sizeof(query_block));
    if (code != L4M_OK) return code;
    // Later queries first: under a causal mask they take longest, and should not be what others wait for.
    query_block *table = l4m_pool_shared(pool), *next = table;
    for (int64_t s = 0; s < sequences; s++) {
        int64_t length = offsets[s + 1] - offsets[s], cuts = l4m_ceil_div(length, step);
        for (int64_t part = cuts - 1; part >= 0; part--) {
            int64_t t = offsets[s] + l4m_chunk_start(length, cuts, part);
            int64_t to = offsets[s] + l4m_chunk_start(length, cuts, part + 1);
            *next++ = (query_block){key_begins[s], key_ends[s], (int32_t)t, (int32_t)to,
                                    (int32_t)(key_ends[s] - key_begins[s] - (offsets[s + 1] - t))};
        }
    }
    attention_job w = {.pool = pool,
                       .heads = heads,
                       .kv_heads = kv_heads,
                       .head_dim = head_dim,
                       .rows = rows,
                       .before = l4m_min(before, INT32_MAX),
                       .after = l4m_min(after, INT32_MAX),
                       .scale = (float)scale,
                       .cap = (float)cap,
                       .q = q,
                       .k = k,
                       .v = v,
                       .out = out,
                       .blocks = table};
    l4m_pool_run(pool, blocks * kv_heads, block_task, &w);
    l4m_pool_end(pool);
    return L4M_OK;
}
