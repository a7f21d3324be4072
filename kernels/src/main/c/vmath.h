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

// The same for `count` vectors of x up to 0, step by step for all of them: one after the other took a tenth longer,
// each waiting for itself.
INLINE void vexp_negative(const int count, vf *x) {
    const vf low = vset1(-87.33654f);
    vf n[8], r[8], q[8];
#define EACH _Pragma("GCC unroll 8") for (int i = 0; i < count; i++)
    EACH r[i] = vmax(low, x[i]);
    EACH n[i] = vround(r[i] * vset1(1.44269504f));
    EACH r[i] = vfnma(n[i], vset1(0.693359375f), r[i]);
    EACH r[i] = vfnma(n[i], vset1(-2.12194440e-4f), r[i]);
    EACH q[i] = vfma(vset1(0.001381459f), r[i], vset1(0.0083687175f));
    EACH q[i] = vfma(q[i], r[i], vset1(0.04166839f));
    EACH q[i] = vfma(q[i], r[i], vset1(0.16666521f));
    EACH q[i] = vfma(q[i], r[i], vset1(0.49999994f));
    EACH q[i] = q[i] * r[i];
    EACH q[i] = vfma(q[i], r[i], r[i]) + vset1(1.0f);
    EACH x[i] = vscale2_or_zero(q[i], n[i], low, x[i]);
#undef EACH
}

// 2^x for x up to 127: n = round(x), a polynomial of x - n, which is exact. Relative error below 1.7e-7 in [-125, 127];
// 2^-125 below, NaN stays NaN.
INLINE vf vexp2(vf x) {
    x = vmax(vset1(-125.0f), x);
    vf n = vround(x), r = x - n;
    vf q = vfma(vset1(0.0013264727f), r, vset1(0.009671513f));
    q = vfma(q, r, vset1(0.055507336f));
    q = vfma(q, r, vset1(0.24022242f));
    q = vfma(q, r, vset1(0.693147f));
    return vscale2_normal(vfma(q, r, vset1(1.0f)), n);
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

// exp(-x^2/2): what rounding takes off x^2 is put back, or the tail would lose digits.
INLINE vf vgauss(vf x) {
    vf square = x * x, rest = vfma(x, x, -square);
    return vexp(vset1(-0.5f) * square) * vfma(vset1(-0.5f), rest, vset1(1.0f));
}

// The normal distribution function, given g = vgauss(x): for x < 0 it is g times a polynomial in
// 1 / (1 + |x| / sqrt(8)), relative error below 6e-7 in both tails.
INLINE vf vnormal_cdf(vf x, vf g) {
    const vf one = vset1(1.0f);
    vf u = one / vfma(vset1(0.35355339f), vabs(x), one);
    vf p = vfma(vset1(-0.029693132f), u, vset1(0.14306155f));
    p = vfma(p, u, vset1(-0.24520236f));
    p = vfma(p, u, vset1(0.14086580f));
    p = vfma(p, u, vset1(-0.014573768f));
    p = vfma(p, u, vset1(0.10187609f));
    p = vfma(p, u, vset1(0.12141759f));
    p = vfma(p, u, vset1(0.14120604f));
    p = vfma(p, u, vset1(0.14104217f));
    vf tail = p * u * g;
    return vsel_gt(x, vzero(), one - tail, tail);
}

// NaN stays NaN: of two operands that cannot be compared vmax takes the second.
INLINE vf vrelu(vf x) { return vmax(vzero(), x); }
INLINE vf vsilu(vf x) { return x * vsigmoid(x); }
INLINE vf vgelu(vf x) { return x * vnormal_cdf(x, vgauss(x)); }
// 1 + tanh(v) = 2 sigmoid(2v), which keeps its digits where tanh is near -1.
INLINE vf vgelu_sigmoid(vf x) { return vsigmoid(vset1(1.5957691f) * vfma(vset1(0.044715f) * x * x, x, x)); }
INLINE vf vgelu_tanh(vf x) { return x * vgelu_sigmoid(x); }

// Derivatives where the input is kept.
INLINE vf vsilu_slope(vf x) {
    vf s = vsigmoid(x);
    return s * (vset1(1.0f) + x * (vset1(1.0f) - s));
}
INLINE vf vgelu_slope(vf x) {
    vf g = vgauss(x);
    return vfma(x * vset1(0.39894228f), g, vnormal_cdf(x, g));
}
INLINE vf vgelu_tanh_slope(vf x) {
    const vf one = vset1(1.0f);
    vf s = vgelu_sigmoid(x), inner = vset1(1.5957691f) * vfma(vset1(3 * 0.044715f) * x, x, one);
    return vfma(x * s * (one - s), inner, s);
}

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
        case L4M_ACT_GELU:
            return vgelu(x);
        case L4M_ACT_GELU_TANH:
            return vgelu_tanh(x);
        default:
            return x;
    }
}

#endif
