// Scoring one request in one call: first what depends on the user and the request alone, then block after
// block of items, whose activations never leave the L1 and L2 caches.
#include "kernels.h"
#include "vmath.h"

#include "score.h"

// An operand of row instructions: columns of lanes, or one float per column for all items.
typedef struct {
    const float *at;
    int64_t stride;
    int rows;
} columns;

INLINE columns operand(const score_memory *m, int64_t address, int one) {
    int rows = score_space(address) == SCORE_ROWS;
    return (columns){score_at(m, address), one ? 0 : rows ? SCORE_LANES : 1, rows};
}

INLINE vf column(const columns *c, int64_t j, int64_t lane) {
    const float *at = c->at + j * c->stride;
    return c->rows ? vload(at + lane) : vset1(*at);
}

INLINE vf combine(int64_t kind, vf a, vf b) {
    switch (kind) {
        case SCORE_ADD:
            return a + b;
        case SCORE_SUB:
            return a - b;
        case SCORE_MUL:
            return a * b;
        default:
            return a / b;
    }
}

static void softmax_rows(const columns *a, int64_t n, int64_t lane, float *dst) {
    vf top = column(a, 0, lane), sum = vzero();
    for (int64_t j = 1; j < n; j++) top = vmax(top, column(a, j, lane));
    for (int64_t j = 0; j < n; j++) {
        vf e = vexp(column(a, j, lane) - top);
        vstore(dst + j * SCORE_LANES, e);
        sum += e;
    }
    for (int64_t j = 0; j < n; j++) vstore(dst + j * SCORE_LANES, vload(dst + j * SCORE_LANES) / sum);
}

static void norm_rows(const score_instruction *s, const columns *a, const columns *b, int64_t lane, float *dst) {
    vf squares = vzero();
    for (int64_t j = 0; j < s->n; j++) {
        vf x = column(a, j, lane);
        squares = vfma(x, x, squares);
    }
    vf scale = vset1(1.0f) / vsqrt(squares / vset1((float)s->n) + vset1((float)s->p));
    for (int64_t j = 0; j < s->n; j++)
        vstore(dst + j * SCORE_LANES, column(a, j, lane) * scale * column(b, j, lane));
}

// Instructions that treat every lane alike.
static void lanes(const score_memory *m, const score_instruction *s, int64_t vectors) {
    columns a = operand(m, s->a, (s->flags & SCORE_A_ONE) != 0), b = operand(m, s->b, (s->flags & SCORE_B_ONE) != 0);
    for (int64_t lane = 0; lane < vectors * VL; lane += VL) {
        float *dst = score_at(m, s->dst) + lane;
        switch (s->op) {
            case SCORE_BINARY:
                for (int64_t j = 0; j < s->n; j++)
                    vstore(dst + j * SCORE_LANES,
                           vactivate(combine(s->kind, column(&a, j, lane), column(&b, j, lane)), (int32_t)s->m));
                break;
            case SCORE_UNARY:
                for (int64_t j = 0; j < s->n; j++)
                    vstore(dst + j * SCORE_LANES, vactivate(column(&a, j, lane), (int32_t)s->kind));
                break;
            case SCORE_SCALE:
                for (int64_t j = 0; j < s->n; j++)
                    vstore(dst + j * SCORE_LANES, vfma(vset1((float)s->p), column(&a, j, lane), vset1((float)s->q)));
                break;
            case SCORE_SOFTMAX:
                softmax_rows(&a, s->n, lane, dst);
                break;
            case SCORE_MIXTURE:
                for (int64_t j = 0; j < s->n; j++) {
                    vf sum = vzero();
                    for (int64_t k = 0; k < s->k; k++)
                        sum = vfma(column(&a, k, lane), column(&b, k * s->n + j, lane), sum);
                    vstore(dst + j * SCORE_LANES, sum);
                }
                break;
            case SCORE_RMS_NORM:
                norm_rows(s, &a, &b, lane, dst);
                break;
            case SCORE_COPY:
                for (int64_t j = 0; j < s->n; j++) vstore(dst + j * SCORE_LANES, column(&a, j, lane));
                break;
            default:
                for (int64_t j = 0; j < s->n; j++)
                    for (int64_t r = 0; r < s->m; r++)
                        vstore(dst + (j * s->m + r) * SCORE_LANES, column(&a, j, lane));
        }
    }
}

