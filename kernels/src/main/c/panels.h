// What stands before packed panels: products check that they got what they take it for.
#ifndef L4M_PANELS_H
#define L4M_PANELS_H

#include <math.h>
#include <stdint.h>

typedef struct {
    // Columns of a panel: says for which instruction set it was packed.
    int32_t width;
    // Of the elements, INT8_PANELS + elements of k in a 32-bit lane, or INT8_BLOCKS + those lanes and the type.
    int32_t type;
    int64_t n, k;
    int64_t reserved[5];
} panel_header;

_Static_assert(sizeof(panel_header) == 64, "panels begin on a cache line");

#define INT8_PANELS 0x100
#define INT8_BLOCKS 0x200
// Levels of weights on either side of zero, and steps of the range of activations.
#define INT8_WEIGHT_LEVELS 127.0f
#define INT8_STEPS 255.0f
// For longer rows sums of products up to 255 x 127 might not fit into 32 bits.
#define INT8_MAX_K 65536

// Values become round(x * inverse), to the nearest even, and stand for that times the scale. Where all are zeros, or
// so small that the inverse overflows, they become zeros; a range that is not finite makes a scale of NaN.
static inline float int8_scale(float range, float levels, float *inverse) {
    *inverse = levels / range;
    if (isfinite(range) && isfinite(*inverse)) return range / levels;
    *inverse = 0;
    return isfinite(range) ? 0 : NAN;
}

#endif
