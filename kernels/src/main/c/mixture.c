// Each row mixes its own blocks of columns, and the gradient of that; products with a matrix of each row's own.
#include "kernels.h"
#include "rows.h"
#include "vec.h"

typedef struct {
    int64_t blocks, width, ld;
    int32_t adds;
    const float *gate, *x, *dy;
    float *y, *dgate, *dx;
} job;

static void forward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *gate = w->gate + i * w->ld, *x = w->x + i * w->blocks * w->width;
        float *y = w->y + i * w->width;
        for (int64_t j = 0; j < w->width; j += VL) {
            int64_t n = l4m_min(VL, w->width - j);
            vf sum = w->adds ? vload_any(y + j, n, L4M_F32) : vzero();
            for (int64_t k = 0; k < w->blocks; k++)
                sum = vfma(vset1(gate[k]), vload_any(x + k * w->width + j, n, L4M_F32), sum);
            n == VL ? vstore(y + j, sum) : vstore_n(y + j, sum, n);
        }
    }
}

int ISA(mixture)(l4m_pool *pool, int64_t rows, int64_t blocks, int64_t width, const float *gate, int64_t ld_gate,
                 const float *x, int32_t adds, float *y) {
    job w = {.blocks = blocks, .width = width, .ld = ld_gate, .adds = adds, .gate = gate, .x = x, .y = y};
    return l4m_ranges(pool, rows, 2.0 * (double)(blocks * width) + 16, forward_range, &w);
}

static void backward_range(const void *context, int64_t begin, int64_t end) {
    const job *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *dy = w->dy + i * w->width;
        for (int64_t k = 0; k < w->blocks; k++) {
            int64_t at = (i * w->blocks + k) * w->width;
            vf gate = vset1(w->gate[i * w->ld + k]), dot = vzero();
            for (int64_t j = 0; j < w->width; j += VL) {
                int64_t n = l4m_min(VL, w->width - j);
                vf d = vload_any(dy + j, n, L4M_F32);
                dot = vfma(d, vload_any(w->x + at + j, n, L4M_F32), dot);
                n == VL ? vstore(w->dx + at + j, gate * d) : vstore_n(w->dx + at + j, gate * d, n);
            }
            w->dgate[i * w->ld + k] = vsum(dot);
        }
    }
}

int ISA(mixture_gradient)(l4m_pool *pool, int64_t rows, int64_t blocks, int64_t width, const float *gate,
                          int64_t ld_gate, const float *x, const float *dy, float *dgate, float *dx) {
    job w = {.blocks = blocks, .width = width, .ld = ld_gate, .gate = gate, .x = x, .dy = dy, .dgate = dgate, .dx = dx};
    return l4m_ranges(pool, rows, 4.0 * (double)(blocks * width) + 16, backward_range, &w);
}

typedef struct {
    int64_t height, width;
    const float *a, *b;
    float *y;
} product_job;

// y[i] = <m_i, v> for VL rows of a matrix, whose sums are added across by transposing them.
static void dots(const float *m, const float *v, int64_t width, float *y) {
    vf sum[VL];
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++) sum[i] = vzero();
    for (int64_t j = 0; j < width; j += VL) {
        int64_t n = l4m_min(VL, width - j);
        vf x = vload_any(v + j, n, L4M_F32);
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++) sum[i] = vfma(vload_any(m + i * width + j, n, L4M_F32), x, sum[i]);
    }
    vtranspose(sum);
#pragma GCC unroll 16
    for (int step = VL / 2; step > 0; step /= 2)
#pragma GCC unroll 16
        for (int i = 0; i < step; i++) sum[i] += sum[i + step];
    vstore(y, sum[0]);
}

static void mat_vec_range(const void *context, int64_t begin, int64_t end) {
    const product_job *w = context;
    for (int64_t r = begin; r < end; r++) {
        const float *m = w->a + r * w->height * w->width, *v = w->b + r * w->width;
        float *y = w->y + r * w->height;
        int64_t i = 0;
        for (; i + VL <= w->height; i += VL) dots(m + i * w->width, v, w->width, y + i);
        for (; i < w->height; i++) {
            vf sum = vzero();
            for (int64_t j = 0; j < w->width; j += VL) {
                int64_t n = l4m_min(VL, w->width - j);
                sum = vfma(vload_any(m + i * w->width + j, n, L4M_F32), vload_any(v + j, n, L4M_F32), sum);
            }
            y[i] = vsum(sum);
        }
    }
}

int ISA(mat_vec)(l4m_pool *pool, int64_t rows, int64_t height, int64_t width, const float *matrices, const float *v,
                 float *y) {
    product_job w = {height, width, matrices, v, y};
    return l4m_ranges(pool, rows, (double)height * (double)(width + 8) / 4 + 8, mat_vec_range, &w);
}

static void outer_range(const void *context, int64_t begin, int64_t end) {
    const product_job *w = context;
    for (int64_t r = begin; r < end; r++) {
        const float *b = w->b + r * w->width;
        float *y = w->y + r * w->height * w->width;
        for (int64_t i = 0; i < w->height; i++, y += w->width) {
            vf a = vset1(w->a[r * w->height + i]);
            for (int64_t j = 0; j < w->width; j += VL) {
                int64_t n = l4m_min(VL, w->width - j);
                vf product = a * vload_any(b + j, n, L4M_F32);
                n == VL ? vstore(y + j, product) : vstore_n(y + j, product, n);
            }
        }
    }
}

int ISA(outer_product)(l4m_pool *pool, int64_t rows, int64_t height, int64_t width, const float *a, const float *b,
                       float *y) {
    product_job w = {height, width, a, b, y};
    return l4m_ranges(pool, rows, (double)(height * width) / 4 + 8, outer_range, &w);
}
