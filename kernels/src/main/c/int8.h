// Vectors of VL 32-bit sums of products of small integers, exact on every instruction set: no product and no
// partial sum is ever cut off.
#ifndef L4M_INT8_H
#define L4M_INT8_H

#include "vec.h"

// A step multiplies GROUP neighbouring values of k in each 32-bit lane. VNNI takes four unsigned bytes times four
// signed ones, so A counts from the least value of its row, and the sums begin at what that adds. Otherwise both are
// 16-bit numbers: products of bytes (vpmaddubsw) would saturate.
#if defined(__AVX512VNNI__)
#define GROUP 4
typedef int8_t int8_weight;
#else
#define GROUP 2
typedef int16_t int8_weight;
#endif

#if VL == 16
typedef __m512i vi;
INLINE vi vi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
INLINE vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
INLINE vi vi_mul(vi a, vi b) { return _mm512_mullo_epi32(a, b); }
INLINE vf vi_float(vi x) { return _mm512_cvtepi32_ps(x); }
#if GROUP == 4
// Not _mm512_dpbusd_epi32: gcc 12 copies its sums to and fro and stores them all in every step, half the speed.
INLINE vi vi_dot(vi sum, vi a, vi b) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}
#else
INLINE vi vi_dot(vi sum, vi a, vi b) { return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)); }
#endif
// VL integral floats as the elements of A.
INLINE void vi_store_elements(void *p, vf x) {
#if GROUP == 4
    _mm_storeu_si128(p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
#else
    _mm256_storeu_si256(p, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(x)));
#endif
}

#elif VL == 8
typedef __m256i vi;
INLINE vi vi_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
INLINE vi vi_mul(vi a, vi b) { return _mm256_mullo_epi32(a, b); }
INLINE vf vi_float(vi x) { return _mm256_cvtepi32_ps(x); }
INLINE vi vi_dot(vi sum, vi a, vi b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
INLINE void vi_store_elements(void *p, vf x) {
    __m256i q = _mm256_cvtps_epi32(x);
    _mm_storeu_si128(p, _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1)));
}

#else
typedef vi_ vi;
INLINE vi vi_load(const int32_t *p) {
    vi v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE vi vi_set1(int32_t x) { return (vi){x, x, x, x}; }
INLINE vi vi_mul(vi a, vi b) { return a * b; }
INLINE vf vi_float(vi x) { return __builtin_convertvector(x, vf); }
#if defined(__SSE2__)
#include <emmintrin.h>
INLINE vi vi_dot(vi sum, vi a, vi b) { return sum + (vi)_mm_madd_epi16((__m128i)a, (__m128i)b); }
#else
// The low and the high halves of the lanes, extended by their signs.
INLINE vi vi_dot(vi sum, vi a, vi b) {
    return sum + (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
}
#endif
INLINE void vi_store_elements(void *p, vf x) {
    int16_t q[VL] = {(int16_t)x[0], (int16_t)x[1], (int16_t)x[2], (int16_t)x[3]};
    memcpy(p, q, sizeof q);
}
#endif

#endif
