// The specification of scoring programs: one item after the other, in double.
#include "kernels.h"
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
            linear(m, s, lane);
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
                int64_t row = (items[item] < 0 ? s->k - 1 : items[item]) * s->n;
                for (int64_t j = 0; j < s->n; j++)
                    *element(&m, s->dst, j, lane) = l4m_load(score_at(&m, s->a), row + j, score_type(s));
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
