// Elementwise functions and their gradients, and copies of blocks of columns.
#include "kernels.h"
#include "rows.h"
#include "vmath.h"

// Evaluates `expression` (of vectors loaded at j, n values wide) into out + j over [begin, end).
#define EACH_VECTOR(out, loads, expression)                  \
    for (int64_t j = begin; j < end; j += VL) {              \
        int64_t n = l4m_min(VL, end - j);                    \
        loads;                                               \
        vf result = expression;                              \
        n == VL ? vstore(out + j, result) : vstore_n(out + j, result, n); \
    }
#define LOAD(name, p) vf name = vload_any(p + j, n, L4M_F32)

typedef struct {
    const float *a, *b, *c;
    float *y, *z;
    int32_t kind;
    float scale, offset;
} job;

static void unary_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    switch (w->kind) {
        case L4M_ACT_RELU:
            EACH_VECTOR(w->y, LOAD(x, w->a), vrelu(x));
            break;
        case L4M_ACT_SIGMOID:
            EACH_VECTOR(w->y, LOAD(x, w->a), vsigmoid(x));
            break;
        case L4M_ACT_SILU:
            EACH_VECTOR(w->y, LOAD(x, w->a), vsilu(x));
            break;
        case L4M_ACT_TANH:
            EACH_VECTOR(w->y, LOAD(x, w->a), vtanh(x));
            break;
        default:
            EACH_VECTOR(w->y, LOAD(x, w->a), x);
    }
}

int ISA(unary)(l4m_pool *pool, int32_t activation, int64_t count, const float *x, float *y) {
    job w = {.a = x, .y = y, .kind = activation};
    return l4m_ranges(pool, count, activation <= L4M_ACT_RELU ? 1 : 8, unary_range, &w);
}

static void unary_gradient_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    const vf one = vset1(1.0f);
    switch (w->kind) {
        case L4M_ACT_RELU:
            EACH_VECTOR(w->y, LOAD(y, w->a); LOAD(d, w->b), vsel_gt(y, vzero(), d, vzero()));
            break;
        case L4M_ACT_SIGMOID:
            EACH_VECTOR(w->y, LOAD(y, w->a); LOAD(d, w->b), d * y * (one - y));
            break;
        case L4M_ACT_SILU:
            EACH_VECTOR(w->y, LOAD(x, w->a); LOAD(d, w->b); vf s = vsigmoid(x), d * s * (one + x * (one - s)));
            break;
        case L4M_ACT_TANH:
            EACH_VECTOR(w->y, LOAD(y, w->a); LOAD(d, w->b), d * (one - y * y));
            break;
        default:
            EACH_VECTOR(w->y, LOAD(d, w->b), d);
    }
}

int ISA(unary_gradient)(l4m_pool *pool, int32_t activation, int64_t count, const float *saved, const float *dy,
                        float *dx) {
    job w = {.a = saved, .b = dy, .y = dx, .kind = activation};
    return l4m_ranges(pool, count, activation == L4M_ACT_SILU ? 8 : 1, unary_gradient_range, &w);
}

static void scale_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    const vf a = vset1(w->scale), b = vset1(w->offset);
    EACH_VECTOR(w->y, LOAD(x, w->a), vfma(x, a, b));
}

int ISA(scale)(l4m_pool *pool, int64_t count, float scale, float offset, const float *x, float *y) {
    job w = {.a = x, .y = y, .scale = scale, .offset = offset};
    return l4m_ranges(pool, count, 1, scale_range, &w);
}

static void swi_glu_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    EACH_VECTOR(w->y, LOAD(gate, w->a); LOAD(up, w->b), vsilu(gate) * up);
}

int ISA(swi_glu)(l4m_pool *pool, int64_t count, const float *gate, const float *up, float *y) {
    job w = {.a = gate, .b = up, .y = y};
    return l4m_ranges(pool, count, 8, swi_glu_range, &w);
}

static void swi_glu_gradient_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    const vf one = vset1(1.0f);
    for (int64_t j = begin; j < end; j += VL) {
        int64_t n = l4m_min(VL, end - j);
        LOAD(gate, w->a);
        LOAD(up, w->b);
        LOAD(d, w->c);
        vf s = vsigmoid(gate);
        vf dgate = d * up * s * (one + gate * (one - s)), dup = d * gate * s;
        if (n == VL) {
            vstore(w->y + j, dgate);
            vstore(w->z + j, dup);
        } else {
            vstore_n(w->y + j, dgate, n);
            vstore_n(w->z + j, dup, n);
        }
    }
}

int ISA(swi_glu_gradient)(l4m_pool *pool, int64_t count, const float *gate, const float *up, const float *dy,
                          float *dgate, float *dup) {
    job w = {.a = gate, .b = up, .c = dy, .y = dgate, .z = dup};
    return l4m_ranges(pool, count, 10, swi_glu_gradient_range, &w);
}

typedef struct {
    const float *src;
    float *dst;
    int64_t width, ld_src, ld_dst, from;
} copy_job;

static void copy_range(const void *context, int64_t begin, int64_t end) {
    const copy_job *w = context;
    for (int64_t i = begin; i < end; i++)
        memcpy(w->dst + i * w->ld_dst, w->src + i * w->ld_src, (size_t)w->width * sizeof(float));
}

int ISA(copy_columns)(l4m_pool *pool, int64_t rows, int64_t width, const float *src, int64_t ld_src, float *dst,
                      int64_t ld_dst) {
    copy_job w = {src, dst, width, ld_src, ld_dst, 0};
    return l4m_ranges(pool, rows, (double)width / 2 + 8, copy_range, &w);
}

static void pad_range(const void *context, int64_t begin, int64_t end) {
    const copy_job *w = context;
    for (int64_t i = begin; i < end; i++) {
        float *dst = w->dst + i * w->ld_dst;
        int64_t after = w->from + w->width;
        memset(dst, 0, (size_t)w->from * sizeof(float));
        memcpy(dst + w->from, w->src + i * w->width, (size_t)w->width * sizeof(float));
        memset(dst + after, 0, (size_t)(w->ld_dst - after) * sizeof(float));
    }
}

int ISA(pad_columns)(l4m_pool *pool, int64_t rows, int64_t width, const float *src, int64_t from, float *dst,
                     int64_t ld_dst) {
    copy_job w = {src, dst, width, width, ld_dst, from};
    return l4m_ranges(pool, rows, (double)ld_dst / 2 + 8, pad_range, &w);
}
