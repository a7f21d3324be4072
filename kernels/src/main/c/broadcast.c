// Arithmetic with broadcasting, and its reverse, sums over the stretched axes.
#include "kernels.h"
#include "rows.h"

enum { ADD, SUB, MUL, DIV };
enum { RANK = 4, SEGMENT = 4096 };

typedef struct {
    // After merging: rows of `inner` results; outer extents and strides of a and b, innermost last.
    int64_t inner, stride_a, stride_b;
    int64_t outer[RANK - 1], outer_a[RANK - 1], outer_b[RANK - 1];
    int64_t segments;
    int32_t op;
    const float *a, *b;
    float *y;
} job;

INLINE vf apply(const int op, vf a, vf b) {
    return op == ADD ? a + b : op == SUB ? a - b : op == MUL ? a * b : a / b;
}

// One run of n results; a stride of 0 repeats a single value.
INLINE void run_op(const int op, const float *a, int64_t stride_a, const float *b, int64_t stride_b, int64_t n,
                   float *y) {
    for (int64_t j = 0; j < n; j += VL) {
        int64_t w = l4m_min(VL, n - j);
        vf va = stride_a ? vload_any(a + j, w, L4M_F32) : vset1(*a);
        vf vb = stride_b ? vload_any(b + j, w, L4M_F32) : vset1(*b);
        vf r = apply(op, va, vb);
        w == VL ? vstore(y + j, r) : vstore_n(y + j, r, w);
    }
}

static void binary_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t row = item / w->segments, from = item % w->segments * SEGMENT;
        int64_t n = l4m_min(SEGMENT, w->inner - from), at_a = from * w->stride_a, at_b = from * w->stride_b;
        for (int i = RANK - 2; i >= 0; i--) {
            at_a += row % w->outer[i] * w->outer_a[i];
            at_b += row % w->outer[i] * w->outer_b[i];
            row /= w->outer[i];
        }
        const float *a = w->a + at_a, *b = w->b + at_b;
        float *y = w->y + item / w->segments * w->inner + from;
        switch (w->op) {
            case ADD:
                run_op(ADD, a, w->stride_a, b, w->stride_b, n, y);
                break;
            case SUB:
                run_op(SUB, a, w->stride_a, b, w->stride_b, n, y);
                break;
            case MUL:
                run_op(MUL, a, w->stride_a, b, w->stride_b, n, y);
                break;
            default:
                run_op(DIV, a, w->stride_a, b, w->stride_b, n, y);
        }
    }
}

int ISA(binary)(l4m_pool *pool, int32_t op, const int64_t *dims_a, const float *a, const int64_t *dims_b,
                const float *b, float *y) {
    int64_t extent[RANK], sa[RANK], sb[RANK], total = 1, step_a = 1, step_b = 1;
    for (int i = RANK - 1; i >= 0; i--) {
        if (dims_a[i] != dims_b[i] && dims_a[i] != 1 && dims_b[i] != 1) return L4M_BAD_ARGUMENT;
        extent[i] = dims_a[i] == 1 ? dims_b[i] : dims_a[i];
        sa[i] = dims_a[i] == 1 ? 0 : step_a;
        sb[i] = dims_b[i] == 1 ? 0 : step_b;
        step_a *= dims_a[i];
        step_b *= dims_b[i];
        total *= extent[i];
    }
    if (total == 0) return L4M_OK;
    // Merge neighbouring axes that both operands walk alike, so that the inner run is as long as it can be.
    int n = 0;
    for (int i = 0; i < RANK; i++) {
        if (extent[i] == 1) continue;
        if (n > 0 && sa[n - 1] == sa[i] * extent[i] && sb[n - 1] == sb[i] * extent[i]) {
            extent[n - 1] *= extent[i];
            sa[n - 1] = sa[i];
            sb[n - 1] = sb[i];
        } else {
            extent[n] = extent[i];
            sa[n] = sa[i];
            sb[n++] = sb[i];
        }
    }
    job w = {.inner = n ? extent[n - 1] : 1, .op = op, .a = a, .b = b, .y = y};
    w.stride_a = n ? sa[n - 1] : 0;
    w.stride_b = n ? sb[n - 1] : 0;
    for (int i = 0; i < RANK - 1; i++) {
        int from = i - (RANK - 1) + (n - 1);
        w.outer[i] = from >= 0 ? extent[from] : 1;
        w.outer_a[i] = from >= 0 ? sa[from] : 0;
        w.outer_b[i] = from >= 0 ? sb[from] : 0;
    }
    w.segments = l4m_ceil_div(w.inner, SEGMENT);
    return l4m_ranges(pool, total / w.inner * w.segments, (double)l4m_min(w.inner, SEGMENT) + 16, binary_range, &w);
}

