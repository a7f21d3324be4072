#include "kernels.h"

int fma_peak_ref(l4m_pool *pool, int64_t iterations, double *operations) {
    (void)pool;
    double sum = 0;
    for (int64_t n = 0; n < iterations; n++) sum = sum * 0.9999 + 1e-6;
    *operations += sum > 1e30 ? 0 : (double)iterations * 2;
    return L4M_OK;
}
