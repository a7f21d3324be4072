// Mean binary cross-entropy of logits. Blocks of a fixed size and a sum in double: the same bits for any
// number of threads.
#include <math.h>

#include "kernels.h"
#include "rows.h"
#include "vmath.h"

enum { BLOCK = 1024 };

typedef struct {
    int64_t count;
    const float *logits, *labels, *weights;
    double *sums;
    float *dlogits;
    float factor;
} job;

static void loss_block(void *context, int64_t block, int thread) {
    (void)thread;
    const job *w = context;
    double sum = 0;
    for (int64_t i = block * BLOCK; i < l4m_min(w->count, (block + 1) * BLOCK); i++) {
        float y = w->logits[i];
        float loss = (y > 0 ? y : 0) - y * w->labels[i] + log1pf(expf(-fabsf(y)));
        sum += w->weights ? w->weights[i] * loss : loss;
    }
    w->sums[block] = sum;
}

int ISA(bce_with_logits)(l4m_pool *pool, int64_t count, const float *logits, const float *labels,
                         const float *weights, float *loss) {
    int64_t blocks = l4m_ceil_div(count, BLOCK);
    int code = l4m_pool_begin(pool, 0, (size_t)blocks * sizeof(double));
    if (code != L4M_OK) return code;
    job w = {count, logits, labels, weights, l4m_pool_shared(pool), NULL, 0};
    l4m_pool_run(pool, blocks, loss_block, &w);
    double sum = 0;
    for (int64_t i = 0; i < blocks; i++) sum += w.sums[i];
    *loss = count == 0 ? 0 : (float)(sum / (double)count);
    l4m_pool_end(pool);
    return L4M_OK;
}

static void gradient_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    const vf factor = vset1(w->factor);
    for (int64_t j = begin; j < end; j += VL) {
        int64_t n = l4m_min(VL, end - j);
        vf d = (vsigmoid(vload_any(w->logits + j, n, L4M_F32)) - vload_any(w->labels + j, n, L4M_F32)) * factor;
        if (w->weights) d *= vload_any(w->weights + j, n, L4M_F32);
        n == VL ? vstore(w->dlogits + j, d) : vstore_n(w->dlogits + j, d, n);
    }
}

int ISA(bce_with_logits_gradient)(l4m_pool *pool, int64_t count, const float *logits, const float *labels,
                                  const float *weights, const float *dloss, float *dlogits) {
    job w = {count, logits, labels, weights, NULL, dlogits, count ? *dloss / (float)count : 0};
    return l4m_ranges(pool, count, 8, gradient_range, &w);
}
