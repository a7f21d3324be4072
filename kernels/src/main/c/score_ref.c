// The specification of scoring programs: one item after the other, in double.

#include "kernels.h"
#include "panels.h"
#include "ref.h"
#include "score.h"

// Element j of an operand for the item in `lane`; vectors hold one item.
static float *element(const score_memory *m, int64_t address, int64_t j, int64_t lane) {
    int rows = score_space(address) == SCORE_ROWS;
    return score_at(m, address) + (rows ? j * SCORE_LANES + lane : j);
}

static double value(const score_memory *m, int64_t address, int64_t j, int64_t lane) {
    return *element(m, address, j, lane);
}

static double combine(int64_t kind, double a, double b) {
    return kind == SCORE_ADD ? a + b : kind == SCORE_SUB ? a - b : kind == SCORE_MUL ? a * b : a / b;
}

// Bits of an int32 in a float's place.
static int32_t integer(const float *at) {
    int32_t bits;
    memcpy(&bits, at, sizeof bits);
    return bits;
}
static void put_integer(float *at, int64_t value) {
    int32_t bits = (int32_t)value;
    memcpy(at, &bits, sizeof bits);
}

static float quantised(float value, float inverse) { return inverse == 0 ? 0 : rintf(value * inverse); }

// How n numbers, `step` floats apart, are rounded to 8 bits.
typedef struct {
    float scale, inverse;
    int32_t zero;
} rounding;

static rounding rounding_of(const float *x, int64_t step, int64_t n) {
    float low = 0, high = 0;
    for (int64_t j = 0; j < n && !isnan(low); j++) {
        float y = x[j * step];
        low = isfinite(y) ? fminf(low, y) : NAN;
        high = isfinite(y) ? fmaxf(high, y) : NAN;
    }
    rounding r;
    r.scale = int8_scale(high - low, INT8_STEPS, &r.inverse);
    r.zero = isnan(low) ? 0 : (int32_t)quantised(-low, r.inverse);
    return r;
}

static uint8_t rounded(const rounding *r, float x) {
    return (uint8_t)(r->zero + (int32_t)fminf(quantised(x, r->inverse), INT8_STEPS - (float)r->zero));
}

static uint8_t *byte_of(const score_memory *m, int64_t address, int64_t j, int64_t lane) {
    return (uint8_t *)element(m, address, SCORE_BYTES_HEAD + j / SCORE_QUAD, lane) + j % SCORE_QUAD;
}

static void quantise(const score_memory *m, int64_t from, int64_t n, int64_t to, int64_t lane) {
    const float *x = element(m, from, 0, lane);
    rounding r = rounding_of(x, SCORE_LANES, n);
    *element(m, to, 0, lane) = r.scale;
    put_integer(element(m, to, 1, lane), r.zero);
    for (int64_t j = 0; j < score_quads(n) * SCORE_QUAD; j++)
        *byte_of(m, to, j, lane) = rounded(&r, j < n ? x[j * SCORE_LANES] : 0);
}

// What a gather of bytes made of row j's number.
static double gathered_byte(const score_memory *m, int64_t address, int64_t j, int64_t lane) {
    return (*byte_of(m, address, j, lane) - SCORE_BYTES_ZERO) * value(m, address, 0, lane);
}

// On rows, in 8 bits.
static void linear_int8(const score_memory *m, const score_instruction *s, int64_t lane) {
    double scale = value(m, s->a, 0, lane);
    int32_t zero = integer(element(m, s->a, 1, lane));
    for (int64_t j = 0; j < s->n; j++) {
        const float *panel = score_at(m, s->b) + j / SCORE_PANEL * score_int8_panel(s->k);
        int64_t sum = 0;
        for (int64_t p = 0; p < s->k; p++) {
            const float *quad = panel + SCORE_PANEL_HEAD + p / SCORE_QUAD * SCORE_PANEL + j % SCORE_PANEL;
            const int8_t *w = (const int8_t *)quad;
            sum += (*byte_of(m, s->a, p, lane) - zero) * w[p % SCORE_QUAD];
        }
        double y = (double)sum * scale * panel[j % SCORE_PANEL];
        if (s->c) y += value(m, s->c, j, lane);
        if (s->e) y += gathered_byte(m, s->e, j, lane);
        if (s->flags & SCORE_ACCUMULATE) y += value(m, s->dst, j, lane);
        *element(m, s->dst, j, lane) = (float)ref_activate(y, (int32_t)s->kind);
    }
}

