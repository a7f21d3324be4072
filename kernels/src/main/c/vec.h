// One vector of VL floats, whatever the instruction set: the kernels are written once against this file
// and compiled once per set. Everything is static inline, so no copy is ever shared between sets.
#ifndef L4M_VEC_H
#define L4M_VEC_H

#include <string.h>

#include "l4m.h"

#define L4M_PASTE_(a, b) a##_##b
#define L4M_PASTE(a, b) L4M_PASTE_(a, b)
#define ISA(name) L4M_PASTE(name, L4M_SUFFIX)
#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#include <immintrin.h>
#define VL 16
typedef __m512 vf;

INLINE vf vload(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vstore(float *p, vf v) { _mm512_storeu_ps(p, v); }
INLINE void vstream(float *p, vf v) { _mm512_stream_ps(p, v); }
INLINE vf vset1(float x) { return _mm512_set1_ps(x); }
INLINE __mmask16 vmask_n(int64_t n) { return (__mmask16)((1u << n) - 1); }
INLINE vf vload_n(const float *p, int64_t n) { return _mm512_maskz_loadu_ps(vmask_n(n), p); }
INLINE void vstore_n(float *p, vf v, int64_t n) { _mm512_mask_storeu_ps(p, vmask_n(n), v); }
// Lanes [from, to) of x, `otherwise` in the others; either may lie beyond the vector.
INLINE vf vkeep(vf x, int64_t from, int64_t to, float otherwise) {
    uint32_t below = to >= 16 ? 0xffff : to > 0 ? (1u << to) - 1 : 0;
    uint32_t above = from >= 16 ? 0 : from > 0 ? 0xffffu << from : 0xffff;
    return _mm512_mask_blend_ps((__mmask16)(below & above), _mm512_set1_ps(otherwise), x);
}
INLINE vf vfma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vfnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
INLINE vf vmax(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vmin(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm512_sqrt_ps(a); }
INLINE vf vround(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vf vabs(vf a) { return _mm512_abs_ps(a); }
INLINE float vsum(vf a) { return _mm512_reduce_add_ps(a); }
INLINE float vmaxval(vf a) { return _mm512_reduce_max_ps(a); }
// a > b ? x : y
INLINE vf vsel_gt(vf a, vf b, vf x, vf y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), y, x);
}
// x * 2^n, n integral
INLINE vf vscale2(vf x, vf n) { return _mm512_scalef_ps(x, n); }
// The same where both x and the result are normal numbers, or x is NaN.
INLINE vf vscale2_normal(vf x, vf n) { return vscale2(x, n); }
// a > b ? 0 : that
INLINE vf vscale2_or_zero(vf x, vf n, vf a, vf b) {
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(a, b, _CMP_NGT_UQ), x, n);
}
INLINE vf vload_bf16(const uint16_t *p) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
INLINE vf vload_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

INLINE void vtranspose(vf r[VL]) {
    vf t[VL];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 2] =
            _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
        r[i + 3] =
            _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

#elif defined(__AVX2__)
#include <immintrin.h>
#define VL 8
typedef __m256 vf;

INLINE vf vload(const float *p) { return _mm256_loadu_ps(p); }
INLINE void vstore(float *p, vf v) { _mm256_storeu_ps(p, v); }
INLINE void vstream(float *p, vf v) { _mm256_stream_ps(p, v); }
INLINE vf vset1(float x) { return _mm256_set1_ps(x); }
INLINE __m256i vmask_n(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf vload_n(const float *p, int64_t n) { return _mm256_maskload_ps(p, vmask_n(n)); }
INLINE void vstore_n(float *p, vf v, int64_t n) { _mm256_maskstore_ps(p, vmask_n(n), v); }
INLINE vf vkeep(vf x, int64_t from, int64_t to, float otherwise) {
    __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)l4m_min(to, 8)), lanes);
    __m256i above = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)l4m_max(from, 0)), lanes);
    __m256 kept = _mm256_castsi256_ps(_mm256_andnot_si256(above, below));
    return _mm256_blendv_ps(_mm256_set1_ps(otherwise), x, kept);
}
INLINE vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vfnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm256_sqrt_ps(a); }
INLINE vf vround(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vf vabs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
INLINE float vsum(vf a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
INLINE float vmaxval(vf a) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}
INLINE vf vsel_gt(vf a, vf b, vf x, vf y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
// In two steps, so that the ends of the exponent range neither overflow nor vanish on the way.
INLINE vf vscale2(vf x, vf n) {
    __m256i k = _mm256_cvtps_epi32(n), h = _mm256_srai_epi32(k, 1);
    __m256i bias = _mm256_set1_epi32(127);
    vf a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(h, bias), 23));
    vf b = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(k, h), bias), 23));
    return x * a * b;
}
INLINE vf vscale2_normal(vf x, vf n) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}
INLINE vf vscale2_or_zero(vf x, vf n, vf a, vf b) {
    return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_NGT_UQ), vscale2_normal(x, n));
}
INLINE vf vload_bf16(const uint16_t *p) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
INLINE vf vload_f16(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }

INLINE void vtranspose(vf r[VL]) {
    vf t[VL];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) r[i] = t[i];
}

#else
// GNU vectors of four: SSE on x86-64-v2, NEON on aarch64.
#define VL 4
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi_ __attribute__((vector_size(16)));

