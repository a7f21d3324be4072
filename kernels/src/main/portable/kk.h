// One source for CUDA C++, OpenCL C 1.2 and host C++: what differs between them, and what all kernels share.
//
// A kernel runs in groups of GROUP work items; a group shares LOCAL memory and meets at BARRIER(), which all of
// its items must reach. Arithmetic is in float. No warp operations, no templates, no float atomics: the same
// source gives the same sums on every run.
#ifndef KK_H
#define KK_H

#if defined(__OPENCL_VERSION__)
#define KERNEL __kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
#define DEVICE static inline
#define GLOBAL __global
#define LOCAL __local
#define LOCAL_PTR __local
#define CONSTANT __constant
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define LID ((int)get_local_id(0))
#define GROUP_ID ((i64)get_group_id(0))
#define AS_FLOAT(bits) as_float((u32)(bits))
#define CLAIM(p, expected, desired) atomic_cmpxchg((volatile __global int *)(p), expected, desired)
#define UNROLL
typedef char i8;
typedef uchar u8;
typedef ushort u16;
typedef uint u32;
typedef long i64;
typedef ulong u64;
#elif defined(__CUDACC__)
#define KERNEL extern "C" __global__ __launch_bounds__(64) void
#define DEVICE static __device__ inline
#define GLOBAL
#define LOCAL __shared__
#define LOCAL_PTR
#define CONSTANT static __constant__ const
#define BARRIER() __syncthreads()
#define LID ((int)threadIdx.x)
#define GROUP_ID ((i64)blockIdx.x)
#define AS_FLOAT(bits) __uint_as_float((u32)(bits))
#define CLAIM(p, expected, desired) atomicCAS(p, expected, desired)
// Before loops over an array of an item's own: only if they are unrolled does it lie in registers.
#define UNROLL _Pragma("unroll")
typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
#else
// Host C++: whoever includes this gives kk_local_id, kk_group_id and kk_barrier a meaning.
#include <math.h>
#include <string.h>
#define KERNEL extern "C" void
#define DEVICE static inline
#define GLOBAL
#define LOCAL static
#define LOCAL_PTR
#define CONSTANT static const
#define BARRIER() kk_barrier()
#define LID (kk_local_id())
#define GROUP_ID ((i64)kk_group_id())
#define AS_FLOAT(bits) kk_float_of(bits)
#define CLAIM(p, expected, desired) kk_claim(p, expected, desired)
#define UNROLL
typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
extern "C" int kk_local_id(void);
extern "C" i64 kk_group_id(void);
extern "C" void kk_barrier(void);
static inline float kk_float_of(u32 bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline int kk_claim(int *p, int expected, int desired) {
    int old = *p;
    if (old == expected) *p = desired;
    return old;
}
#endif

#define GROUP 64
// The number of this work item over all groups.
#define GID (GROUP_ID * GROUP + LID)

// Column reductions: a group takes COLUMNS columns and shares their rows among LANES items each.
#define COLUMNS 16
#define LANES (GROUP / COLUMNS)

DEVICE i64 least(i64 a, i64 b) { return a < b ? a : b; }
DEVICE i64 largest(i64 a, i64 b) { return a > b ? a : b; }

// The sum of one value of each item of a group, always in the same order; shared has GROUP elements.
DEVICE float group_sum(float value, LOCAL_PTR float *shared) {
    shared[LID] = value;
    BARRIER();
    for (int step = GROUP / 2; step > 0; step /= 2) {
        if (LID < step) shared[LID] += shared[LID + step];
        BARRIER();
    }
    float sum = shared[0];
    BARRIER();
    return sum;
}

DEVICE float group_max(float value, LOCAL_PTR float *shared) {
    shared[LID] = value;
    BARRIER();
    for (int step = GROUP / 2; step > 0; step /= 2) {
        if (LID < step) shared[LID] = fmax(shared[LID], shared[LID + step]);
        BARRIER();
    }
    float most = shared[0];
    BARRIER();
    return most;
}

// The sum over the lanes of this item's column; item i has column i % COLUMNS.
DEVICE float lane_sum(float value, LOCAL_PTR float *shared) {
    shared[LID] = value;
    BARRIER();
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += shared[lane * COLUMNS + LID % COLUMNS];
    BARRIER();
    return sum;
}

// sum += value with the rounding error carried in lost (Kahan 1965): for long serial sums.
#define ADD(sum, lost, value)            \
    do {                                 \
        float add_ = (value) - (lost);   \
        float next_ = (sum) + add_;      \
        (lost) = (next_ - (sum)) - add_; \
        (sum) = next_;                   \
    } while (0)

// Activations; the numbers are those of the C kernels. A comparison that lets NaN through keeps it visible.
enum { ACT_NONE, ACT_RELU, ACT_SIGMOID, ACT_SILU, ACT_TANH, ACT_GELU, ACT_GELU_TANH };

DEVICE float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }
// The normal distribution function. erfc keeps the digits of the lower tail, if its argument -x / sqrt(2) is given
// with its rounding error.
DEVICE float normal_cdf(float x) {
    float z = -0.70710678f * x, error = fma(-0.70710678f, x, -z) - 1.2101617e-08f * x;
    return 0.5f * (erfc(z) - 1.1283792f * exp(-z * z) * error);
}
// Twice what tanh is taken of: (1 + tanh(z)) / 2 = sigmoid(2 z) has all its digits where tanh is near -1.
DEVICE float gelu_inner(float x) { return 1.5957691f * (x + 0.044715f * x * x * x); }