// Before the rows, in 8 bits.
static void vector_int8(const score_memory *m, const score_instruction *s) {
    for (int64_t i = 0; i < s->m; i++) {
        const float *x = score_at(m, s->a) + i * s->k;
        rounding r = rounding_of(x, 1, s->k);
        for (int64_t j = 0; j < s->n; j++) {
            const float *panel = score_at(m, s->b) + j / SCORE_WIDE_PANEL * score_int8_wide_panel(s->k);
            const float *quads = panel + 2 * SCORE_WIDE_PANEL + j % SCORE_WIDE_PANEL;
            int64_t sum = 0;
            for (int64_t p = 0; p < s->k; p++)
                sum += (rounded(&r, x[p]) - r.zero) *
                       ((const int8_t *)(quads + p / SCORE_QUAD * SCORE_WIDE_PANEL))[p % SCORE_QUAD];
            double y = (double)sum * r.scale * panel[j % SCORE_WIDE_PANEL] + (s->c ? value(m, s->c, j, 0) : 0);
            *element(m, s->dst, i * s->n + j, 0) = (float)ref_activate(y, (int32_t)s->kind);
        }
    }
}

static void pack_column(const score_memory *m, const score_instruction *s, int64_t j) {
    const float *x = score_at(m, s->a) + j;
    float largest = 0, inverse;
    for (int64_t p = 0; p < s->k && !isnan(largest); p++)
        largest = isfinite(x[p * s->n]) ? fmaxf(largest, fabsf(x[p * s->n])) : NAN;
    float *panel = score_at(m, s->dst) + j / SCORE_PANEL * score_int8_panel(s->k) + j % SCORE_PANEL;
    panel[0] = int8_scale(largest, INT8_WEIGHT_LEVELS, &inverse);
    int64_t sum = 0;
    for (int64_t p = 0; p < score_quads(s->k) * SCORE_QUAD; p++) {
        int8_t *byte = (int8_t *)(panel + SCORE_PANEL_HEAD + p / SCORE_QUAD * SCORE_PANEL) + p % SCORE_QUAD;
        *byte = p < s->k ? (int8_t)quantised(x[p * s->n], inverse) : 0;
        sum += *byte;
    }
    put_integer(panel + SCORE_PANEL, sum);
}

static void pack(const score_memory *m, const score_instruction *s) {
    if (s->flags & SCORE_INT8) {
        for (int64_t j = 0; j < s->n; j++) pack_column(m, s, j);
        return;
    }
    int64_t pairs = l4m_ceil_div(s->k, 2);
    uint16_t *to = (uint16_t *)score_at(m, s->dst);
    for (int64_t j = 0; j < s->n; j++)
        for (int64_t p = 0; p < 2 * pairs; p++)
            to[(j / SCORE_PANEL * pairs + p / 2) * 2 * SCORE_PANEL + j % SCORE_PANEL * 2 + p % 2] =
                p < s->k ? l4m_bf16_from_f32(score_at(m, s->a)[p * s->n + j]) : 0;
}

static float table_number(const score_memory *m, const score_instruction *s, int64_t row, int64_t j) {
    const float *table = score_at(m, s->a);
    if (!(s->flags & SCORE_INT8)) return l4m_load(table, row * s->n + j, score_type(s));
    table += row * score_int8_row(s->n);
    return *table * (float)((const int8_t *)(table + 1))[j];
}

// On rows one item; before them m rows of a matrix.
static void linear(const score_memory *m, const score_instruction *s, int64_t lane) {
    int rows = score_space(s->dst) == SCORE_ROWS;
    for (int64_t i = 0; i < (rows ? 1 : s->m); i++) {
        for (int64_t j = 0; j < s->n; j++) {
            double sum = s->c ? value(m, s->c, j, lane) : 0;
            if (s->flags & SCORE_ACCUMULATE) sum += value(m, s->dst, j, lane);
            for (int64_t p = 0; p < s->k; p++) {
                double x = value(m, s->a, i * s->k + p, lane);
                int64_t at = p * s->n + j;
                if (rows && score_type(s) == L4M_BF16) {
                    x = l4m_f32_from_bf16(l4m_bf16_from_f32((float)x));
                    at = j / SCORE_PANEL * s->panel_stride + p / 2 * s->inner_stride + j % SCORE_PANEL * 2 + p % 2;
                } else if (rows) {
                    at = j / SCORE_PANEL * s->panel_stride + p * s->inner_stride + j % SCORE_PANEL;
                }
                sum += x * l4m_load(score_at(m, s->b), at, score_type(s));
            }
            *element(m, s->dst, i * s->n + j, lane) = (float)ref_activate(sum, (int32_t)s->kind);
        }
    }
}

static void softmax(const score_memory *m, const score_instruction *s, int64_t lane) {
    double top = value(m, s->a, 0, lane), sum = 0;
    for (int64_t j = 1; j < s->n; j++) top = fmax(top, value(m, s->a, j, lane));
    for (int64_t j = 0; j < s->n; j++) sum += exp(value(m, s->a, j, lane) - top);
    for (int64_t j = 0; j < s->n; j++)
        *element(m, s->dst, j, lane) = (float)(exp(value(m, s->a, j, lane) - top) / sum);
}

