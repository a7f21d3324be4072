#include "kernels.h"
#include "ref.h"

static double dot(const float *a, const float *b, int64_t width) {
    double sum = 0;
    for (int64_t j = 0; j < width; j++) sum += (double)a[j] * b[j];
    return sum;
}

int attention_pooling_ref(l4m_pool *pool, int64_t rows, int64_t length, int64_t width, const float *q,
                          const float *x, const float *present, float *y, float *weights) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++) {
        const float *there = present + i * length, *own = x + i * length * width;
        float *a = weights + i * length;
        double top = -INFINITY, total = 0;
        for (int64_t k = 0; k < length; k++)
            if (there[k] != 0) top = fmax(top, dot(q + i * width, own + k * width, width));
        for (int64_t k = 0; k < length; k++)
            if (there[k] != 0) total += exp(dot(q + i * width, own + k * width, width) - top);
        for (int64_t k = 0; k < length; k++)
            a[k] = there[k] == 0 ? 0 : (float)(exp(dot(q + i * width, own + k * width, width) - top) / total);
        for (int64_t j = 0; j < width; j++) {
            double sum = 0;
            for (int64_t k = 0; k < length; k++)
                if (there[k] != 0) sum += (double)a[k] * own[k * width + j];
            y[i * width + j] = (float)sum;
        }
    }
    return L4M_OK;
}

int attention_pooling_gradient_ref(l4m_pool *pool, int64_t rows, int64_t length, int64_t width,
                                   const float *q, const float *x, const float *weights, const float *y,
                                   const float *dy, float *dq, float *dx) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++) {
        const float *a = weights + i * length, *own = x + i * length * width, *d = dy + i * width;
        double mean = dot(d, y + i * width, width);
        for (int64_t j = 0; j < width; j++) {
            double sum = 0;
            for (int64_t k = 0; k < length; k++) {
                double s = a[k] == 0 ? 0 : a[k] * (dot(d, own + k * width, width) - mean);
                if (a[k] != 0) sum += s * own[k * width + j];
                dx[(i * length + k) * width + j] = (float)(a[k] * (double)d[j] + s * q[i * width + j]);
            }
            dq[i * width + j] = (float)sum;
        }
    }
    return L4M_OK;
}
