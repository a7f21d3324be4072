// The frame of products of 8-bit integers: rows of A are quantised into tiles, then tiles meet packed panels of B.
#ifndef L4M_INT8_PRODUCT_H
#define L4M_INT8_PRODUCT_H

#include "tile.h"

// What is added to a tile's scaled sums on their way to C; NULL where nothing is.
typedef struct {
    const float *bias, *residual;
    int64_t ldr;
} int8_addends;

// c[rows, NR] = a b + addends for a tile of A and a panel of B, over the whole of k; one function for each number
// of rows.
typedef void (*int8_tile)(int64_t k, const int32_t *a, const void *b, float *c, int64_t ldc, const int8_addends *plus);

typedef struct int8_product {
    l4m_pool *pool;
    int64_t m, n, k;
    const float *a;
    int64_t lda;
    const char *panels;
    int64_t panel_bytes;
    const float *bias, *residual;
    int64_t ldr;
    int32_t activation;
    float *c;
    int64_t ldc;
    // Indexed by rows.
    const int8_tile *multiply;
    // Quantises rows x[i * lda] as a tile; scratch is the thread's own.
    void (*quantise)(const struct int8_product *w, const float *x, int64_t rows, void *scratch, int32_t *tile);
    // Around each thread's products; NULL where there is nothing to do.
    void (*begin)(const struct int8_product *w);
    void (*end)(void);
    // A as tiles of `rows` rows, `stride` words apart.
    int64_t rows, tiles, stride;
    int32_t *packed;
    int64_t row_chunks, col_chunks;
} int8_product;

// A tile of any instruction set has no more rows.
#define INT8_MOST_ROWS 16

// Equal tiles rather than full ones and a rest.
static inline int64_t int8_rows(int64_t m, int64_t most) { return l4m_ceil_div(m, l4m_ceil_div(m, most)); }

// Everything is set but tiles, packed and chunks; `scratch` bytes are what quantise needs.
int ISA(int8_run)(int8_product *w, size_t scratch);

#endif
