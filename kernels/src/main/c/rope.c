// Rotary position embedding (Su et al. 2021). Angles are taken in double: at position 30,000 a float angle
// is off by 2e-3. They are shared by all heads of a token, so their cost is small.
#include <math.h>

#include "kernels.h"

typedef struct {
    l4m_pool *pool;
    int64_t tokens, chunks, heads, head_dim, rotary;
    int32_t interleaved, inverse;
    double scale;
    const float *x, *frequency;
    const int32_t *positions;
    float *y;
} job;

static void rope_chunk(void *context, int64_t chunk, int thread) {
    const job *w = context;
    const int64_t half = w->rotary / 2;
    float *cosine = l4m_pool_scratch(w->pool, thread), *sine = cosine + half;
    int64_t end = l4m_chunk_start(w->tokens, w->chunks, chunk + 1);
    for (int64_t t = l4m_chunk_start(w->tokens, w->chunks, chunk); t < end; t++) {
        for (int64_t i = 0; i < half; i++) {
            double angle = (double)w->positions[t] * w->frequency[i];
            cosine[i] = (float)(w->scale * cos(angle));
            sine[i] = (float)(w->scale * (w->inverse ? -sin(angle) : sin(angle)));
        }
        for (int64_t h = 0; h < w->heads; h++) {
            const float *x = w->x + (t * w->heads + h) * w->head_dim;
            float *y = w->y + (t * w->heads + h) * w->head_dim;
            if (w->interleaved) {
                for (int64_t i = 0; i < half; i++) {
                    float a = x[2 * i], b = x[2 * i + 1];
                    y[2 * i] = a * cosine[i] - b * sine[i];
                    y[2 * i + 1] = b * cosine[i] + a * sine[i];
                }
            } else {
                for (int64_t i = 0; i < half; i += VL) {
                    int64_t n = l4m_min(VL, half - i);
                    vf a = vload_any(x + i, n, L4M_F32), b = vload_any(x + half + i, n, L4M_F32);
                    vf c = vload_any(cosine + i, n, L4M_F32), s = vload_any(sine + i, n, L4M_F32);
                    vf first = vfnma(b, s, a * c), second = vfma(a, s, b * c);
                    n == VL ? vstore(y + i, first) : vstore_n(y + i, first, n);
                    n == VL ? vstore(y + half + i, second) : vstore_n(y + half + i, second, n);
                }
            }
            if (y != x) memcpy(y + w->rotary, x + w->rotary, (size_t)(w->head_dim - w->rotary) * sizeof(float));
        }
    }
}

int ISA(rope)(l4m_pool *pool, int64_t tokens, int64_t heads, int64_t head_dim, int64_t rotary, int32_t interleaved,
              int32_t inverse, double scale, const float *x, const int32_t *positions, const float *inverse_frequency, float *y) {
    int code = l4m_pool_begin(pool, (size_t)rotary * sizeof(float), 0);
    if (code != L4M_OK) return code;
    job w = {.pool = pool,
             .tokens = tokens,
             .chunks = l4m_chunks(pool, tokens, 40.0 * (double)rotary + 2.0 * (double)(heads * head_dim)),
             .heads = heads,
             .head_dim = head_dim,
             .rotary = rotary,
             .interleaved = interleaved,
             .inverse = inverse,
             .scale = scale,
             .x = x,
             .frequency = inverse_frequency,
             .positions = positions,
             .y = y};
    l4m_pool_run(pool, w.chunks, rope_chunk, &w);
    l4m_pool_end(pool);
    return L4M_OK;
}
