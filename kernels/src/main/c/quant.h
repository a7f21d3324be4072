// Weights in blocks, laid out as in GGUF. Each block holds its own scales, so a row of whole blocks can be
// read from any block on.
#ifndef L4M_QUANT_H
#define L4M_QUANT_H

#include "vec.h"

static inline int l4m_is_quantised(int32_t type) { return type >= L4M_Q8_0; }

// Types whose blocks are multiplied as integers, see matmul_int8_blocks.
static inline int l4m_has_block_products(int32_t type) {
    return type == L4M_Q8_0 || type == L4M_Q4_0 || type == L4M_Q4_K || type == L4M_Q6_K;
}

// Scales lie at odd places: never read through a wider pointer.
static inline uint16_t quant_u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline float quant_f16(const uint8_t *p) { return l4m_f32_from_f16(quant_u16(p)); }

// Scale (minimum = 0) or minimum (1) number j in [0, 8) of the twelve bytes of Q4_K and Q5_K: six bits each.
static inline int quant_k4(const uint8_t *s, int j, int minimum) {
    if (j < 4) return s[j + 4 * minimum] & 63;
    int low = minimum ? s[j + 4] >> 4 : s[j + 4] & 15;
    return low | s[j - 4 + 4 * minimum] >> 6 << 4;
}

// Scale number j in [0, 16) of the twelve bytes of Q3_K: four low bits, then two high ones, from -32 to 31.
static inline int quant_k3(const uint8_t *s, int j) {
    return ((j < 8 ? s[j] & 15 : s[j - 8] >> 4) | (s[8 + j % 4] >> 2 * (j / 4) & 3) << 4) - 32;
}

// Scale number j in [0, 8) of IQ4_XS, from -32 to 31; s points behind the block's first scale.
static inline int quant_xs(const uint8_t *s, int j) {
    return ((s[2 + j / 2] >> 4 * (j % 2) & 15) | (quant_u16(s) >> 2 * j & 3) << 4) - 32;
}

// The sixteen levels of IQ4_NL and IQ4_XS.
static const int8_t quant_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// Element i of quantised weights, the specification.
float ref_quantised(const void *p, int64_t i, int32_t type);

// Element i of any type, for reference kernels.
static inline float ref_load(const void *p, int64_t i, int32_t type) {
    return l4m_is_quantised(type) ? ref_quantised(p, i, type) : l4m_load(p, i, type);
}

// dst[0 .. count) from whole blocks.
void ISA(dequantise)(const void *src, int32_t type, int64_t count, float *dst);

#endif
