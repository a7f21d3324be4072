// The specification of the elementwise kernels and column copies.
#include "kernels.h"
#include "ref.h"

int unary_ref(l4m_pool *pool, int32_t activation, int64_t count, const float *x, float *y) {
    (void)pool;
    for (int64_t i = 0; i < count; i++) y[i] = (float)ref_activate(x[i], activation);
    return L4M_OK;
}

int unary_gradient_ref(l4m_pool *pool, int32_t activation, int64_t count, const float *saved, const float *dy,
                       float *dx) {
    (void)pool;
    for (int64_t i = 0; i < count; i++) dx[i] = (float)(dy[i] * ref_slope(saved[i], activation));
    return L4M_OK;
}

int scale_ref(l4m_pool *pool, int64_t count, float scale, float offset, const float *x, float *y) {
    (void)pool;
    for (int64_t i = 0; i < count; i++) y[i] = (float)((double)scale * x[i] + offset);
    return L4M_OK;
}

int glu_ref(l4m_pool *pool, int32_t activation, int64_t count, const float *gate, const float *up, float *y) {
    (void)pool;
    for (int64_t i = 0; i < count; i++) y[i] = (float)(ref_activate(gate[i], activation) * up[i]);
    return L4M_OK;
}

int glu_gradient_ref(l4m_pool *pool, int32_t activation, int64_t count, const float *gate, const float *up,
                     const float *dy, float *dgate, float *dup) {
    (void)pool;
    for (int64_t i = 0; i < count; i++) {
        double act = ref_activate(gate[i], activation), d = dy[i];
        int from_output = activation == L4M_ACT_RELU || activation == L4M_ACT_SIGMOID || activation == L4M_ACT_TANH;
        dgate[i] = (float)(d * up[i] * ref_slope(from_output ? act : gate[i], activation));
        dup[i] = (float)(d * act);
    }
    return L4M_OK;
}

int copy_columns_ref(l4m_pool *pool, int64_t rows, int64_t width, const float *src, int64_t ld_src, float *dst,
                     int64_t ld_dst) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++) dst[i * ld_dst + j] = src[i * ld_src + j];
    return L4M_OK;
}

int pad_columns_ref(l4m_pool *pool, int64_t rows, int64_t width, const float *src, int64_t from, float *dst,
                    int64_t ld_dst) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < ld_dst; j++)
            dst[i * ld_dst + j] = j >= from && j < from + width ? src[i * width + j - from] : 0;
    return L4M_OK;
}

int transpose_ref(l4m_pool *pool, int64_t count, int64_t rows, int64_t columns, const float *x, float *y) {
    (void)pool;
    for (int64_t g = 0; g < count; g++, x += rows * columns, y += rows * columns)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) y[j * rows + i] = x[i * columns + j];
    return L4M_OK;
}
