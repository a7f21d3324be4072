// The specification of broadcasting arithmetic and its reverse.
#include "kernels.h"
#include "ref.h"

int binary_ref(l4m_pool *pool, int32_t op, const int64_t *da, const float *a, const int64_t *db, const float *b,
               float *y) {
    (void)pool;
    int64_t d[4], total = 1;
    for (int i = 0; i < 4; i++) {
        if (da[i] != db[i] && da[i] != 1 && db[i] != 1) return L4M_BAD_ARGUMENT;
        d[i] = da[i] == 1 ? db[i] : da[i];
        total *= d[i];
    }
    for (int64_t at = 0; at < total; at++) {
        int64_t rest = at, ia = 0, ib = 0, step_a = 1, step_b = 1;
        for (int i = 3; i >= 0; i--) {
            int64_t index = rest % d[i];
            rest /= d[i];
            ia += da[i] == 1 ? 0 : index * step_a;
            ib += db[i] == 1 ? 0 : index * step_b;
            step_a *= da[i];
            step_b *= db[i];
        }
        double u = a[ia], v = b[ib];
        y[at] = (float)(op == 0 ? u + v : op == 1 ? u - v : op == 2 ? u * v : u / v);
    }
    return L4M_OK;
}

int sum_to_ref(l4m_pool *pool, const int64_t *in, const float *x, const int64_t *out, float *y) {
    (void)pool;
    int64_t kept = 1, summed = 1;
    for (int i = 0; i < 4; i++) {
        if (out[i] != in[i] && out[i] != 1) return L4M_BAD_ARGUMENT;
        kept *= out[i];
        summed *= out[i] == in[i] ? 1 : in[i];
    }
    for (int64_t at = 0; at < kept; at++) {
        double sum = 0;
        for (int64_t s = 0; s < summed; s++) {
            int64_t rest_kept = at, rest_summed = s, index = 0, step = 1;
            for (int i = 3; i >= 0; i--) {
                if (out[i] == in[i]) {
                    index += rest_kept % in[i] * step;
                    rest_kept /= in[i];
                } else {
                    index += rest_summed % in[i] * step;
                    rest_summed /= in[i];
                }
                step *= in[i];
            }
            sum += x[index];
        }
        y[at] = (float)sum;
    }
    return L4M_OK;
}
