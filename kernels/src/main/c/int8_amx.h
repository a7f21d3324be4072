// Products of 8-bit integers on AMX, in the frame of the others.
#ifndef L4M_INT8_AMX_H
#define L4M_INT8_AMX_H

#include "int8.h"
#include "int8_product.h"

// NR columns of B: sums, scales, and lanes [k / GROUP, NR].
typedef struct {
    int32_t sums[NR];
    float scales[NR];
    int32_t lanes[];
} int8_panel;

// One row of A as k elements; the lane that k does not fill is anything, since it is zeros in B. Returns the scale.
float ISA(int8_quantise_row)(const float *x, int64_t k, char *to, int32_t *above);

// Sets how tiles of A are made and multiplied, and their extents.
void ISA(int8_amx)(int8_product *w);

#endif
