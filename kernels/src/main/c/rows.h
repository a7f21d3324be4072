// Kernels whose rows, or elements, are independent of each other: ranges [begin, end) on the pool.
#ifndef L4M_ROWS_H
#define L4M_ROWS_H

#include "l4m.h"

typedef void (*l4m_range)(const void *context, int64_t begin, int64_t end);

// Runs `range` over [0, items), each costing about `cost` multiply-adds. Takes the pool by itself.
int l4m_ranges(l4m_pool *pool, int64_t items, double cost, l4m_range range, const void *context);

#endif
