// Elementwise functions and their gradients, copies of blocks of columns, and transposed matrices.
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
        case L4M_ACT_GELU:
            EACH_VECTOR(w->y, LOAD(x, w->a), vgelu(x));
            break;
        case L4M_ACT_GELU_TANH:
            EACH_VECTOR(w->y, LOAD(x, w->a), vgelu_tanh(x));
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
            EACH_VECTOR(w->y, LOAD(x, w->a); LOAD(d, w->b), d * vsilu_slope(x));
            break;
        case L4M_ACT_TANH:
            EACH_VECTOR(w->y, LOAD(y, w->a); LOAD(d, w->b), d * (one - y * y));
            break;
        case L4M_ACT_GELU:
            EACH_VECTOR(w->y, LOAD(x, w->a); LOAD(d, w->b), d * vgelu_slope(x));
            break;
        case L4M_ACT_GELU_TANH:
            EACH_VECTOR(w->y, LOAD(x, w->a); LOAD(d, w->b), d * vgelu_tanh_slope(x));
            break;
        default:
            EACH_VECTOR(w->y, LOAD(d, w->b), d);
    }
}

int ISA(unary_gradient)(l4m_pool *pool, int32_t activation, int64_t count, const float *saved, const float *dy,
                        float *dx) {
    job w = {.a = saved, .b = dy, .y = dx, .kind = activation};
    return l4m_ranges(pool, count, activation == L4M_ACT_SILU || activation >= L4M_ACT_GELU ? 12 : 1, unary_gradient_range, &w);
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

static void glu_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    switch (w->kind) {
        case L4M_ACT_SILU:
            EACH_VECTOR(w->y, LOAD(gate, w->a); LOAD(up, w->b), vsilu(gate) * up);
            break;
        case L4M_ACT_GELU:
            EACH_VECTOR(w->y, LOAD(gate, w->a); LOAD(up, w->b), vgelu(gate) * up);
            break;
        case L4M_ACT_GELU_TANH:
            EACH_VECTOR(w->y, LOAD(gate, w->a); LOAD(up, w->b), vgelu_tanh(gate) * up);
            break;
        default:
            EACH_VECTOR(w->y, LOAD(gate, w->a); LOAD(up, w->b), vactivate(gate, w->kind) * up);
    }
}

int ISA(glu)(l4m_pool *pool, int32_t activation, int64_t count, const float *gate, const float *up, float *y) {
    job w = {.a = gate, .b = up, .y = y, .kind = activation};
    return l4m_ranges(pool, count, 8, glu_range, &w);
}

// The derivative from the activation's input and output.
INLINE vf slope(vf x, vf act, int32_t activation) {
    switch (activation) {
        case L4M_ACT_RELU:
            return vsel_gt(x, vzero(), vset1(1.0f), vzero());
        case L4M_ACT_SIGMOID:
            return act * (vset1(1.0f) - act);
        case L4M_ACT_SILU:
            return vsilu_slope(x);
        case L4M_ACT_TANH:
            return vset1(1.0f) - act * act;
        case L4M_ACT_GELU:
            return vgelu_slope(x);
        case L4M_ACT_GELU_TANH:
            return vgelu_tanh_slope(x);
        default:
            return vset1(1.0f);
    }
}

static void glu_gradient_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t j = begin; j < end; j += VL) {
        int64_t n = l4m_min(VL, end - j);
        LOAD(gate, w->a);
        LOAD(up, w->b);
        LOAD(d, w->c);
        vf act = vactivate(gate, w->kind);
        vf dgate = d * up * slope(gate, act, w->kind), dup = d * act;
        if (n == VL) {
            vstore(w->y + j, dgate);
            vstore(w->z + j, dup);
        } else {
            vstore_n(w->y + j, dgate, n);
            vstore_n(w->z + j, dup, n);
        }
    }
}

int ISA(glu_gradient)(l4m_pool *pool, int32_t activation, int64_t count, const float *gate, const float *up,
                      const float *dy, float *dgate, float *dup) {
    job w = {.a = gate, .b = up, .c = dy, .y = dgate, .z = dup, .kind = activation};
    return l4m_ranges(pool, count, 14, glu_gradient_range, &w);
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

typedef struct {
    const float *x;
    float *y;
    int64_t rows, columns, strips;
} transpose_job;

// One item is a strip of VL rows of one matrix, which become VL columns.
static void transpose_range(const void *context, int64_t begin, int64_t end) {
    const transpose_job *w = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t matrix = item / w->strips * w->rows * w->columns, first = item % w->strips * VL;
        int64_t m = l4m_min(VL, w->rows - first);
        const float *x = w->x + matrix + first * w->columns;
        float *y = w->y + matrix + first;
        for (int64_t j = 0; j < w->columns; j += VL) {
            int64_t n = l4m_min(VL, w->columns - j);
            vf r[VL];
            for (int64_t i = 0; i < VL; i++) r[i] = vload_any(x + l4m_min(i, m - 1) * w->columns + j, n, L4M_F32);
            vtranspose(r);
            for (int64_t i = 0; i < n; i++) {
                float *to = y + (j + i) * w->rows;
                m == VL ? vstore(to, r[i]) : vstore_n(to, r[i], m);
            }
        }
    }
}

int ISA(transpose)(l4m_pool *pool, int64_t count, int64_t rows, int64_t columns, const float *x, float *y) {
    transpose_job w = {x, y, rows, columns, l4m_ceil_div(rows, VL)};
    return l4m_ranges(pool, count * w.strips, (double)columns * VL / 4 + 8, transpose_range, &w);
}
