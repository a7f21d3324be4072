// A scoring program: what is left of a trained model when scenario and user are fixed, as a list of
// instructions over columns of items. The Java side checks every address and extent before it runs.
#ifndef L4M_SCORE_H
#define L4M_SCORE_H

#include "l4m.h"

// Items of a block. A row register is a list of columns of SCORE_LANES floats, one lane per item, so that
// every instruction is vectorised over items whatever its widths are.
#define SCORE_LANES 48
// Columns of weights that lie side by side in a packed matrix.
#define SCORE_PANEL 8

// Where an operand lies; the address is space << 56 | offset in floats.
enum {
    SCORE_NONE = 0,
    SCORE_CONSTANT = 1,
    SCORE_STATE = 2,    // what the user's and the request's instructions compute
    SCORE_ROWS = 3,     // row registers; the offset counts columns of SCORE_LANES floats
    SCORE_USER = 4,     // the user's record
    SCORE_CONTEXT = 5,  // the request's own features
};

// Instructions on rows. Operands outside SCORE_ROWS are the same for all items: one float per column.
enum {
    SCORE_GATHER = 1,   // dst[n] = act(b[n] + row of each item in the table a [k, n]), b the same for all items or none
                        // with BYTES dst[2 + n / 4] = an INT8 row as it is
    SCORE_LINEAR = 2,   // dst[n] = act((dst if ACCUMULATE) + c[n] + e[n] + a[k] W b), e what a BYTES gather made
    SCORE_BINARY = 3,   // dst[n] = act(a op b), kind = op, m = activation
    SCORE_UNARY = 4,    // dst[n] = kind(a)
    SCORE_SCALE = 5,    // dst[n] = p a + q
    SCORE_SOFTMAX = 6,  // dst[n] = softmax over the columns of a
    SCORE_MIXTURE = 7,  // dst[n] = sum over k of a[k] b[k n ...]
    SCORE_RMS_NORM = 8,   // dst[n] = a / sqrt(mean(a^2) + p) * b
    SCORE_COPY = 9,       // dst[n] = a
    SCORE_REPEAT = 10,    // dst[n m] = every column of a m times
    SCORE_INPUT = 11,     // dst[1] = the request's number for each item
    SCORE_OUTPUT = 12,    // the item's result is a[1]
    SCORE_QUANTISE = 13,  // dst[2 + n / 4] = a[n] in 8 bits
    SCORE_PACK = 14,      // before the rows: dst = a[k, n] as SCORE_LINEAR on rows reads a BF16 or INT8 matrix
};

// Kinds of SCORE_BINARY.
enum { SCORE_ADD = 0, SCORE_SUB = 1, SCORE_MUL = 2, SCORE_DIV = 3 };

// Flags: an operand of one column stands for all columns; the table of SCORE_GATHER or the matrix of SCORE_LINEAR
// holds BF16, two numbers for each float of its place; or integers of 8 bits; a gathered row keeps these.
enum {
    SCORE_A_ONE = 1,
    SCORE_B_ONE = 2,
    SCORE_ACCUMULATE = 4,
    SCORE_BF16 = 8,
    SCORE_INT8 = 16,
    SCORE_BYTES = 32,
};

// Numbers in 8 bits. A row of an INT8 table is its scale and then n signed bytes, up to a whole float. What
// SCORE_QUANTISE makes of an item is, in its lane of each column: its scale; its zero point, an int32; and four
// unsigned bytes at a time, (byte - zero point) * scale. So is what a BYTES gather makes, with a row's scale, a zero
// point of SCORE_BYTES_ZERO, and each byte that much above the row's. An INT8 matrix on rows has panels of
// SCORE_PANEL columns: their scales, the sums of their bytes (int32), and then four rows' signed bytes for each
// column in turn, those behind the last row 0. Products are exact integers whatever the instruction set.
#define SCORE_QUAD 4
#define SCORE_BYTES_ZERO 128
// What turns that many signed bytes into what a BYTES gather makes of them, and back.
#define SCORE_BYTES_TURN ((int32_t)0x80808080)
// Columns before the bytes: scales and zero points.
#define SCORE_BYTES_HEAD 2
#define SCORE_PANEL_HEAD (2 * SCORE_PANEL)

static inline int64_t score_quads(int64_t k) { return l4m_ceil_div(k, SCORE_QUAD); }
// Floats' places of a row of a table, and of a panel, of 8 bits.
static inline int64_t score_int8_row(int64_t n) { return 1 + score_quads(n); }
static inline int64_t score_int8_panel(int64_t k) { return SCORE_PANEL_HEAD + score_quads(k) * SCORE_PANEL; }
// The same of a matrix before the rows, whose panels are wider, and the most rows that it may have.
#define SCORE_WIDE_PANEL 16
#define SCORE_INT8_VECTOR 4096
static inline int64_t score_int8_wide_panel(int64_t k) { return (2 + score_quads(k)) * SCORE_WIDE_PANEL; }

