// Vector exp, sigmoid, tanh and the fused activations. Coefficients: our own weighted minimax fits.
#ifndef L4M_VMATH_H
#define L4M_VMATH_H

#include "vec.h"

// exp(x): r = x - n ln 2 in two parts, exp(r) = 1 + r + r^2 q(r). Relative error below 1.5e-7 (measured 2 ulp) in
// [-87.3, 88.7]; 0 below, infinity above, NaN stays NaN.
INLINE vf vexp(vf x) {
    const vf high = vset1(88.72283f), low = vset1(-87.33654f);
    vf c = vmax(low, vmin(high, x));
    vf n = vround(c * vset1(1.44269504f));
    vf r = vfnma(n, vset1(0.693359375f), c);
    r = vfnma(n, vset1(-2.12194440e-4f), r);
    vf q = vfma(vset1(0.001381459f), r, vset1(0.0083687175f));
    q = vfma(q, r, vset1(0.04166839f));
    q = vfma(q, r, vset1(0.16666521f));
    q = vfma(q, r, vset1(0.49999994f));
    vf y = vscale2(vfma(q * r, r, r) + vset1(1.0f), n);
    y = vsel_gt(low, x, vzero(), y);
    return vsel_gt(x, high, vset1(__builtin_inff()), y);
}

INLINE vf vsigmoid(vf x) { return vset1(1.0f) / (vset1(1.0f) + vexp(-x)); }

// Near 0 an odd polynomial, else 1 - 2 / (exp(2|x|) + 1): relative error below 3e-7 everywhere.
INLINE vf vtanh(vf x) {
    vf a = vabs(x), u = x * x;
    vf t = vfma(vset1(-0.005697768f), u, vset1(0.020632895f));
    t = vfma(t, u, vset1(-0.053737905f));
    t = vfma(t, u, vset1(0.13331422f));
    t = vfma(t, u, vset1(-0.3333328f));
    vf small = vfma(t * u, x, x);
    vf big = vset1(1.0f) - vset1(2.0f) / (vexp(a + a) + vset1(1.0f));
    return vsel_gt(a, vset1(0.625f), vsel_gt(vzero(), x, -big, big), small);
}

// NaN stays NaN: the comparison fails and x itself is taken.
INLINE vf vrelu(vf x) { return vsel_gt(vzero(), x, vzero(), x); }
INLINE vf vsilu(vf x) { return x * vsigmoid(x); }

INLINE vf vactivate(vf x, int32_t activation) {
    switch (activation) {
        case L4M_ACT_RELU:
            return vrelu(x);
        case L4M_ACT_SIGMOID:
            return vsigmoid(x);
        case L4M_ACT_SILU:
            return vsilu(x);
        case L4M_ACT_TANH:
            return vtanh(x);
        default:
            return x;
    }
}

#endif
