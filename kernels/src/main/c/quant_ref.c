// The specification of the quantised types: where element i of a block lies, and what it stands for.
#include "quant.h"

// Byte i of a run of nibbles in which the first half of 2 * half elements has the low ones.
static int nibble(const uint8_t *qs, int i, int half) { return qs[i % half] >> (i < half ? 0 : 4) & 15; }

float ref_quantised(const void *p, int64_t index, int32_t type) {
    const uint8_t *b = l4m_at(p, index, type);
    int i = (int)(index % l4m_block_size(type));
    int part = i / 128, r = i % 128;  // of a block of 256
    switch (type) {
        case L4M_Q8_0:
            return quant_f16(b) * (float)(int8_t)b[2 + i];
        case L4M_Q4_0:
            return quant_f16(b) * (float)(nibble(b + 2, i, 16) - 8);
        case L4M_Q4_1:
            return quant_f16(b) * (float)nibble(b + 4, i, 16) + quant_f16(b + 2);
        case L4M_Q5_0:
            return quant_f16(b) * (float)((nibble(b + 6, i, 16) | (b[2 + i / 8] >> i % 8 & 1) << 4) - 16);
        case L4M_Q5_1:
            return quant_f16(b) * (float)(nibble(b + 8, i, 16) | (b[4 + i / 8] >> i % 8 & 1) << 4) + quant_f16(b + 2);
        case L4M_Q2_K: {
            int q = b[16 + 32 * part + r % 32] >> 2 * (r / 32) & 3, s = b[i / 16];
            float d = quant_f16(b + 80) * (float)(s & 15), m = quant_f16(b + 82) * (float)(s >> 4);
            return d * (float)q - m;
        }
        case L4M_Q3_K: {
            int q = b[32 + 32 * part + r % 32] >> 2 * (r / 32) & 3, high = b[r % 32] >> (i / 32) & 1;
            float d = quant_f16(b + 108) * (float)quant_k3(b + 96, i / 16);
            return d * (float)(q - (high ? 0 : 4));
        }
        case L4M_Q4_K: {
            int q = nibble(b + 16 + 32 * (i / 64), i % 64, 32);
            float d = quant_f16(b) * (float)quant_k4(b + 4, i / 32, 0);
            float m = quant_f16(b + 2) * (float)quant_k4(b + 4, i / 32, 1);
            return d * (float)q - m;
        }
        case L4M_Q5_K: {
            int q = nibble(b + 48 + 32 * (i / 64), i % 64, 32) | (b[16 + i % 32] >> (i / 32) & 1) << 4;
            float d = quant_f16(b) * (float)quant_k4(b + 4, i / 32, 0);
            float m = quant_f16(b + 2) * (float)quant_k4(b + 4, i / 32, 1);
            return d * (float)q - m;
        }
        case L4M_Q6_K: {
            int low = b[64 * part + r % 64] >> (r < 64 ? 0 : 4) & 15;
            int high = b[128 + 32 * part + r % 32] >> 2 * (r / 32) & 3;
            float d = quant_f16(b + 208) * (float)(int8_t)b[192 + i / 16];
            return d * (float)((low | high << 4) - 32);
        }
        case L4M_IQ4_NL:
            return quant_f16(b) * (float)quant_levels[nibble(b + 2, i, 16)];
        default: {
            float d = quant_f16(b) * (float)quant_xs(b + 2, i / 32);
            return d * (float)quant_levels[nibble(b + 8 + 16 * (i / 32), i % 32, 16)];
        }
    }
}