DEVICE float activate(int kind, float x) {
    switch (kind) {
        case ACT_RELU: return x < 0.0f ? 0.0f : x;
        case ACT_SIGMOID: return sigmoid(x);
        case ACT_SILU: return x * sigmoid(x);
        case ACT_TANH: return tanh(x);
        case ACT_GELU: return x * normal_cdf(x);
        case ACT_GELU_TANH: return x * sigmoid(gelu_inner(x));
        default: return x;
    }
}

// The derivative from what was saved: the output, for SILU and the GELUs the input.
DEVICE float slope(int kind, float s) {
    switch (kind) {
        case ACT_RELU: return s > 0.0f ? 1.0f : 0.0f;
        case ACT_SIGMOID: return s * (1.0f - s);
        case ACT_SILU: {
            float g = sigmoid(s);
            return g * (1.0f + s * (1.0f - g));
        }
        case ACT_TANH: return (1.0f - s) * (1.0f + s);
        case ACT_GELU: return normal_cdf(s) + 0.39894228f * s * exp(-0.5f * s * s);
        case ACT_GELU_TANH: {
            float z = gelu_inner(s), g = sigmoid(z);
            return g + s * g * sigmoid(-z) * 1.5957691f * (1.0f + 0.134145f * s * s);
        }
        default: return 1.0f;
    }
}

// Faults: the first item that meets a bad index leaves where (a number that the host gave the check), which
// element and what stood there. From then on kernels that follow indices or update state do nothing, until the
// host has taken note.
DEVICE void report(GLOBAL int *fault, int where, i64 element, i64 value) {
    if (CLAIM(fault, 0, where) == 0) {
        fault[1] = (int)element;
        fault[2] = (int)value;
    }
}

// The part p that position lies in: bounds[p] <= position < bounds[p + 1]. Empty parts are passed over.
DEVICE int part_of(GLOBAL const int *bounds, int parts, i64 position) {
    int low = 0, high = parts;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (bounds[middle] <= position) low = middle;
        else high = middle;
    }
    return low;
}

// Numbers in a state [2] of doubles, which not every device computes with: rounded to float, or its whole part.
DEVICE float float_of_double(u64 bits) {
    int exponent = (int)(bits >> 52 & 2047);
    i64 digits = (i64)((bits & 0xfffffffffffffUL) | 0x10000000000000UL);
    float value = exponent == 0 ? 0.0f : ldexp((float)digits, exponent - 1075);
    return bits >> 63 ? -value : value;
}

DEVICE i64 whole_of_double(u64 bits) {
    int exponent = (int)(bits >> 52 & 2047) - 1075;
    i64 digits = (i64)((bits & 0xfffffffffffffUL) | 0x10000000000000UL);
    i64 value = exponent >= 0 ? digits << (exponent < 10 ? exponent : 10) : exponent < -52 ? 0 : digits >> -exponent;
    return bits >> 63 ? -value : value;
}

// Half precision and bfloat16 by their bits; scaling by 2^112 is exact, subnormals included.
DEVICE float float_of_half(u32 h) {
    float value = h & 0x7c00 ? AS_FLOAT(((h & 0x7fff) << 13) + 0x38000000u) : (float)(h & 0x3ff) * 5.9604645e-8f;
    if ((h & 0x7c00) == 0x7c00) value = AS_FLOAT(0x7f800000u | (h & 0x3ff) << 13);
    return h & 0x8000 ? -value : value;
}
DEVICE float float_of_bfloat(u32 h) { return AS_FLOAT(h << 16); }

#endif
