// AMX's tiles in plain C, so that kernels for them are tested on processors without: what an instruction would fault
// on aborts, and memory is read and written element by element under the sanitizers' eyes.
#ifndef L4M_AMX_EMULATION_H
#define L4M_AMX_EMULATION_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbusd
#define _tile_loadconfig amx_loadconfig
#define _tile_release amx_release
#define _tile_zero amx_zero
#define _tile_loadd amx_loadd
#define _tile_stored amx_stored
#define _tile_dpbusd amx_dpbusd

typedef struct {
    int rows, row_bytes;
    uint8_t bytes[16][64];
} amx_tile;

static _Thread_local amx_tile amx_tiles[8];
static _Thread_local int amx_configured;

static inline void amx_require(int condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "AMX: %s\n", what);
    abort();
}

static inline amx_tile *amx_at(int t) {
    amx_require(amx_configured, "tiles are not configured");
    amx_require(amx_tiles[t].rows > 0 && amx_tiles[t].row_bytes > 0, "a tile without extents");
    return amx_tiles + t;
}

static inline void amx_loadconfig(const void *from) {
    const uint8_t *bytes = from;
    amx_require(bytes[0] == 1 && bytes[1] == 0, "not palette 1");
    for (int i = 2; i < 16; i++) amx_require(bytes[i] == 0, "reserved bytes");
    for (int t = 0; t < 16; t++) {
        uint16_t row_bytes;
        memcpy(&row_bytes, bytes + 16 + 2 * t, sizeof row_bytes);
        int rows = bytes[48 + t];
        amx_require(t < 8 || (rows == 0 && row_bytes == 0), "more than 8 tiles");
        amx_require(rows <= 16 && row_bytes <= 64 && (rows == 0) == (row_bytes == 0), "extents of a tile");
        if (t < 8) amx_tiles[t] = (amx_tile){.rows = rows, .row_bytes = row_bytes};
    }
    amx_configured = 1;
}

static inline void amx_release(void) { amx_configured = 0; }

static inline void amx_zero(int t) { memset(amx_at(t)->bytes, 0, sizeof amx_tiles->bytes); }

static inline void amx_loadd(int t, const void *base, size_t stride) {
    amx_tile *tile = amx_at(t);
    memset(tile->bytes, 0, sizeof tile->bytes);
    for (int r = 0; r < tile->rows; r++) memcpy(tile->bytes[r], (const char *)base + r * stride, (size_t)tile->row_bytes);
}

static inline void amx_stored(int t, void *base, size_t stride) {
    amx_tile *tile = amx_at(t);
    for (int r = 0; r < tile->rows; r++) memcpy((char *)base + r * stride, tile->bytes[r], (size_t)tile->row_bytes);
}

static inline void amx_dpbusd(int to, int left, int right) {
    amx_tile *c = amx_at(to), *a = amx_at(left), *b = amx_at(right);
    amx_require(to != left && to != right && left != right, "a tile twice");
    amx_require(c->rows == a->rows && a->row_bytes == 4 * b->rows && c->row_bytes == b->row_bytes, "extents of a product");
    for (int i = 0; i < c->rows; i++)
        for (int j = 0; j < c->row_bytes / 4; j++) {
            uint32_t sum;
            memcpy(&sum, c->bytes[i] + 4 * j, sizeof sum);
            for (int p = 0; p < a->row_bytes; p++)
                sum += (uint32_t)(a->bytes[i][p] * (int8_t)b->bytes[p / 4][4 * j + p % 4]);
            memcpy(c->bytes[i] + 4 * j, &sum, sizeof sum);
        }
}

#endif
