// The most multiply-adds per second that the registers allow.
#include "kernels.h"

#if VL == 4
#define CHAINS 8
#else
#define CHAINS 12
#endif

int ISA(fma_peak)(l4m_pool *pool, int64_t iterations, double *operations) {
    (void)pool;
    vf sums[CHAINS], x = vset1(0.9999f), y = vset1(1e-6f);
    for (int i = 0; i < CHAINS; i++) sums[i] = vset1((float)i * 1e-3f);
    for (int64_t n = 0; n < iterations; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) sums[i] = vfma(sums[i], x, y);
        // The compiler must not fold iterations together.
        __asm__ volatile("");
    }
    vf total = vzero();
    for (int i = 0; i < CHAINS; i++) total += sums[i];
    // Never true; keeps the sums alive.
    *operations += vsum(total) > 1e30f ? 0 : (double)iterations * CHAINS * VL * 2;
    return L4M_OK;
}
