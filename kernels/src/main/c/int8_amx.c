// Products of 8-bit integers on the tile registers of AMX: int8.c's panels of B as they are, whose lanes [k / 4, NR]
// are what a tile of B holds, and A row by row. Sums are the same integers.
#include "int8_amx.h"

#include <immintrin.h>

#ifdef L4M_AMX_EMULATED
#include "amx_emulation.h"
#endif

// Of a tile register: rows, and lanes of a row.
#define AMX_ROWS 16
#define AMX_LANES 16

// Tile registers, whose numbers the intrinsics paste. Those of the rest hold the last lanes of k where they fill no
// whole tile.
#define SUMS_LEFT 0
#define SUMS_RIGHT 1
#define A 2
#define B_LEFT 3
#define B_RIGHT 4
#define A_REST 5
#define B_LEFT_REST 6
#define B_RIGHT_REST 7

_Static_assert(NR == 2 * AMX_LANES, "a panel is two tiles wide");

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

_Static_assert(sizeof(tile_config) == 64, "what ldtilecfg reads");

static int64_t lanes_of(int64_t k) { return l4m_ceil_div(k, GROUP); }

// Words from one row of A to the next: whole vectors are written, and rows that lie a multiple of 1 KiB apart would
// share few sets of the cache.
static int64_t row_words(int64_t k) { return l4m_round_up(lanes_of(k), VL) + VL; }

static void configure(const int8_product *w) {
    tile_config config = {.palette = 1};
    int64_t rest = lanes_of(w->k) % AMX_LANES;
    for (int t = SUMS_LEFT; t <= B_RIGHT_REST; t++) {
        if (t >= A_REST && rest == 0) break;
        config.rows[t] = (uint8_t)(t >= B_LEFT_REST ? rest : AMX_ROWS);
        config.row_bytes[t] = (uint16_t)(t == A_REST ? rest * 4 : AMX_LANES * 4);
    }
    // gcc 12 takes it that eight of the 64 bytes are read.
    __asm__ volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
}

static void release(void) { _tile_release(); }

// A tile: for each of its 16 rows the scale, and what its elements are above their values; then rows of lanes. Rows
// past the last one hold anything: nothing is read from their sums.
static void quantise_rows(const int8_product *w, const float *x, int64_t rows, void *scratch, int32_t *tile) {
    (void)scratch;
    int64_t ld = row_words(w->k);
    int32_t *above = tile + AMX_ROWS, *lanes = above + AMX_ROWS;
    for (int64_t i = 0; i < rows; i++) {
        float scale = ISA(int8_quantise_row)(x + i * w->lda, w->k, (char *)(lanes + i * ld), above + i);
        memcpy(tile + i, &scale, sizeof scale);
    }
}

INLINE void tile_body(const int rows, int64_t k, const int32_t *a, const int8_panel *b, float *c, int64_t ldc,
                      const int8_addends *plus) {
    const float *scales = (const float *)a;
    const int32_t *above = a + AMX_ROWS, *x = above + AMX_ROWS, *lanes = b->lanes;
    int64_t groups = lanes_of(k), whole = groups / AMX_LANES * AMX_LANES;
    size_t stride = (size_t)row_words(k) * 4, panel_stride = NR * 4;
    _tile_zero(SUMS_LEFT);
    _tile_zero(SUMS_RIGHT);
    for (int64_t g = 0; g < whole; g += AMX_LANES, lanes += AMX_LANES * NR) {
        _tile_loadd(A, x + g, stride);
        _tile_loadd(B_LEFT, lanes, panel_stride);
        _tile_loadd(B_RIGHT, lanes + AMX_LANES, panel_stride);
        _tile_dpbusd(SUMS_LEFT, A, B_LEFT);
        _tile_dpbusd(SUMS_RIGHT, A, B_RIGHT);
    }
    if (whole < groups) {
        _tile_loadd(A_REST, x + whole, stride);
        _tile_loadd(B_LEFT_REST, lanes, panel_stride);
        _tile_loadd(B_RIGHT_REST, lanes + AMX_LANES, panel_stride);
        _tile_dpbusd(SUMS_LEFT, A_REST, B_LEFT_REST);
        _tile_dpbusd(SUMS_RIGHT, A_REST, B_RIGHT_REST);
    }
    int32_t sums[AMX_ROWS * NR];
    _tile_stored(SUMS_LEFT, sums, panel_stride);
    _tile_stored(SUMS_RIGHT, sums + AMX_LANES, panel_stride);
    for (int i = 0; i < rows; i++) {
        vf row = vset1(scales[i]);
        vi less = vi_set1(-above[i]);
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) {
            vi sum = vi_add(vi_load(sums + i * NR + v * VL), vi_mul(less, vi_load(b->sums + v * VL)));
            vf y = vi_float(sum) * (row * vload(b->scales + v * VL));
            if (plus->bias) y += vload(plus->bias + v * VL);
            if (plus->residual) y += vload(plus->residual + i * plus->ldr + v * VL);
            vstore(c + i * ldc + v * VL, y);
        }
    }
}

#define EACH_ROWS(T) \
    T(1) T(2) T(3) T(4) T(5) T(6) T(7) T(8) T(9) T(10) T(11) T(12) T(13) T(14) T(15) T(16)
#define TILE(n)                                                                                                    \
    static void tile_##n(int64_t k, const int32_t *a, const void *b, float *c, int64_t ldc, const int8_addends *plus) { \
        tile_body(n, k, a, b, c, ldc, plus);                                                                       \
    }
EACH_ROWS(TILE)

#define ENTRY(n) tile_##n,
static const int8_tile tiles[AMX_ROWS + 1] = {NULL, EACH_ROWS(ENTRY)};

void ISA(int8_amx)(int8_product *w) {
    w->multiply = tiles;
    w->quantise = quantise_rows;
    w->begin = configure;
    w->end = release;
    w->rows = AMX_ROWS;
    w->stride = 2 * AMX_ROWS + AMX_ROWS * row_words(w->k);
}