static void norm(const score_memory *m, const score_instruction *s, int64_t lane) {
    double squares = 0;
    for (int64_t j = 0; j < s->n; j++) squares += pow(value(m, s->a, j, lane), 2);
    double scale = 1 / sqrt(squares / (double)s->n + s->p);
    for (int64_t j = 0; j < s->n; j++)
        *element(m, s->dst, j, lane) = (float)(value(m, s->a, j, lane) * scale * value(m, s->b, j, lane));
}

static void run(const score_memory *m, const score_instruction *s, int64_t lane) {
    int64_t sa = (s->flags & SCORE_A_ONE) ? 0 : 1, sb = (s->flags & SCORE_B_ONE) ? 0 : 1;
    switch (s->op) {
        case SCORE_LINEAR:
            if (!(s->flags & SCORE_INT8))
                linear(m, s, lane);
            else if (score_space(s->dst) == SCORE_ROWS)
                linear_int8(m, s, lane);
            else
                vector_int8(m, s);
            if (s->d) quantise(m, s->dst, s->n, s->d, lane);
            return;
        case SCORE_QUANTISE:
            quantise(m, s->a, s->n, s->dst, lane);
            return;
        case SCORE_PACK:
            pack(m, s);
            return;
        case SCORE_SOFTMAX:
            softmax(m, s, lane);
            return;
        case SCORE_RMS_NORM:
            norm(m, s, lane);
            return;
        default:
            break;
    }
    for (int64_t j = 0; j < s->n; j++) {
        double y = 0;
        switch (s->op) {
            case SCORE_BINARY:
                y = combine(s->kind, value(m, s->a, j * sa, lane), value(m, s->b, j * sb, lane));
                y = ref_activate(y, (int32_t)s->m);
                break;
            case SCORE_UNARY:
                y = ref_activate(value(m, s->a, j * sa, lane), (int32_t)s->kind);
                break;
            case SCORE_SCALE:
                y = s->p * value(m, s->a, j, lane) + s->q;
                break;
            case SCORE_MIXTURE:
                for (int64_t k = 0; k < s->k; k++) y += value(m, s->a, k, lane) * value(m, s->b, k * s->n + j, lane);
                break;
            default:
                y = value(m, s->a, j, lane);
        }
        int64_t times = s->op == SCORE_REPEAT ? s->m : 1;
        for (int64_t r = 0; r < times; r++) *element(m, s->dst, j * times + r, lane) = (float)y;
    }
}

static void gather_bytes(const score_memory *m, const score_instruction *s, int64_t row, int64_t lane) {
    const float *from = score_at(m, s->a) + row * score_int8_row(s->n);
    *element(m, s->dst, 0, lane) = *from;
    put_integer(element(m, s->dst, 1, lane), SCORE_BYTES_ZERO);
    for (int64_t j = 0; j < score_quads(s->n) * SCORE_QUAD; j++)
        *byte_of(m, s->dst, j, lane) = (uint8_t)(((const int8_t *)(from + 1))[j] + SCORE_BYTES_ZERO);
}

static void gather(const score_memory *m, const score_instruction *s, int64_t row, int64_t lane) {
    if (s->flags & SCORE_BYTES) {
        gather_bytes(m, s, row, lane);
        return;
    }
    for (int64_t j = 0; j < s->n; j++) {
        double y = table_number(m, s, row, j) + (s->b ? value(m, s->b, j, lane) : 0);
        *element(m, s->dst, j, lane) = (float)ref_activate(y, (int32_t)s->kind);
    }
    if (s->d) quantise(m, s->dst, s->n, s->d, lane);
}

int score_ref(const void *program, int64_t begin, int64_t vector_end, int64_t end, const float *constants,
              const float *user, const float *context, const float *input, int64_t known_items, const int32_t *items,
              int64_t count, float *state, float *rows, float *out) {
    const score_instruction *all = program;
    score_memory m = {constants, user, context, input, state, rows, NULL};
    for (int64_t i = 0; i < count; i++)
        if (items[i] < -1 || items[i] >= known_items) return L4M_ID_OUT_OF_RANGE;
    for (int64_t i = begin; i < vector_end; i++) run(&m, all + i, 0);
    for (int64_t item = 0; item < count; item++) {
        int64_t lane = item % SCORE_LANES;
        for (int64_t i = vector_end; i < end; i++) {
            const score_instruction *s = all + i;
            if (s->op == SCORE_GATHER) {
                gather(&m, s, items[item] < 0 ? s->k - 1 : items[item], lane);
            } else if (s->op == SCORE_INPUT) {
                *element(&m, s->dst, 0, lane) = input[item];
            } else if (s->op == SCORE_OUTPUT) {
                out[item] = (float)ref_activate(value(&m, s->a, 0, lane), (int32_t)s->kind);
            } else {
                run(&m, s, lane);
            }
        }
    }
    return L4M_OK;
}
