#include "kernels.h"
#include "ref.h"

int mixture_ref(l4m_pool *pool, int64_t rows, int64_t blocks, int64_t width, const float *gate, int64_t ld_gate,
                const float *x, int32_t adds, float *y) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++) {
            double sum = adds ? y[i * width + j] : 0;
            for (int64_t k = 0; k < blocks; k++)
                sum += (double)gate[i * ld_gate + k] * x[(i * blocks + k) * width + j];
            y[i * width + j] = (float)sum;
        }
    return L4M_OK;
}

int mixture_gradient_ref(l4m_pool *pool, int64_t rows, int64_t blocks, int64_t width, const float *gate,
                         int64_t ld_gate, const float *x, const float *dy, float *dgate, float *dx) {
    (void)pool;
    for (int64_t b = 0; b < rows * blocks; b++) {
        double dot = 0;
        for (int64_t j = 0; j < width; j++) {
            double d = dy[b / blocks * width + j];
            dot += d * x[b * width + j];
            dx[b * width + j] = (float)(gate[b / blocks * ld_gate + b % blocks] * d);
        }
        dgate[b / blocks * ld_gate + b % blocks] = (float)dot;
    }
    return L4M_OK;
}

int mat_vec_ref(l4m_pool *pool, int64_t rows, int64_t height, int64_t width, const float *matrices, const float *v,
                float *y) {
    (void)pool;
    for (int64_t i = 0; i < rows * height; i++) {
        double sum = 0;
        for (int64_t j = 0; j < width; j++) sum += (double)matrices[i * width + j] * v[i / height * width + j];
        y[i] = (float)sum;
    }
    return L4M_OK;
}

int outer_product_ref(l4m_pool *pool, int64_t rows, int64_t height, int64_t width, const float *a, const float *b,
                      float *y) {
    (void)pool;
    for (int64_t i = 0; i < rows * height; i++)
        for (int64_t j = 0; j < width; j++) y[i * width + j] = a[i] * b[i / height * width + j];
    return L4M_OK;
}