INLINE vf vload(const float *p) {
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void vstore(float *p, vf v) { memcpy(p, &v, sizeof v); }
#if defined(__SSE2__)
#include <emmintrin.h>
INLINE void vstream(float *p, vf v) { _mm_stream_ps(p, v); }
#else
INLINE void vstream(float *p, vf v) { vstore(p, v); }
#endif
INLINE vf vset1(float x) { return (vf){x, x, x, x}; }
INLINE vf vload_n(const float *p, int64_t n) {
    float t[4] = {0, 0, 0, 0};
    for (int64_t i = 0; i < n; i++) t[i] = p[i];
    return vload(t);
}
INLINE void vstore_n(float *p, vf v, int64_t n) {
    for (int64_t i = 0; i < n; i++) p[i] = v[i];
}
INLINE vf vkeep(vf x, int64_t from, int64_t to, float otherwise) {
    for (int64_t i = 0; i < VL; i++)
        if (i < from || i >= to) x[i] = otherwise;
    return x;
}
INLINE vf vbits_select(vi_ mask, vf x, vf y) { return (vf)(((vi_)x & mask) | ((vi_)y & ~mask)); }
INLINE vf vfma(vf a, vf b, vf c) { return a * b + c; }
INLINE vf vfnma(vf a, vf b, vf c) { return c - a * b; }
// Like SSE: the second operand when either is NaN.
INLINE vf vmax(vf a, vf b) { return vbits_select(a > b, a, b); }
INLINE vf vmin(vf a, vf b) { return vbits_select(a < b, a, b); }
INLINE vf vsel_gt(vf a, vf b, vf x, vf y) { return vbits_select(a > b, x, y); }
INLINE vf vabs(vf a) { return (vf)((vi_)a & 0x7fffffff); }
INLINE vf vsqrt(vf a) {
    return (vf){__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]), __builtin_sqrtf(a[3])};
}
INLINE vf vround(vf a) {
    return (vf){__builtin_rintf(a[0]), __builtin_rintf(a[1]), __builtin_rintf(a[2]), __builtin_rintf(a[3])};
}
INLINE float vsum(vf a) { return (a[0] + a[2]) + (a[1] + a[3]); }
INLINE float vmaxval(vf a) {
    float x = a[0] > a[1] ? a[0] : a[1], y = a[2] > a[3] ? a[2] : a[3];
    return x > y ? x : y;
}
INLINE vf vscale2(vf x, vf n) {
    vi_ k = __builtin_convertvector(n, vi_), h = k >> 1;
    return x * (vf)((h + 127) << 23) * (vf)((k - h + 127) << 23);
}
INLINE vf vscale2_normal(vf x, vf n) { return (vf)((vi_)x + (__builtin_convertvector(n, vi_) << 23)); }
INLINE vf vscale2_or_zero(vf x, vf n, vf a, vf b) { return (vf)((vi_)vscale2_normal(x, n) & ~(vi_)(a > b)); }
INLINE vf vload_bf16(const uint16_t *p) {
    return (vf){l4m_f32_from_bf16(p[0]), l4m_f32_from_bf16(p[1]), l4m_f32_from_bf16(p[2]),
                l4m_f32_from_bf16(p[3])};
}
INLINE vf vload_f16(const uint16_t *p) {
    return (vf){l4m_f32_from_f16(p[0]), l4m_f32_from_f16(p[1]), l4m_f32_from_f16(p[2]),
                l4m_f32_from_f16(p[3])};
}
INLINE void vtranspose(vf r[VL]) {
    vf a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
    vf b = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
    vf c = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    vf d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    r[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    r[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    r[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}
#endif

INLINE vf vzero(void) { return vset1(0.0f); }

// After vstream, which writes an aligned vector past the caches, and before others are told of what it wrote.
INLINE void vstream_end(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

// VL pairs of BF16 numbers, the first in the lower half of its lane.
typedef uint32_t vpairs __attribute__((vector_size(VL * 4)));

INLINE vpairs vpairs_load(const uint32_t *p) {
    vpairs v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void vpairs_store(uint32_t *p, vpairs v) { memcpy(p, &v, sizeof v); }
INLINE vpairs vpairs_set1(const void *pair) {
    uint32_t one;
    memcpy(&one, pair, sizeof one);
    return one - (vpairs){0};
}
// To the nearest BF16, of two the even one; in the upper half of each lane. NaN stays NaN.
INLINE vpairs vround_bf16(vf x) {
    vpairs bits = (vpairs)x, up = bits + 0x7fff + ((bits >> 16) & 1), number = (vpairs)(x == x);
    return (up & number) | ((bits | 0x400000) & ~number);
}
INLINE vpairs vpairs_of(vf first, vf second) {
    return vround_bf16(first) >> 16 | (vround_bf16(second) & 0xffff0000);
}
// acc + a.first b.first + a.second b.second
INLINE vf vdot_pairs(vpairs a, vpairs b, vf acc) {
#if defined(__AVX512BF16__)
    return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b);
#else
    acc = vfma((vf)(a << 16), (vf)(b << 16), acc);
    return vfma((vf)(a & 0xffff0000), (vf)(b & 0xffff0000), acc);
#endif
}

// n values of any stored type, widened; n may be VL.
INLINE vf vload_any(const void *p, int64_t n, int32_t type) {
    if (type == L4M_F32) return n >= VL ? vload(p) : vload_n(p, n);
    uint16_t tail[VL];
    if (n < VL) {
        memset(tail, 0, sizeof tail);
        memcpy(tail, p, (size_t)n * 2);
        p = tail;
    }
    return type == L4M_BF16 ? vload_bf16(p) : vload_f16(p);
}

#endif
