// The specification of rotary positions and softmax.
#include "kernels.h"
#include "ref.h"

int rope_ref(l4m_pool *pool, int64_t tokens, int64_t heads, int64_t head_dim, int64_t rotary, int32_t interleaved,
             int32_t inverse, double scale, const float *x, const int32_t *positions, const float *inverse_frequency,
             float *y) {
    (void)pool;
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t h = 0; h < heads; h++) {
            const float *from = x + (t * heads + h) * head_dim;
            float *to = y + (t * heads + h) * head_dim;
            for (int64_t i = rotary; i < head_dim; i++) to[i] = from[i];
            for (int64_t i = 0; i < rotary / 2; i++) {
                int64_t first = interleaved ? 2 * i : i, second = interleaved ? 2 * i + 1 : i + rotary / 2;
                double angle = (double)positions[t] * inverse_frequency[i] * (inverse ? -1 : 1);
                double a = from[first], b = from[second];
                to[first] = (float)(scale * (a * cos(angle) - b * sin(angle)));
                to[second] = (float)(scale * (b * cos(angle) + a * sin(angle)));
            }
        }
    return L4M_OK;
}

int softmax_ref(l4m_pool *pool, int64_t rows, int64_t width, const float *x, float *y) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++, x += width, y += width) {
        double top = -INFINITY, sum = 0;
        for (int64_t j = 0; j < width; j++) top = fmax(top, x[j]);
        for (int64_t j = 0; j < width; j++) sum += exp(x[j] - top);
        for (int64_t j = 0; j < width; j++) y[j] = (float)(exp(x[j] - top) / sum);
    }
    return L4M_OK;
}

int softmax_gradient_ref(l4m_pool *pool, int64_t rows, int64_t width, const float *y, const float *dy, float *dx) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++, y += width, dy += width, dx += width) {
        double dot = 0;
        for (int64_t j = 0; j < width; j++) dot += (double)y[j] * dy[j];
        for (int64_t j = 0; j < width; j++) dx[j] = (float)(y[j] * (dy[j] - dot));
    }
    return L4M_OK;
}
