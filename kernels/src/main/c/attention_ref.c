// The specification of attention and its gradient.
#include <stdlib.h>

#include "indices.h"
#include "kernels.h"
#include "ref.h"

// Where the keys begin and end that a query at position p of a sequence of `keys` sees.
static int64_t first_key(int64_t p, int64_t before) { return p > before ? p - before : 0; }
static int64_t last_key(int64_t p, int64_t after, int64_t keys) { return after < keys - p ? p + after + 1 : keys; }

// Probabilities of query token t, head h over the keys [start, limit); cap 0 is none. dcap, where not NULL,
// receives the derivative of the cap.
static void probabilities(const float *q, const float *k, int64_t heads, int64_t kv_heads, int64_t d, int64_t t,
                          int64_t h, int64_t start, int64_t limit, double scale, double cap, double *p, double *dcap) {
    int64_t kv_head = h / (heads / kv_heads);
    double top = -INFINITY, sum = 0;
    for (int64_t j = start; j < limit; j++) {
        double dot = 0;
        for (int64_t c = 0; c < d; c++)
            dot += (double)q[(t * heads + h) * d + c] * k[(j * kv_heads + kv_head) * d + c];
        p[j - start] = cap > 0 ? cap * tanh(scale * dot / cap) : scale * dot;
        if (dcap != NULL) dcap[j - start] = cap > 0 ? 1 - p[j - start] / cap * (p[j - start] / cap) : 1;
        top = fmax(top, p[j - start]);
    }
    for (int64_t j = 0; j < limit - start; j++) sum += p[j] = exp(p[j] - top);
    for (int64_t j = 0; j < limit - start; j++) p[j] /= sum;
}

int attention_ref(l4m_pool *pool, int64_t tokens, int64_t keys, int64_t sequences, int64_t heads, int64_t kv_heads,
                  int64_t head_dim, double scale, int64_t before, int64_t after, double cap, const float *q,
                  const float *k, const float *v, const int32_t *offsets, const int32_t *key_begins,
                  const int32_t *key_ends, float *out) {
    (void)pool;
    int code = l4m_check_offsets(offsets, sequences, tokens);
    if (code == L4M_OK) code = l4m_check_keys(offsets, key_begins, key_ends, sequences, keys);
    if (code != L4M_OK) return code;
    double *p = malloc((size_t)(keys + 1) * sizeof(double));
    if (p == NULL) return L4M_OUT_OF_MEMORY;
    for (int64_t s = 0; s < sequences; s++)
        for (int64_t t = offsets[s]; t < offsets[s + 1]; t++)
            for (int64_t h = 0; h < heads; h++) {
                int64_t n = key_ends[s] - key_begins[s], position = n - (offsets[s + 1] - t);
                int64_t start = key_begins[s] + first_key(position, before);
                int64_t limit = key_begins[s] + last_key(position, after, n);
                probabilities(q, k, heads, kv_heads, head_dim, t, h, start, limit, scale, cap, p, NULL);
                for (int64_t c = 0; c < head_dim; c++) {
                    double sum = 0;
                    for (int64_t j = start; j < limit; j++)
                        sum += p[j - start] * v[(j * kv_heads + h / (heads / kv_heads)) * head_dim + c];
                    out[(t * heads + h) * head_dim + c] = (float)sum;
                }
            }
    free(p);
    return L4M_OK;
}

int attention_gradient_ref(l4m_pool *pool, int64_t tokens, int64_t sequences, int64_t heads, int64_t kv_heads,
                           int64_t d, double scale, int64_t before, int64_t after, double cap,
                           const float *q, const float *k,
                           const float *v, const int32_t *offsets, const float *dout, float *dq, float *dk,
                           float *dv) {
    (void)pool;
    int code = l4m_check_offsets(offsets, sequences, tokens);
    if (code != L4M_OK) return code;
    int64_t kv_size = tokens * kv_heads * d;
    double *p = calloc((size_t)(3 * tokens + 2 * kv_size + d + 1), sizeof(double));
    if (p == NULL) return L4M_OUT_OF_MEMORY;
    double *dp = p + tokens, *dcap = dp + tokens, *sum_k = dcap + tokens, *sum_v = sum_k + kv_size, *sum_q = sum_v + kv_size;
    for (int64_t s = 0; s < sequences; s++)
        for (int64_t t = offsets[s]; t < offsets[s + 1]; t++)
            for (int64_t h = 0; h < heads; h++) {
                int64_t n = offsets[s + 1] - offsets[s], position = t - offsets[s];
                int64_t start = offsets[s] + first_key(position, before);
                int64_t limit = offsets[s] + last_key(position, after, n);
                const float *qt = q + (t * heads + h) * d, *dt = dout + (t * heads + h) * d;
                probabilities(q, k, heads, kv_heads, d, t, h, start, limit, scale, cap, p, dcap);
                double dot = 0;
                for (int64_t j = start; j < limit; j++) {
                    int64_t at = (j * kv_heads + h / (heads / kv_heads)) * d;
                    dp[j - start] = 0;
                    for (int64_t c = 0; c < d; c++) {
                        dp[j - start] += (double)dt[c] * v[at + c];
                        sum_v[at + c] += p[j - start] * dt[c];
                    }
                    dot += p[j - start] * dp[j - start];
                }
                for (int64_t c = 0; c < d; c++) sum_q[c] = 0;
                for (int64_t j = start; j < limit; j++) {
                    int64_t at = (j * kv_heads + h / (heads / kv_heads)) * d;
                    double ds = p[j - start] * (dp[j - start] - dot) * scale * dcap[j - start];
                    for (int64_t c = 0; c < d; c++) {
                        sum_q[c] += ds * k[at + c];
                        sum_k[at + c] += ds * qt[c];
                    }
                }
                for (int64_t c = 0; c < d; c++) dq[(t * heads + h) * d + c] = (float)sum_q[c];
            }
    for (int64_t i = 0; i < kv_size; i++) {
        dk[i] = (float)sum_k[i];
        dv[i] = (float)sum_v[i];
    }
    free(p);
    return L4M_OK;
}
