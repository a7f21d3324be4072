// Scalar functions of the reference kernels, in double.
#ifndef L4M_REF_H
#define L4M_REF_H

#include <math.h>

#include "l4m.h"

static inline double ref_sigmoid(double x) { return 1 / (1 + exp(-x)); }

static inline double ref_normal_cdf(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }

static inline double ref_gelu_inner(double x) { return 0.5 * M_2_SQRTPI * M_SQRT2 * (x + 0.044715 * x * x * x); }

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
        case L4M_ACT_GELU:
            return x * ref_normal_cdf(x);
        case L4M_ACT_GELU_TANH:
            return 0.5 * x * (1 + tanh(ref_gelu_inner(x)));
        default:
            return x;
    }
}

// Derivative, given what is saved for it: the output, or for SILU and GELU the input.
static inline double ref_slope(double s, int32_t activation) {
    switch (activation) {
        case L4M_ACT_RELU:
            return s > 0;
        case L4M_ACT_SIGMOID:
            return s * (1 - s);
        case L4M_ACT_SILU:
            return ref_sigmoid(s) * (1 + s * (1 - ref_sigmoid(s)));
        case L4M_ACT_TANH:
            return 1 - s * s;
        case L4M_ACT_GELU:
            return ref_normal_cdf(s) + s * exp(-0.5 * s * s) * 0.5 * M_2_SQRTPI * M_SQRT1_2;
        case L4M_ACT_GELU_TANH: {
            double t = tanh(ref_gelu_inner(s));
            return 0.5 * (1 + t) + 0.5 * s * (1 - t * t) * 0.5 * M_2_SQRTPI * M_SQRT2 * (1 + 3 * 0.044715 * s * s);
        }
        default:
            return 1;
    }
}

#endif
