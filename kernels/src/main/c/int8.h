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

// Weights in blocks lie as bytes: with VNNI four of k in a lane, each 128 above its value, otherwise two that are
// widened as they are read. Nibbles, all from 0 to 15, are multiplied four of k in a lane everywhere: with signed
// bytes from -127 to 127 a lane's two sums of eight products stay below 16 bits.
#if GROUP == 4
#define BYTE_OFFSET 128
#else
#define BYTE_OFFSET 0
#endif

typedef int32_t vlanes __attribute__((vector_size(VL * 4)));
typedef int16_t vhalves __attribute__((vector_size(VL * 4)));

#if VL == 16
typedef __m512i vi;
INLINE vi vi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
INLINE void vi_store(int32_t *p, vi v) { _mm512_storeu_si512(p, v); }
INLINE vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
INLINE vi vi_mul(vi a, vi b) { return _mm512_mullo_epi32(a, b); }
INLINE vf vi_float(vi x) { return _mm512_cvtepi32_ps(x); }
INLINE vi vi_round(vf x) { return _mm512_cvtps_epi32(x); }
INLINE vf vload_s8(const int8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
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

INLINE void vi_store_bytes(int8_t *p, vf x) {
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}
#if GROUP == 4
INLINE vi vi_load_weights(const int8_t *p) { return _mm512_loadu_si512(p); }
INLINE vi vi_dot_nibbles(vi sum, vi w, vi a) { return vi_dot(sum, w, a); }
INLINE vi vi_nibble_sums(vi sum) { return sum; }
#else
INLINE vi vi_load_weights(const int8_t *p) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)p)); }
INLINE vi vi_dot_nibbles(vi sum, vi w, vi a) { return _mm512_add_epi16(sum, _mm512_maddubs_epi16(w, a)); }
INLINE vi vi_nibble_sums(vi sum) { return _mm512_madd_epi16(sum, _mm512_set1_epi16(1)); }
#endif
INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
INLINE vi vi_low_nibbles(vi x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
INLINE vi vi_high_nibbles(vi x) { return vi_low_nibbles(_mm512_srli_epi16(x, 4)); }
// The largest of bits that order as numbers do: those of magnitudes, NaN above infinity.
INLINE vi vi_max(vi a, vi b) { return _mm512_max_epi32(a, b); }
INLINE int32_t vi_maxval(vi x) { return _mm512_reduce_max_epi32(x); }

#elif VL == 8
typedef __m256i vi;
INLINE vi vi_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE void vi_store(int32_t *p, vi v) { _mm256_storeu_si256((__m256i *)p, v); }
INLINE vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
INLINE vi vi_mul(vi a, vi b) { return _mm256_mullo_epi32(a, b); }
INLINE vf vi_float(vi x) { return _mm256_cvtepi32_ps(x); }
INLINE vi vi_round(vf x) { return _mm256_cvtps_epi32(x); }
INLINE vf vload_s8(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
INLINE vi vi_dot(vi sum, vi a, vi b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
INLINE void vi_store_elements(void *p, vf x) {
    __m256i q = _mm256_cvtps_epi32(x);
    _mm_storeu_si128(p, _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1)));
}

INLINE void vi_store_bytes(int8_t *p, vf x) {
    __m256i q = _mm256_cvtps_epi32(x);
    __m128i pairs = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(pairs, pairs));
}
INLINE vi vi_load_weights(const int8_t *p) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p)); }
INLINE vi vi_dot_nibbles(vi sum, vi w, vi a) { return _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, a)); }
INLINE vi vi_nibble_sums(vi sum) { return _mm256_madd_epi16(sum, _mm256_set1_epi16(1)); }
INLINE vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
INLINE vi vi_low_nibbles(vi x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
INLINE vi vi_high_nibbles(vi x) { return vi_low_nibbles(_mm256_srli_epi16(x, 4)); }
INLINE vi vi_max(vi a, vi b) { return _mm256_max_epi32(a, b); }
INLINE int32_t vi_maxval(vi x) {
    __m128i s = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    s = _mm_max_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

#else
typedef vi_ vi;
INLINE vi vi_load(const int32_t *p) {
    vi v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void vi_store(int32_t *p, vi v) { memcpy(p, &v, sizeof v); }
INLINE vi vi_set1(int32_t x) { return (vi){x, x, x, x}; }
INLINE vi vi_mul(vi a, vi b) { return a * b; }
INLINE vf vi_float(vi x) { return __builtin_convertvector(x, vf); }
INLINE vi vi_round(vf x) { return __builtin_convertvector(vround(x), vi); }
INLINE vf vload_s8(const int8_t *p) { return (vf){p[0], p[1], p[2], p[3]}; }
#if defined(__SSE2__)
#include <smmintrin.h>
INLINE vi vi_dot(vi sum, vi a, vi b) { return sum + (vi)_mm_madd_epi16((__m128i)a, (__m128i)b); }
INLINE vi vi_load_weights(const int8_t *p) { return (vi)_mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)p)); }
INLINE vi vi_dot_nibbles(vi sum, vi w, vi a) {
    return (vi)_mm_add_epi16((__m128i)sum, _mm_maddubs_epi16((__m128i)w, (__m128i)a));
}
INLINE vi vi_nibble_sums(vi sum) { return (vi)_mm_madd_epi16((__m128i)sum, _mm_set1_epi16(1)); }
#else
// The low and the high halves of the lanes, extended by their signs.
INLINE vi vi_dot(vi sum, vi a, vi b) {
    return sum + (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
}
INLINE vi vi_load_weights(const int8_t *p) {
    vi v;
    for (int i = 0; i < VL; i++) v[i] = (int32_t)((uint32_t)(uint16_t)p[2 * i] | (uint32_t)p[2 * i + 1] << 16);
    return v;
}
INLINE vi vi_dot_nibbles(vi sum, vi w, vi a) {
    for (int byte = 0; byte < 4; byte++) sum += (w << 8 * (3 - byte) >> 24) * (a << 8 * (3 - byte) >> 24);
    return sum;
}
INLINE vi vi_nibble_sums(vi sum) { return sum; }
#endif
INLINE vi vi_add(vi a, vi b) { return a + b; }
INLINE vi vi_low_nibbles(vi x) { return x & 0x0f0f0f0f; }
INLINE vi vi_high_nibbles(vi x) { return x >> 4 & 0x0f0f0f0f; }
INLINE vi vi_max(vi a, vi b) { return (vi)vbits_select(a > b, (vf)a, (vf)b); }
INLINE int32_t vi_maxval(vi x) {
    int32_t a = x[0] > x[1] ? x[0] : x[1], b = x[2] > x[3] ? x[2] : x[3];
    return a > b ? a : b;
}
INLINE void vi_store_bytes(int8_t *p, vf x) {
    for (int i = 0; i < VL; i++) p[i] = (int8_t)x[i];
}
INLINE void vi_store_elements(void *p, vf x) {
    int16_t q[VL] = {(int16_t)x[0], (int16_t)x[1], (int16_t)x[2], (int16_t)x[3]};
    memcpy(p, q, sizeof q);
}
#endif

// The byte at this place of each lane, 0 the lowest, signed.
INLINE vi vi_signed_byte(vi x, int place) { return (vi)((vlanes)((vpairs)x << (24 - 8 * place)) >> 24); }

// sum + a b over the four unsigned bytes of each lane of a and the four signed ones of b. Without VNNI in pairs of
// 16-bit numbers: bytes 0 and 2, then 1 and 3.
INLINE vi vi_dot_quads(vi sum, vi a, vi b) {
#if GROUP == 4
    return vi_dot(sum, a, b);
#else
    vlanes even = (vlanes)a & 0xff00ff, odd = (vlanes)((vlanes)a >> 8) & 0xff00ff;
    return vi_dot(vi_dot(sum, (vi)even, (vi)((vhalves)b << 8 >> 8)), (vi)odd, (vi)((vhalves)b >> 8));
#endif
}

#endif
