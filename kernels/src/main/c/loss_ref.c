// The specification of the loss.
#include "kernels.h"
#include "ref.h"

int bce_with_logits_ref(l4m_pool *pool, int64_t count, const float *logits, const float *labels,
                        const float *weights, float *loss) {
    (void)pool;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double y = logits[i], term = (y > 0 ? y : 0) - y * labels[i] + log1p(exp(-fabs(y)));
        sum += weights ? weights[i] * term : term;
    }
    *loss = count == 0 ? 0 : (float)(sum / (double)count);
    return L4M_OK;
}

int bce_with_logits_gradient_ref(l4m_pool *pool, int64_t count, const float *logits, const float *labels,
                                 const float *weights, const float *dloss, float *dlogits) {
    (void)pool;
    for (int64_t i = 0; i < count; i++)
        dlogits[i] = (float)(*dloss / (double)count * (weights ? weights[i] : 1) * (ref_sigmoid(logits[i]) - labels[i]));
    return L4M_OK;
}
