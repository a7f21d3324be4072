// What stands before packed panels: products check that they got what they take it for.
#ifndef L4M_PANELS_H
#define L4M_PANELS_H

#include <stdint.h>

typedef struct {
    // Columns of a panel: says for which instruction set it was packed.
    int32_t width;
    int32_t type;
    int64_t n, k;
    int64_t reserved[5];
} panel_header;

_Static_assert(sizeof(panel_header) == 64, "panels begin on a cache line");

#endif
