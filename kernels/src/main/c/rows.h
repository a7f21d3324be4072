// Kernels whose rows, or elements, are independent of each other: ranges [begin, end) on the pool.
#ifndef L4M_ROWS_H
#define L4M_ROWS_H

#include "l4m.h"

// 32 MiB, as much as cores of a die commonly share.
#define L4M_CACHED_FLOATS (8 << 20)

typedef void (*l4m_range)(const void *context, int64_t begin, int64_t end);

// Runs `range` over [0, items), each costing about `cost` multiply-adds. Takes the pool by itself.
int l4m_ranges(l4m_pool *pool, int64_t items, double cost, l4m_range range, const void *context);

// An output that outgrows the caches and is aligned to their lines goes past them: kept there it would cost a read
// more, and nobody would find it there.
static inline int l4m_goes_past_caches(const float *x, const float *y, int64_t rows, int64_t width) {
    return x != y && rows * width >= L4M_CACHED_FLOATS && width % 16 == 0 && (uintptr_t)y % 64 == 0;
}

#endif
