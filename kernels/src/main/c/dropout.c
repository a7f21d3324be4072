// Dropout by a hash of the position: the same mask forwards and backwards, whatever the threads.
#include "dropout.h"
#include "kernels.h"
#include "rows.h"

typedef struct {
    uint32_t key, threshold;
    float scale;
    const float *x;
    float *y;
} job;

static void range(const void *context, int64_t begin, int64_t end) {
    const job w = *(const job *)context;
    for (int64_t i = begin; i < end; i++) w.y[i] = l4m_dropout_hash(w.key, i) < w.threshold ? 0 : w.scale * w.x[i];
}

int ISA(dropout)(l4m_pool *pool, int64_t count, int32_t key, int32_t threshold, float scale, const float *x, float *y) {
    job w = {.key = (uint32_t)key, .threshold = (uint32_t)threshold, .scale = scale, .x = x, .y = y};
    return l4m_ranges(pool, count, 2, range, &w);
}

// Blocks are short enough for single precision; their sums add up in double. One thread: it is bound by memory.
int ISA(sum_of_squares)(l4m_pool *pool, int64_t count, const float *x, double *sum) {
    (void)pool;
    for (int64_t i = 0; i < count; i += 1024) {
        int64_t end = l4m_min(count, i + 1024);
        vf block = vzero();
        for (int64_t j = i; j < end; j += VL) {
            vf v = vload_any(x + j, l4m_min(VL, end - j), L4M_F32);
            block = vfma(v, v, block);
        }
        *sum += vsum(block);
    }
    return L4M_OK;
}
