// Gradient of attention: one task per sequence and key head, blocks of queries one after another, so that
// the sums into dk and dv have one fixed order. Probabilities are computed again.
#include "attention.h"

#include <math.h>

#include "gemm.h"
#include "indices.h"
#include "kernels.h"
#include "vmath.h"

// The largest of n scores, scaled; minus infinity for none.
static float top_score(const float *s, int64_t n, float scale) {
    if (n == 0) return -INFINITY;
    float top = scale * s[0];
    vf t = vset1(top), factor = vset1(scale);
    int64_t j = 0;
    for (; j + VL <= n; j += VL) t = vmax(t, vload(s + j) * factor);
    top = vmaxval(t);
    for (; j < n; j++) top = scale * s[j] > top ? scale * s[j] : top;
    return top;
}

// exp(scale * s - top) over the scores [from, to), 0 over the rest up to n; returns the sum.
static float exp_scores(float *s, int64_t from, int64_t to, int64_t n, float scale, float top) {
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

// p = softmax(scale s) over the visible scores, then ds = p (dp - sum(p dp)) scale in dp's place; with a soft cap
// c = cap tanh(scale s / cap), p = softmax(c), and ds gets the factor 1 - (c / cap)^2 too.
static void score_gradient(const attention_job *w, visible_keys see, int64_t n, float *p, float *dp, float *slope) {
    float factor = w->scale;
    if (w->cap > 0) {
        const vf one = vset1(1.0f), inner = vset1(1.0f / w->cap);
        memset(slope, 0, (size_t)n * sizeof(float));
        ISA(attention_cap)(p + see.from, see.to - see.from, w->scale, w->cap);
        for (int64_t j = see.from; j < see.to; j += VL) {
            int64_t t = l4m_min(VL, see.to - j);
            vf c = vload_any(p + j, t, L4M_F32) * inner, r = one - c * c;
            t == VL ? vstore(slope + j, r) : vstore_n(slope + j, r, t);
        }
        factor = 1;
    }
    float top = top_score(p + see.from, see.to - see.from, factor);
    vf inverse = vset1(1.0f / exp_scores(p, see.from, see.to, n, factor, top)), dot = vzero();
    for (int64_t j = 0; j < n; j += VL) {
        int64_t t = l4m_min(VL, n - j);
        vf r = vload_any(p + j, t, L4M_F32) * inverse;
        t == VL ? vstore(p + j, r) : vstore_n(p + j, r, t);
        dot = vfma(r, vload_any(dp + j, t, L4M_F32), dot);
    }
    vf sum = vset1(vsum(dot)), scale = vset1(w->scale);
    for (int64_t j = 0; j < n; j += VL) {
        int64_t t = l4m_min(VL, n - j);
        vf r = vload_any(p + j, t, L4M_F32) * (vload_any(dp + j, t, L4M_F32) - sum) * scale;
        if (w->cap > 0) r = r * vload_any(slope + j, t, L4M_F32);
        t == VL ? vstore(dp + j, r) : vstore_n(dp + j, r, t);
    }
}

static void sequence_task(void *context, int64_t chunk, int thread) {
    const attention_job *w = context;
    int64_t s = chunk / w->kv_heads, kv_head = chunk % w->kv_heads, group = w->heads / w->kv_heads;
    int64_t d = w->head_dim, width = w->kv_heads * d, start = w->offsets[s], end = w->offsets[s + 1];
    int64_t step = attention_block_tokens(group), most = ATTENTION_ROWS_MAX(group), ld = w->longest;
    float *p = l4m_pool_scratch(w->pool, thread), *dp = p + most * ld;
    float *slope = dp + most * ld;
    int32_t *map = (int32_t *)(slope + ld);
    void *scratch = map + l4m_round_up(most, 16);
    int64_t at = start * width + kv_head * d;
    for (int64_t t = 0; t < end - start; t++) {
        memset(w->dk + at + t * width, 0, (size_t)d * sizeof(float));
        memset(w->dv + at + t * width, 0, (size_t)d * sizeof(float));
    }
    for (int64_t q0 = start; q0 < end; q0 += step) {
        int64_t q1 = l4m_min(q0 + step, end), n = attention_visible(w, q1 - 1 - start, end - start).to;
        int64_t rows = attention_map(w, kv_head, q0, q1, map);
        gemm score = {.a = w->q, .lda = d, .b = w->k + at, .ldb = width, .trans_b = 1, .c = p, .ldc = ld, .k = d, .rows_a = map};
        ISA(gemm_rect)(&score, 0, rows, 0, n, scratch);
        gemm dprob = {.a = w->dout, .lda = d, .b = w->v + at, .ldb = width, .trans_b = 1, .c = dp, .ldc = ld, .k = d, .rows_a = map};
        ISA(gemm_rect)(&dprob, 0, rows, 0, n, scratch);
        for (int64_t r = 0; r < rows; r++)
            score_gradient(w, attention_visible(w, q0 + r / group - start, n), n, p + r * ld, dp + r * ld, slope);
        gemm dq = {.a = dp, .lda = ld, .b = w->k + at, .ldb = width, .c = w->dq, .ldc = d, .k = n, .rows_c = map};
        ISA(gemm_rect)(&dq, 0, rows, 0, d, scratch);
        gemm dk = {.a = dp, .lda = ld, .trans_a = 1, .b = w->q, .ldb = d, .c = w->dk + at, .ldc = width, .residual = w->dk + at, .ldr = width, .k = rows, .inner_b = map};
        ISA(gemm_rect)(&dk, 0, n, 0, d, scratch);
        gemm dv = {.a = p, .lda = ld, .trans_a = 1, .b = w->dout, .ldb = d, .c = w->dv + at, .ldc = width, .residual = w->dv + at, .ldr = width, .k = rows, .inner_b = map};
        ISA(gemm_rect)(&dv, 0, n, 0, d, scratch);
    }
}

int ISA(attention_gradient)(l4m_pool *pool, int64_t tokens, int64_t sequences, int64_t heads, int64_t kv_heads,
                            int64_t head_dim, double scale, int64_t before, int64_t after, double cap, const float *q, const float *k,
                            const float *v, const int32_t *offsets, const float *dout, float *dq, float *dk,
                            float *dv) {
    int code = l4m_check_offsets(offsets, sequences, tokens);
    if (code != L4M_OK) return code;
    if (tokens * heads > INT32_MAX) return L4M_BAD_ARGUMENT;
    int64_t longest = 0, rows = ATTENTION_ROWS_MAX(heads / kv_heads);
    for (int64_t s = 0; s < sequences; s++) longest = l4m_max(longest, offsets[s + 1] - offsets[s]);
    size_t scratch = (size_t)((2 * rows + 1) * longest + l4m_round_up(rows, 16)) * sizeof(float) +
                     ISA(gemm_scratch)(l4m_max(rows, longest), l4m_max(longest, l4m_max(rows, head_dim)));
    code = l4m_pool_begin(pool, scratch, 0);
    if (code != L4M_OK) return code;
    attention_job w = {.pool = pool,
                       .heads = heads,
                       .kv_heads = kv_heads,
                       .head_dim = head_dim,
                       .longest = longest,
                       .before = l4m_min(before, INT32_MAX),
                       .after = l4m_min(after, INT32_MAX),
                       .scale = (float)scale,
                       .cap = (float)cap,
                       .q = q,
                       .k = k,
                       .v = v,
                       .dout = dout,
                       .offsets = offsets,
                       .dq = dq,
                       .dk = dk,
                       .dv = dv};
    l4m_pool_run(pool, sequences * kv_heads, sequence_task, &w);
    l4m_pool_end(pool);
    return L4M_OK;
}
