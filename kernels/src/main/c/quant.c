// Quantised blocks to floats, one block at a time, in loops over 16 or 32 elements that the compiler turns
// into vectors. Compiled without contraction, so that every instruction set gives the same bits.
#include "quant.h"

// y = d q + m over 32 elements.
INLINE void widen(const int8_t *restrict q, float d, float m, float *restrict y) {
    for (int i = 0; i < 32; i++) y[i] = d * (float)q[i] + m;
}
INLINE void scale_by(const int8_t *restrict q, float d, int n, float *restrict y) {
    for (int i = 0; i < n; i++) y[i] = d * (float)q[i];
}
// Sixteen bytes of nibbles: low ones first, each plus `offset`.
INLINE void nibbles(const uint8_t *restrict qs, int n, int offset, int8_t *restrict q) {
    for (int i = 0; i < n; i++) q[i] = (int8_t)((qs[i] & 15) + offset);
    for (int i = 0; i < n; i++) q[n + i] = (int8_t)((qs[i] >> 4) + offset);
}
// The fifth bits of 32 elements.
INLINE void fifth_bits(const uint8_t *restrict qh, int8_t *restrict q, int offset) {
    uint32_t bits = (uint32_t)quant_u16(qh) | (uint32_t)quant_u16(qh + 2) << 16;
    for (int i = 0; i < 32; i++) q[i] = (int8_t)((q[i] | (int)(bits >> i & 1) << 4) + offset);
}
INLINE void levels(const uint8_t *restrict qs, int8_t *restrict q) {
    for (int i = 0; i < 16; i++) q[i] = quant_levels[qs[i] & 15];
    for (int i = 0; i < 16; i++) q[16 + i] = quant_levels[qs[i] >> 4];
}

static void q8_0(const uint8_t *b, float *y) { scale_by((const int8_t *)b + 2, quant_f16(b), 32, y); }

static void q4_0(const uint8_t *b, float *y) {
    int8_t q[32];
    nibbles(b + 2, 16, -8, q);
    scale_by(q, quant_f16(b), 32, y);
}

static void q4_1(const uint8_t *b, float *y) {
    int8_t q[32];
    nibbles(b + 4, 16, 0, q);
    widen(q, quant_f16(b), quant_f16(b + 2), y);
}

static void q5_0(const uint8_t *b, float *y) {
    int8_t q[32];
    nibbles(b + 6, 16, 0, q);
    fifth_bits(b + 2, q, -16);
    scale_by(q, quant_f16(b), 32, y);
}

static void q5_1(const uint8_t *b, float *y) {
    int8_t q[32];
    nibbles(b + 8, 16, 0, q);
    fifth_bits(b + 4, q, 0);
    widen(q, quant_f16(b), quant_f16(b + 2), y);
}

static void q2_k(const uint8_t *b, float *y) {
    float d = quant_f16(b + 80), m = quant_f16(b + 82);
    for (int group = 0; group < 8; group++) {
        const uint8_t *qs = b + 16 + group / 4 * 32, *s = b + 2 * group;
        int shift = group % 4 * 2;
        for (int half = 0; half < 2; half++) {
            float dl = d * (float)(s[half] & 15), ml = m * (float)(s[half] >> 4);
            for (int i = 0; i < 16; i++) y[i] = dl * (float)(qs[16 * half + i] >> shift & 3) - ml;
            y += 16;
        }
    }
}

static void q3_k(const uint8_t *b, float *y) {
    float d = quant_f16(b + 108);
    for (int group = 0; group < 8; group++) {
        const uint8_t *qs = b + 32 + group / 4 * 32;
        int shift = group % 4 * 2;
        int8_t q[32];
        for (int i = 0; i < 32; i++) q[i] = (int8_t)((qs[i] >> shift & 3) + (b[i] >> group & 1) * 4 - 4);
        scale_by(q, d * (float)quant_k3(b + 96, 2 * group), 16, y);
        scale_by(q + 16, d * (float)quant_k3(b + 96, 2 * group + 1), 16, y + 16);
        y += 32;
    }
}

static void q4_k(const uint8_t *b, float *y) {
    float d = quant_f16(b), m = quant_f16(b + 2);
    for (int group = 0; group < 8; group += 2) {
        int8_t q[64];
        nibbles(b + 16 + 16 * group, 32, 0, q);
        for (int half = 0; half < 2; half++) {
            int j = group + half;
            widen(q + 32 * half, d * (float)quant_k4(b + 4, j, 0), -(m * (float)quant_k4(b + 4, j, 1)), y + 32 * j);
        }
    }
}

static void q5_k(const uint8_t *b, float *y) {
    float d = quant_f16(b), m = quant_f16(b + 2);
    for (int group = 0; group < 8; group += 2) {
        int8_t q[64];
        nibbles(b + 48 + 16 * group, 32, 0, q);
        for (int half = 0; half < 2; half++) {
            int j = group + half;
            for (int i = 0; i < 32; i++) q[32 * half + i] = (int8_t)(q[32 * half + i] | (b[16 + i] >> j & 1) << 4);
            widen(q + 32 * half, d * (float)quant_k4(b + 4, j, 0), -(m * (float)quant_k4(b + 4, j, 1)), y + 32 * j);
        }
    }
}

static void q6_k(const uint8_t *b, float *y) {
    float d = quant_f16(b + 208);
    for (int group = 0; group < 8; group++) {
        int part = group / 4, r = group % 4;
        const uint8_t *low = b + 64 * part + 32 * (r % 2), *high = b + 128 + 32 * part;
        int shift_low = r / 2 * 4, shift_high = 2 * r;
        int8_t q[32];
        for (int i = 0; i < 32; i++)
            q[i] = (int8_t)(((low[i] >> shift_low & 15) | (high[i] >> shift_high & 3) << 4) - 32);
        scale_by(q, d * (float)(int8_t)b[192 + 2 * group], 16, y);
        scale_by(q + 16, d * (float)(int8_t)b[193 + 2 * group], 16, y + 16);
        y += 32;
    }
}

static void iq4_nl(const uint8_t *b, float *y) {
    int8_t q[32];
    levels(b + 2, q);
    scale_by(q, quant_f16(b), 32, y);
}

static void iq4_xs(const uint8_t *b, float *y) {
    float d = quant_f16(b);
    for (int group = 0; group < 8; group++) {
        int8_t q[32];
        levels(b + 8 + 16 * group, q);
        scale_by(q, d * (float)quant_xs(b + 2, group), 32, y + 32 * group);
    }
}

typedef void (*decoder)(const uint8_t *, float *);

static const decoder decoders[L4M_TYPE_COUNT] = {
    [L4M_Q8_0] = q8_0, [L4M_Q4_0] = q4_0, [L4M_Q4_1] = q4_1, [L4M_Q5_0] = q5_0,     [L4M_Q5_1] = q5_1,     [L4M_Q2_K] = q2_k,
    [L4M_Q3_K] = q3_k, [L4M_Q4_K] = q4_k, [L4M_Q5_K] = q5_k, [L4M_Q6_K] = q6_k, [L4M_IQ4_NL] = iq4_nl, [L4M_IQ4_XS] = iq4_xs,
};

void ISA(dequantise)(const void *src, int32_t type, int64_t count, float *dst) {
    decoder decode = decoders[type];
    const uint8_t *b = src;
    int64_t size = l4m_block_size(type), bytes = l4m_block_bytes(type);
    for (int64_t i = 0; i < count; i += size, b += bytes) decode(b, dst + i);
}
