// The hash that decides which elements dropout keeps; DropoutOp.java has the same.
#ifndef L4M_DROPOUT_H
#define L4M_DROPOUT_H

#include <stdint.h>

static inline uint32_t l4m_dropout_hash(uint32_t key, int64_t i) {
    uint32_t h = ((uint32_t)i * 0x9e3779b1u) ^ (key + (uint32_t)(i >> 32));
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13)) * 0xc2b2ae35u;
    return h ^ (h >> 16);
}

#endif
