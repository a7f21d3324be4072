// Scalar functions of the reference kernels, in double.
#ifndef L4M_REF_H
#define L4M_REF_H

#include <math.h>

#include "l4m.h"

static inline double ref_sigmoid(double x) { return 1 / (1 + exp(-x)); }

static inline double ref_activate(double x, int32_t activation) {
    switch (activation) {
        case L4M_ACT_RELU:
            return x < 0 ? 0 : x;
        case L4M_ACT_SIGMOID:
            return ref_sigmoid(x);
        case L4M_ACT_SILU:
            return x * ref_sigmoid(x);
        case L4M_ACT_TANH:
            return tanh(x);
        default:
            return x;
    }
}

#endif