// out[k0, k1, k2] = sum over r0, r1 of x[k0, r0, k1, r1, k2]: every pattern of four axes takes this form.
typedef struct {
    int64_t k0, r0, k1, r1, k2, blocks;
    const float *x;
    float *y;
} sum_job;

#define COLS 64

static void sum_range(const void *context, int64_t begin, int64_t end) {
    const sum_job *w = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t from = item % w->blocks * COLS, to = l4m_min(w->k2, from + COLS);
        int64_t i1 = item / w->blocks % w->k1, i0 = item / w->blocks / w->k1;
        for (int64_t j = from; j < to; j += VL) {
            int64_t n = l4m_min(VL, to - j);
            vf sum = vzero();
            for (int64_t a = 0; a < w->r0; a++)
                for (int64_t b = 0; b < w->r1; b++)
                    sum += vload_any(w->x + ((((i0 * w->r0 + a) * w->k1 + i1) * w->r1 + b) * w->k2) + j, n, L4M_F32);
            float *y = w->y + (i0 * w->k1 + i1) * w->k2 + j;
            n == VL ? vstore(y, sum) : vstore_n(y, sum, n);
        }
    }
}

// k2 == 1: the innermost axis is summed.
static void sum_inner_range(const void *context, int64_t begin, int64_t end) {
    const sum_job *w = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t i1 = item % w->k1, i0 = item / w->k1;
        float sum = 0;
        for (int64_t a = 0; a < w->r0; a++) {
            const float *x = w->x + ((i0 * w->r0 + a) * w->k1 + i1) * w->r1;
            vf s[4] = {vzero(), vzero(), vzero(), vzero()};
            int64_t b = 0;
            for (; b + 4 * VL <= w->r1; b += 4 * VL)
                for (int u = 0; u < 4; u++) s[u] += vload(x + b + u * VL);
            for (; b < w->r1; b += VL) s[0] += vload_any(x + b, l4m_min(VL, w->r1 - b), L4M_F32);
            sum += vsum((s[0] + s[1]) + (s[2] + s[3]));
        }
        w->y[item] = sum;
    }
}

int ISA(sum_to)(l4m_pool *pool, const int64_t *dims_in, const float *x, const int64_t *dims_out, float *y) {
    int64_t extents[5] = {1, 1, 1, 1, 1};
    int at = 0;
    for (int i = 0; i < RANK; i++) {
        if (dims_out[i] != dims_in[i] && dims_out[i] != 1) return L4M_BAD_ARGUMENT;
        if (dims_in[i] == 1) continue;
        int reduced = dims_out[i] == 1;
        if (at % 2 != reduced) at++;
        extents[at] *= dims_in[i];
    }
    sum_job w = {extents[0], extents[1], extents[2], extents[3], extents[4], 1, x, y};
    if (w.k2 == 1 && w.r1 == 1) {
        // [k0, r0, k1]: call the last kept axis k2, or if there is none the last summed axis r1.
        if (w.k1 > 1) {
            w.k2 = w.k1;
            w.k1 = 1;
        } else if (w.r0 > 1) {
            w.r1 = w.r0;
            w.r0 = 1;
        } else {
            w.k2 = w.k0;
            w.k0 = 1;
        }
    }
    int64_t kept = w.k0 * w.k1 * w.k2;
    if (kept == 0) return L4M_OK;
    double cost = (double)(w.r0 * w.r1);
    if (w.k2 == 1) return l4m_ranges(pool, kept, cost, sum_inner_range, &w);
    w.blocks = l4m_ceil_div(w.k2, COLS);
    return l4m_ranges(pool, w.k0 * w.k1 * w.blocks, cost * (double)l4m_min(w.k2, COLS), sum_range, &w);
}