// dst[mr, 4 or 1 vectors] of a small row-major product.
INLINE void small_tile(const int32_t type, const int mr, const int nv, const score_instruction *s, const float *x,
                       const void *w, const float *bias, int64_t n, float *dst) {
    vf acc[4][4];
    for (int r = 0; r < mr; r++)
        for (int v = 0; v < nv; v++)
            acc[r][v] = bias == NULL ? vzero() : nv == 1 && n < VL ? vload_n(bias, n) : vload(bias + v * VL);
    for (int64_t p = 0; p < s->k; p++, w = l4m_at(w, s->n, type)) {
        for (int v = 0; v < nv; v++) {
            vf wv = vload_any(l4m_at(w, v * VL, type), nv == 1 ? n : VL, type);
            for (int r = 0; r < mr; r++) acc[r][v] = vfma(vset1(x[r * s->k + p]), wv, acc[r][v]);
        }
    }
    for (int r = 0; r < mr; r++)
        for (int v = 0; v < nv; v++) {
            vf y = vactivate(acc[r][v], (int32_t)s->kind);
            if (nv == 1 && n < VL)
                vstore_n(dst + r * s->n, y, n);
            else
                vstore(dst + r * s->n + v * VL, y);
        }
}

INLINE void small_rows(const int32_t type, const int mr, const score_instruction *s, const float *x, const void *w,
                       const float *bias, float *dst, score_ahead *ahead) {
    int64_t j = 0;
    for (; j + 4 * VL <= s->n && mr == 1; j += 4 * VL) {
        score_ask(ahead, score_tile_work(s->k));
        small_tile(type, mr, 4, s, x, l4m_at(w, j, type), bias ? bias + j : NULL, 4 * VL, dst + j);
    }
    for (; j + 2 * VL <= s->n; j += 2 * VL)
        small_tile(type, mr, 2, s, x, l4m_at(w, j, type), bias ? bias + j : NULL, 2 * VL, dst + j);
    for (; j < s->n; j += VL)
        small_tile(type, mr, 1, s, x, l4m_at(w, j, type), bias ? bias + j : NULL, l4m_min(VL, s->n - j), dst + j);
}

INLINE void linear_vector_typed(const int32_t type, const score_memory *m, const score_instruction *s) {
    const float *x = score_at(m, s->a), *w = score_at(m, s->b), *bias = score_at(m, s->c);
    float *dst = score_at(m, s->dst);
    int64_t i = 0;
    for (; i + 4 <= s->m; i += 4) small_rows(type, 4, s, x + i * s->k, w, bias, dst + i * s->n, m->ahead);
    for (; i < s->m; i++) small_rows(type, 1, s, x + i * s->k, w, bias, dst + i * s->n, m->ahead);
}

static void linear_vector(const score_memory *m, const score_instruction *s) {
    if (s->flags & SCORE_INT8)
        ISA(score_vector_int8)(m, s);
    else if (score_type(s) == L4M_BF16)
        linear_vector_typed(L4M_BF16, m, s);
    else
        linear_vector_typed(L4M_F32, m, s);
}

static void softmax_vector(const float *a, int64_t n, float *dst) {
    float top = a[0], sum = 0;
    for (int64_t j = 1; j < n; j++) top = a[j] > top ? a[j] : top;
    for (int64_t j = 0; j < n; j += VL) {
        int64_t w = l4m_min(VL, n - j);
        vf e = vexp(vload_any(a + j, w, L4M_F32) - vset1(top));
        w == VL ? vstore(dst + j, e) : vstore_n(dst + j, e, w);
    }
    for (int64_t j = 0; j < n; j++) sum += dst[j];
    for (int64_t j = 0; j < n; j++) dst[j] /= sum;
}

static void norm_vector(const score_instruction *s, const float *a, const float *b, float *dst) {
    float squares = 0;
    for (int64_t j = 0; j < s->n; j++) squares += a[j] * a[j];
    float scale = 1 / __builtin_sqrtf(squares / (float)s->n + (float)s->p);
    for (int64_t j = 0; j < s->n; j++) dst[j] = a[j] * scale * b[j];
}

// One item and vectors: what depends on the user and the request alone.
static void vector_instruction(const score_memory *m, const score_instruction *s) {
    const float *a = score_at(m, s->a), *b = score_at(m, s->b);
    float *dst = score_at(m, s->dst);
    int64_t sa = (s->flags & SCORE_A_ONE) ? 0 : 1, sb = (s->flags & SCORE_B_ONE) ? 0 : 1;
    switch (s->op) {
        case SCORE_LINEAR:
            linear_vector(m, s);
            break;
        case SCORE_BINARY:
        case SCORE_UNARY: {
            int binary = s->op == SCORE_BINARY;
            for (int64_t j = 0; j < s->n; j += VL) {
                int64_t w = l4m_min(VL, s->n - j);
                vf x = sa ? vload_any(a + j, w, L4M_F32) : vset1(*a);
                if (binary) x = combine(s->kind, x, sb ? vload_any(b + j, w, L4M_F32) : vset1(*b));
                x = vactivate(x, (int32_t)(binary ? s->m : s->kind));
                w == VL ? vstore(dst + j, x) : vstore_n(dst + j, x, w);
            }
            break;
        }
        case SCORE_SCALE:
            for (int64_t j = 0; j < s->n; j++) dst[j] = (float)s->p * a[j] + (float)s->q;
            break;
        case SCORE_SOFTMAX:
            softmax_vector(a, s->n, dst);
            break;
        case SCORE_MIXTURE:
            for (int64_t j = 0; j < s->n; j++) {
                float sum = 0;
                for (int64_t k = 0; k < s->k; k++) sum += a[k] * b[k * s->n + j];
                dst[j] = sum;
            }
            break;
        case SCORE_RMS_NORM:
            norm_vector(s, a, b, dst);
            break;
        case SCORE_COPY:
            memcpy(dst, a, (size_t)s->n * sizeof(float));
            break;
        case SCORE_PACK:
            ISA(score_pack)(m, s);
            break;
        default:
            for (int64_t j = 0; j < s->n; j++)
                for (int64_t r = 0; r < s->m; r++) dst[j * s->m + r] = a[j];
    }
}

