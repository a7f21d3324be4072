// One product with random operands, strides and epilogue, and what it has to give.
#ifndef MATMUL_CASE_H
#define MATMUL_CASE_H

#include "check.h"

// Rows are padded to multiples of `align` elements, or by a random odd number for align 1.
struct Extents {
    int m, n, k, align;
};

std::vector<Extents> ragged_extents(bool unaligned);

struct MatmulCase {
    int m, n, k, activation, type;
    i64 lda, ldw, ldr, ldc;
    Halves a, w, w_up, c_half, residual_half;
    Floats bias, c_float, residual_float;

    // A random epilogue: bias, residual, activation, type; BF16 only if `half`.
    MatmulCase(const Extents &e, bool gated, bool half = false);
    void *c() const { return type == RESULT_F32 ? (void *)c_float->data : c_half->data; }
    const void *residual() const {
        return residual_float ? (const void *)residual_float->data : residual_half ? residual_half->data : nullptr;
    }
    void compare(const char *kernel) const;
};

#endif
