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

static void quantise(const score_memory *m, const score_instruction *s, int64_t lane) {
    const float *x = element(m, s->a, 0, lane);
    float low = 0, high = 0, inverse;
    for (int64_t j = 0; j < s->n && !isnan(low); j++) {
        float y = x[j * SCORE_LANES];
        low = isfinite(y) ? fminf(low, y) : NAN;
        high = isfinite(y) ? fmaxf(high, y) : NAN;
    }
    *element(m, s->dst, 0, lane) = int8_scale(high - low, INT8_STEPS, &inverse);
    int32_t zero = isnan(low) ? 0 : (int32_t)quantised(-low, inverse);
    put_integer(element(m, s->dst, 1, lane), zero);
    for (int64_t j = 0; j < score_quads(s->n) * SCORE_QUAD; j++) {
        uint8_t *byte = (uint8_t *)element(m, s->dst, 2 + j / SCORE_QUAD, lane) + j % SCORE_QUAD;
        float q = j < s->n ? quantised(x[j * SCORE_LANES], inverse) : 0;
        *byte = (uint8_t)(zero + (int32_t)fminf(q, INT8_STEPS - (float)zero));
    }
}

// On rows, in 8 bits.
static void linear_int8(const score_memory *m, const score_instruction *s, int64_t lane) {
    double scale = value(m, s->a, 0, lane);
    int32_t zero = integer(element(m, s->a, 1, lane));
    for (int64_t j = 0; j < s->n; j++) {
        const float *panel = score_at(m, s->b) + j / SCORE_PANEL * score_int8_panel(s->k);
        int64_t sum = 0;
        for (int64_t p = 0; p < s->k; p++) {
            const uint8_t *x = (const uint8_t *)element(m, s->a, 2 + p / SCORE_QUAD, lane);
            const float *quad = panel + SCORE_PANEL_HEAD + p / SCORE_QUAD * SCORE_PANEL + j % SCORE_PANEL;
            const int8_t *w = (const int8_t *)quad;
            sum += (x[p % SCORE_QUAD] - zero) * w[p % SCORE_QUAD];
        }
        double y = (double)sum * scale * panel[j % SCORE_PANEL];
        if (s->c) y += value(m, s->c, j, lane);
        if (s->flags & SCORE_ACCUMULATE) y += value(m, s->dst, j, lane);
        *element(m, s->dst, j, lane) = (float)ref_activate(y, (int32_t)s->kind);
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
            if (s->flags & SCORE_INT8)
                linear_int8(m, s, lane);
            else
                linear(m, s, lane);
            return;
        case SCORE_QUANTISE:
            quantise(m, s, lane);
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

static void gather(const score_memory *m, const score_instruction *s, int64_t row, int64_t lane) {
    for (int64_t j = 0; j < s->n; j++) {
        double y = table_number(m, s, row, j) + (s->b ? value(m, s->b, j, lane) : 0);
        *element(m, s->dst, j, lane) = (float)ref_activate(y, (int32_t)s->kind);
    }
}

int score_ref(const void *program, int64_t begin, int64_t vector_end, int64_t end, const float *constants,
              const float *user, const float *context, const float *input, int64_t known_items, const int32_t *items,
              int64_t count, float *state, float *rows, float *out) {
    const score_instruction *all = program;
    score_memory m = {constants, user, context, input, state, rows};
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