static void block(const score_memory *m, const score_instruction *program, int64_t instructions, const int32_t *items,
                  int64_t first, int64_t count, float *out) {
    int64_t vectors = l4m_ceil_div(count, VL);
    for (int64_t i = 0; i < instructions; i++) {
        const score_instruction *s = program + i;
        switch (s->op) {
            case SCORE_GATHER:
                ISA(score_gather)(m, s, items + first, count);
                break;
            case SCORE_LINEAR:
                ISA(score_linear)(m, s, vectors);
                break;
            case SCORE_QUANTISE:
                ISA(score_quantise)(m, s, vectors);
                break;
            case SCORE_INPUT: {
                float *dst = score_at(m, s->dst);
                for (int64_t r = 0; r < SCORE_LANES; r++) dst[r] = r < count ? m->input[first + r] : 0;
                break;
            }
            case SCORE_OUTPUT: {
                const float *a = score_at(m, s->a);
                float y[SCORE_LANES];
                for (int64_t r = 0; r < vectors * VL; r += VL) vstore(y + r, vactivate(vload(a + r), (int32_t)s->kind));
                memcpy(out + first, y, (size_t)count * sizeof(float));
                break;
            }
            default:
                lanes(m, s, vectors);
        }
    }
}

// What the layers among these instructions take, in the unit of score_tile_work.
static int64_t work_of(const score_instruction *program, int64_t begin, int64_t end, int64_t columns) {
    int64_t work = 1;
    for (const score_instruction *s = program + begin; s < program + end; s++)
        if (s->op == SCORE_LINEAR) work += s->n / columns * score_tile_work(s->k);
    return work;
}

static void find_tables(const score_memory *m, const score_instruction *program, int64_t begin, int64_t end) {
    score_ahead *a = m->ahead;
    for (const score_instruction *s = program + begin; s < program + end; s++) {
        if (s->op != SCORE_GATHER || a->count == SCORE_AHEAD_TABLES) continue;
        a->tables[a->count].at = (const char *)score_at(m, s->a);
        a->tables[a->count].rows = s->k;
        a->tables[a->count++].bytes = score_row_bytes(s);
    }
}

// Asks for `count` rows from the item `next` on while this much work is done.
static void plan_ahead(score_ahead *a, int64_t next, int64_t count, int64_t work) {
    a->next = next;
    a->end = next + count;
    a->pace = (float)count / (float)work;
    a->due = 0;
}

int ISA(score)(const void *program, int64_t begin, int64_t vector_end, int64_t end, const float *constants,
               const float *user, const float *context, const float *input, int64_t known_items,
               const int32_t *items, int64_t count, float *state, float *rows, float *out) {
    const score_instruction *all = program;
    score_ahead ahead = {.items = items};
    score_memory m = {constants, user, context, input, state, rows, &ahead};
    for (int64_t i = 0; i < count; i++)
        if (items[i] < -1 || items[i] >= known_items) return L4M_ID_OUT_OF_RANGE;
    find_tables(&m, all, vector_end, end);
    plan_ahead(&ahead, 0, l4m_min(SCORE_LANES, count), work_of(all, begin, vector_end, 4 * VL));
    for (int64_t i = begin; i < vector_end; i++) vector_instruction(&m, all + i);
    // Blocks of about equal size, in whole vectors.
    int64_t work = work_of(all, vector_end, end, SCORE_PANEL);
    int64_t blocks = l4m_ceil_div(count, SCORE_LANES);
    for (int64_t first = 0, size; blocks > 0; blocks--, first += size) {
        size = l4m_min(count - first, VL * l4m_ceil_div(l4m_ceil_div(count - first, VL), blocks));
        plan_ahead(&ahead, first + size, l4m_min(SCORE_LANES, count - first - size), work);
        block(&m, all + vector_end, end - vector_end, items, first, size, out);
    }
    return L4M_OK;
}