// The instructions before the rows are the same with one item and vectors in the place of columns, but for
// SCORE_LINEAR: there dst[m, n] = act(c[n] + a[m, k] b[k, n]), all row-major; but an INT8 matrix has panels as on
// rows, of SCORE_WIDE_PANEL columns, and each row of a is rounded as SCORE_QUANTISE does.
// On rows W[p, j] lies at b + j / 8 * panel_stride + p * inner_stride + j % 8. A BF16 matrix there holds two rows
// side by side, W[p, j] at b + j / 8 * panel_stride + p / 2 * inner_stride + j % 8 * 2 + p % 2 with zeros behind an
// odd last row, and a is rounded to BF16 before it is multiplied; sums stay in F32.
typedef struct {
    int64_t op, kind;
    int64_t dst, a, b, c;
    int64_t d;  // of SCORE_GATHER and SCORE_LINEAR on rows: where the result goes as SCORE_QUANTISE makes it, or none
    int64_t e;
    int64_t n, k, m;
    int64_t inner_stride, panel_stride;
    int64_t flags;
    double p, q;
} score_instruction;

// Tables whose rows are asked for ahead of their use, and which items' come next. Their cache lines come one by one
// while other items are computed: asked for all at once they would only wait in another place.
#define SCORE_AHEAD_TABLES 8
typedef struct {
    struct {
        const char *at;
        int64_t rows, bytes;
    } tables[SCORE_AHEAD_TABLES];
    int64_t count;
    const int32_t *items;
    int64_t next, end;
    // Items for a row of a matrix's panel, and those that are due.
    float pace, due;
} score_ahead;

typedef struct {
    const float *constants;
    const float *user;
    const float *context;
    const float *input;
    float *state;
    float *rows;
    score_ahead *ahead;
} score_memory;

static inline int64_t score_space(int64_t address) { return address >> 56; }

// Start of an operand; on rows the offset counts columns.
static inline float *score_at(const score_memory *m, int64_t address) {
    int64_t offset = address & 0xffffffffffffff;
    switch (score_space(address)) {
        case SCORE_CONSTANT:
            return (float *)m->constants + offset;
        case SCORE_STATE:
            return m->state + offset;
        case SCORE_ROWS:
            return m->rows + offset * SCORE_LANES;
        case SCORE_USER:
            return (float *)m->user + offset;
        case SCORE_CONTEXT:
            return (float *)m->context + offset;
        default:
            return NULL;
    }
}

// Type of a table or matrix that is not of 8 bits.
static inline int32_t score_type(const score_instruction *s) { return s->flags & SCORE_BF16 ? L4M_BF16 : L4M_F32; }

// From one row of a table to the next.
static inline int64_t score_row_bytes(const score_instruction *s) {
    int64_t floats = s->flags & SCORE_INT8 ? score_int8_row(s->n) : s->n;
    return s->flags & SCORE_BF16 ? 2 * floats : (int64_t)sizeof(float) * floats;
}

// Where an item's row of a table lies.
static inline const float *score_row(const score_memory *m, const score_instruction *s, int64_t item) {
    int64_t row = item < 0 ? s->k - 1 : item;
    return (const float *)((const char *)score_at(m, s->a) + row * score_row_bytes(s));
}

// What a tile of a layer with k rows costs, in rows: its beginning and end count too.
static inline int64_t score_tile_work(int64_t k) { return k + 2 * SCORE_PANEL; }

// Before a tile that takes this much work.
static inline void score_ask(score_ahead *a, int64_t work) {
    for (a->due += a->pace * (float)work; a->due >= 1 && a->next < a->end; a->due--, a->next++) {
        int64_t item = a->items[a->next];
        for (int64_t t = 0; t < a->count; t++) {
            int64_t row = item < 0 ? a->tables[t].rows - 1 : item;
            const char *at = a->tables[t].at + row * a->tables[t].bytes, *end = at + a->tables[t].bytes;
            for (at -= (uintptr_t)at % 64; at < end; at += 64) __builtin_prefetch(at, 0, 2);
        }
    }
}

#ifdef ISA
// Where a tile's sums go, VECTORS of items at a time.
typedef struct {
    float *dst;
    const float *bias;
    int64_t n;  // columns, of which a tile may have more
    int add;    // to what dst holds
    int32_t activation;
} score_tile;

// Looking up, those of 8 bits, and packing; defined once for each instruction set that has vectors.
void ISA(score_gather)(const score_memory *m, const score_instruction *s, const int32_t *items, int64_t count);
void ISA(score_linear)(const score_memory *m, const score_instruction *s, int64_t vectors);
void ISA(score_quantise)(const score_memory *m, const score_instruction *s, int64_t vectors);
void ISA(score_linear_int8)(const score_memory *m, const score_instruction *s, int64_t vectors);
void ISA(score_vector_int8)(const score_memory *m, const score_instruction *s);
void ISA(score_pack)(const score_memory *m, const score_instruction *s);

// SCORE_QUANTISE for n columns x; `tops` are their largest numbers if none is negative, as integers, or NULL.
void ISA(score_quantise_columns)(const float *x, int64_t n, const int32_t *tops, float *to, int64_t vectors);
#endif

#endif
