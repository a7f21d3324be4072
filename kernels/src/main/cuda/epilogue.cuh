// What happens to the sums of a product before they are stored: out = act(sum + bias + residual), or, where a product
// has gates, out = act(gate) * up (SwiGLU with SILU, Shazeer 2020), then without bias and residual.
#ifndef EPILOGUE_CUH
#define EPILOGUE_CUH

#include "mma.cuh"

// Element types of results and residuals, numbered as everywhere.
enum { RESULT_F32, RESULT_BF16 };

// c [m, n] in rows of ldc elements, residual alike in rows of ldr, both of `type`; bias [n] F32. bias and residual may
// be missing.
struct Epilogue {
    int m, n, activation, type;
    const float *bias;
    const void *residual;
    i64 ldr;
    void *c;
    i64 ldc;
};

DEVICE float load_result(const void *p, i64 at, int type) {
    return type == RESULT_F32 ? ((const float *)p)[at] : float_of_bfloat(((const bf16 *)p)[at]);
}

// kk.h's activations within 1e-6 of max(1, |x|), which is below what BF16 operands resolve: one exponential and one
// reciprocal for all but RELU, since a kernel repeats this for each of a thread's sums. The error function is 7.1.26 of
// Abramowitz and Stegun.
DEVICE float activate_fast(int kind, float x) {
    if (kind == ACT_NONE) return x;
    if (kind == ACT_RELU) return x < 0.0f ? 0.0f : x;
    if (kind == ACT_GELU) {
        float z = 0.70710678f * fabsf(x), t = reciprocal_fast(fmaf(0.3275911f, z, 1.0f));
        float series =
            fmaf(fmaf(fmaf(fmaf(1.061405429f, t, -1.453152027f), t, 1.421413741f), t, -0.284496736f), t, 0.254829592f);
        float tail = 0.5f * series * t * exp2_fast(-1.44269504f * z * z);
        return x * (x < 0.0f ? tail : 1.0f - tail);
    }
    float z = kind == ACT_TANH ? 2.0f * x : kind == ACT_GELU_TANH ? gelu_inner(x) : x;
    float s = reciprocal_fast(1.0f + exp2_fast(-1.44269504f * z));
    return kind == ACT_SIGMOID ? s : kind == ACT_TANH ? fmaf(2.0f, s, -1.0f) : x * s;
}

// Sums of columns n and n + 1, n even.
DEVICE void finish2(const Epilogue &e, int row, int n, float &low, float &high) {
    bool both = n + 1 < e.n;
    if (e.bias != nullptr) {
        low += e.bias[n];
        if (both) high += e.bias[n + 1];
    }
    if (e.residual != nullptr) {
        low += load_result(e.residual, row * e.ldr + n, e.type);
        if (both) high += load_result(e.residual, row * e.ldr + n + 1, e.type);
    }
    low = activate_fast(e.activation, low);
    high = activate_fast(e.activation, high);
}

DEVICE void store2(const Epilogue &e, int row, int n, float low, float high) {
    i64 at = row * e.ldc + n;
    if (e.type == RESULT_F32) {
        float *c = (float *)e.c + at;
        if (n + 1 < e.n && (u64)c % 8 == 0) {
            *(float2 *)c = float2{low, high};
        } else {
            c[0] = low;
            if (n + 1 < e.n) c[1] = high;
        }
    } else {
        bf16 *c = (bf16 *)e.c + at;
        u32 pair = pack_bf16(low, high);
        if (n + 1 < e.n && (u64)c % 4 == 0) {
            *(u32 *)c = pair;
        } else {
            c[0] = (bf16)pair;
            if (n + 1 < e.n) c[1] = (bf16)(pair >> 16);
        }
    }
}

DEVICE void put2(const Epilogue &e, int row, int n, float low, float high) {
    if (row >= e.m || n >= e.n) return;
    finish2(e, row, n, low, high);
    store2(e, row, n, low, high);
}

DEVICE void put2_gated(const Epilogue &e, int row, int n, float gate_low, float gate_high, float up_low,
                       float up_high) {
    if (row >= e.m || n >= e.n) return;
    store2(e, row, n, activate_fast(e.activation, gate_low) * up_low, activate_fast(e.activation, gate_high) * up_high);
}

#endif
