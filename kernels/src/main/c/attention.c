// Attention over packed sequences with grouped heads and an online softmax (Milakov and Gimelshein 2018;
// Dao et al. 2022): blocks of keys pass by, each block's scores exist only in scratch.
#include "attention.h"

#include <math.h>

#include "gemm.h"
#include "indices.h"
#include "kernels.h"
#include "vmath.h"

#define KEYS 256

float ISA(attention_top)(const float *s, int64_t n, float scale) {
    if (n == 0) return -INFINITY;
    float top = scale * s[0];
    vf t = vset1(top), factor = vset1(scale);
    int64_t j = 0;
    for (; j + VL <= n; j += VL) t = vmax(t, vload(s + j) * factor);
    top = vmaxval(t);
    for (; j < n; j++) top = scale * s[j] > top ? scale * s[j] : top;
    return top;
}

void ISA(attention_cap)(float *s, int64_t n, float scale, float cap) {
    vf inner = vset1(scale / cap), outer = vset1(cap);
    for (int64_t j = 0; j < n; j += VL) {
        int64_t t = l4m_min(VL, n - j);
        vf r = outer * vtanh(vload_any(s + j, t, L4M_F32) * inner);
        t == VL ? vstore(s + j, r) : vstore_n(s + j, r, t);
    }
}

float ISA(attention_exp)(float *s, int64_t from, int64_t to, int64_t n, float scale, float top) {
    vf sum = vzero(), factor = vset1(scale), shift = vset1(top);
    if (from > 0) memset(s, 0, (size_t)from * sizeof(float));
    int64_t j = from;
    for (; j + VL <= to; j += VL) {
        vf e = vexp(vload(s + j) * factor - shift);
        vstore(s + j, e);
        sum += e;
    }
    if (j < to) {
        int64_t rest = to - j;
        vstore_n(s + j, vexp(vload_n(s + j, rest) * factor - shift), rest);
        sum += vload_n(s + j, rest);
    }
    if (n > to) memset(s + to, 0, (size_t)(n - to) * sizeof(float));
    return vsum(sum);
}

static void scale_row(float *x, int64_t n, float by, float *y) {
    vf factor = vset1(by);
    for (int64_t j = 0; j < n; j += VL) {
        int64_t w = l4m_min(VL, n - j);
        vf r = vload_any(x + j, w, L4M_F32) * factor;
        w == VL ? vstore(y + j, r) : vstore_n(y + j, r, w);
    }
}

static void block_task(void *context, int64_t chunk, int thread) {
    const attention_job *w = context;
    const query_block *q = w->blocks + chunk / w->kv_heads;
    int64_t kv_head = chunk % w->kv_heads, group = w->heads / w->kv_heads, d = w->head_dim;
    int64_t width = w->kv_heads * d;
    float *scores = l4m_pool_scratch(w->pool, thread), *out = scores + ATTENTION_ROWS_MAX(group) * KEYS;
    float *top = out + ATTENTION_ROWS_MAX(group) * d, *sum = top + ATTENTION_ROWS_MAX(group);
    int32_t *map = (int32_t *)(sum + ATTENTION_ROWS_MAX(group));
    void *scratch = map + l4m_round_up(ATTENTION_ROWS_MAX(group), 16);
    int64_t rows = attention_map(w, kv_head, q->q0, q->q1, map);
    for (int64_t r = 0; r < rows; r++) {
        top[r] = -INFINITY;
        sum[r] = 0;
    }
    int64_t keys = q->end - q->start;
    int64_t first = attention_visible(w, q->position, keys).from;
    int64_t last = attention_visible(w, q->position + q->q1 - q->q0 - 1, keys).to;
    // Blocks hold more keys than queries: each query sees one in the first block.
    for (int64_t k0 = first; k0 < last; k0 += KEYS) {
        int64_t n = l4m_min(KEYS, last - k0), at = (q->start + k0) * width + kv_head * d;
        gemm score = {.a = w->q, .lda = d, .b = w->k + at, .ldb = width, .trans_b = 1, .c = scores, .ldc = KEYS, .k = d, .rows_a = map};
        ISA(gemm_rect)(&score, 0, rows, 0, n, scratch);
        for (int64_t r = 0; r < rows; r++) {
            float *s = scores + r * KEYS;
            visible_keys see = attention_visible(w, q->position + r / group, keys);
            int64_t to = l4m_max(0, l4m_min(n, see.to - k0)), from = l4m_min(to, l4m_max(0, see.from - k0));
            float scale = w->scale;
            if (w->cap > 0) {
                ISA(attention_cap)(s + from, to - from, scale, w->cap);
                scale = 1;
            }
            float t = ISA(attention_top)(s + from, to - from, scale), fresh = t > top[r] ? t : top[r];
            float factor = k0 > first ? expf(top[r] - fresh) : 0;
            sum[r] = sum[r] * factor + ISA(attention_exp)(s, from, to, n, scale, fresh);
            if (factor != 1 && k0 > first) scale_row(out + r * d, d, factor, out + r * d);
            top[r] = fresh;
        }
        gemm value = {.a = scores, .lda = KEYS, .b = w->v + at, .ldb = width, .c = out, .ldc = d, .residual = k0 > first ? out : NULL, .ldr = d, .k = n};
        ISA(gemm_rect)(&value, 0, rows, 0, d, scratch);
    }
    for (int64_t r = 0; r < rows; r++) scale_row(out + r * d, d, 1.0f / sum[r], w->out + map[r] * d);
}

int ISA(attention)(l4m_pool *pool, int64_t tokens, int64_t keys, int64_t sequences, int64_t heads, int64_t kv_heads,
                   int64_t head_dim, double scale, int64_t before, int64_t after, double cap, const float *q,
                   const float *k, const float *v, const int32_t *offsets, const int32_t *key_begins,
                   const int32_t *key_ends, float *out) {
    int code = l4m_check_offsets(offsets, sequences, tokens);
    if (code == L4M_OK) code = l4m_check_keys(offsets, key_begins, key_ends, sequences, keys);
    if (code != L4M_OK) return code;
    if (tokens * heads > INT32_MAX) return L4M_BAD_ARGUMENT;
    int64_t group = heads / kv_heads, step = attention_block_tokens(group), blocks = 0;
    int64_t rows = ATTENTION_ROWS_MAX(group);
    for (int64_t s = 0; s < sequences; s++) blocks += l4m_ceil_div(offsets[s + 1] - offsets[s], step);
    size_t scratch = (size_t)(rows * (KEYS + head_dim + 2) + l4m_round_up(rows, 16)) * sizeof(float) +
                     ISA(gemm_scratch)(rows, l4m_max(KEYS, head_dim));
    code = l4m_pool_begin(pool, scratch, (size_t)blocks * sizeof(query_block));
    if (code != L4M_OK) return code;
    query_block *table = l4m_pool_shared(pool), *next = table;
    for (int64_t s = 0; s < sequences; s++)
        for (int64_t t = offsets[s]; t < offsets[s + 1]; t += step)
            *next++ = (query_block){key_begins[s], key_ends[s], (int32_t)t,
                                    (int32_t)l4m_min(t + step, offsets[s + 1]),
                                    (int32_t)(key_ends[s] - key_begins[s] - (offsets[s + 1] - t))};
    attention_job w = {.pool = pool,
                       .heads = heads,
                       .kv_heads = kv_heads,
                       .head_dim = head_dim,
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
