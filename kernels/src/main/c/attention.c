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

float ISA(attention_exp)(float *s, int64_t visible, int64_t n, float scale, float top) {
    vf sum = vzero(), factor = vset1(scale), shift = vset1(top);
    int64_t j = 0;
    for (; j + VL <= visible; j += VL) {
        vf e = vexp(vload(s + j) * factor - shift);
        vstore(s + j, e);
        sum += e;
    }
    if (j < visible) {
        int64_t rest = visible - j;
        vstore_n(s + j, vexp(vload_n(s + j, rest) * factor - shift), rest);
        sum += vload_n(s + j, rest);
    }
    if (n > visible) memset(s + visible, 0, (size_t)(n - visible) * sizeof(float));
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
    int64_t last = w->causal ? q->q1 : q->end;
    for (int64_t k0 = q->start; k0 < last; k0 += KEYS) {
        int64_t n = l4m_min(KEYS, last - k0), at = k0 * width + kv_head * d;
        gemm score = {.a = w->q, .lda = d, .b = w->k + at, .ldb = width, .trans_b = 1, .c = scores, .ldc = KEYS, .k = d, .rows_a = map};
        ISA(gemm_rect)(&score, 0, rows, 0, n, scratch);
        for (int64_t r = 0; r < rows; r++) {
            float *s = scores + r * KEYS;
            int64_t visible = w->causal ? l4m_max(0, l4m_min(n, q->q0 + r / group + 1 - k0)) : n;
            float t = ISA(attention_top)(s, visible, w->scale), fresh = t > top[r] ? t : top[r];
            float factor = k0 > q->start ? expf(top[r] - fresh) : 0;
            sum[r] = sum[r] * factor + ISA(attention_exp)(s, visible, n, w->scale, fresh);
            if (factor != 1 && k0 > q->start) scale_row(out + r * d, d, factor, out + r * d);
            top[r] = fresh;
        }
        gemm value = {.a = scores, .lda = KEYS, .b = w->v + at, .ldb = width, .c = out, .ldc = d, .residual = k0 > q->start ? out : NULL, .ldr = d, .k = n};
        ISA(gemm_rect)(&value, 0, rows, 0, d, scratch);
    }
    for (int64_t r = 0; r < rows; r++) scale_row(out + r * d, d, 1.0f / sum[r], w->out + map[r] * d);
}

int ISA(attention)(l4m_pool *pool, int64_t tokens, int64_t sequences, int64_t heads, int64_t kv_heads,
                   int64_t head_dim, double scale, int32_t causal, const float *q, const float *k, const float *v,
                   const int32_t *offsets, float *out) {
    int code = l4m_check_offsets(offsets, sequences, tokens);
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
            *next++ = (query_block){offsets[s], offsets[s + 1], (int32_t)t,
                                    (int32_t)l4m_min(t + step, offsets[s + 1])};
    attention_job w = {.pool = pool,
                       .heads = heads,
                       .kv_heads = kv_heads,
                       .head_dim = head_dim,
                       .scale = (float)scale,
                       .causal = causal,
                       .q = q,
                       .k = k,
                       .v = v,
                       .out = out,
                       .blocks = table};
    l4m_pool_run(pool, blocks * kv_heads, block_task, &w);
    l4m_pool_end(pool);
    return L4M_OK;
}
