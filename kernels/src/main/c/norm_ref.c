// The specification of the normalisations.
#include "indices.h"
#include "kernels.h"
#include "ref.h"

int rms_norm_ref(l4m_pool *pool, int64_t rows, int64_t width, const float *x, const float *weight, double epsilon,
                 float *y) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++, x += width, y += width) {
        double sum = 0;
        for (int64_t j = 0; j < width; j++) sum += (double)x[j] * x[j];
        for (int64_t j = 0; j < width; j++) y[j] = (float)(x[j] / sqrt(sum / (double)width + epsilon) * weight[j]);
    }
    return L4M_OK;
}

int rms_norm_gradient_ref(l4m_pool *pool, int64_t rows, int64_t width, const float *x, const float *weight,
                          const float *dy, double epsilon, float *dx, float *dweight) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0, dot = 0;
        for (int64_t j = 0; j < width; j++) {
            sum += (double)x[i * width + j] * x[i * width + j];
            dot += (double)dy[i * width + j] * weight[j] * x[i * width + j];
        }
        double inverse = 1 / sqrt(sum / (double)width + epsilon);
        for (int64_t j = 0; j < width; j++)
            dx[i * width + j] = (float)(inverse * dy[i * width + j] * weight[j] -
                                        x[i * width + j] * inverse * inverse * inverse / (double)width * dot);
    }
    for (int64_t j = 0; j < width; j++) {
        double total = 0;
        for (int64_t i = 0; i < rows; i++) {
            double sum = 0;
            for (int64_t c = 0; c < width; c++) sum += (double)x[i * width + c] * x[i * width + c];
            total += (double)dy[i * width + j] * x[i * width + j] / sqrt(sum / (double)width + epsilon);
        }
        dweight[j] = (float)total;
    }
    return L4M_OK;
}

typedef struct {
    double mean, inverse;
} statistics;

static statistics measure(const float *x, int64_t width, double epsilon) {
    double sum = 0, squares = 0;
    for (int64_t j = 0; j < width; j++) sum += x[j];
    for (int64_t j = 0; j < width; j++) squares += (x[j] - sum / (double)width) * (x[j] - sum / (double)width);
    return (statistics){sum / (double)width, 1 / sqrt(squares / (double)width + epsilon)};
}

int layer_norm_ref(l4m_pool *pool, int64_t rows, int64_t width, const float *x, const float *weight,
                   const float *bias, double epsilon, float *y) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++, x += width, y += width) {
        statistics s = measure(x, width, epsilon);
        for (int64_t j = 0; j < width; j++) y[j] = (float)((x[j] - s.mean) * s.inverse * weight[j] + bias[j]);
    }
    return L4M_OK;
}

int layer_norm_gradient_ref(l4m_pool *pool, int64_t rows, int64_t width, const float *x, const float *weight,
                            const float *dy, double epsilon, float *dx, float *dweight, float *dbias) {
    (void)pool;
    for (int64_t i = 0; i < rows; i++) {
        const float *xi = x + i * width, *d = dy + i * width;
        statistics s = measure(xi, width, epsilon);
        double sum = 0, dot = 0;
        for (int64_t j = 0; j < width; j++) {
            sum += (double)weight[j] * d[j] / (double)width;
            dot += (double)weight[j] * d[j] * (xi[j] - s.mean) * s.inverse / (double)width;
        }
        for (int64_t j = 0; j < width; j++)
            dx[i * width + j] =
                (float)(s.inverse * ((double)weight[j] * d[j] - sum - (xi[j] - s.mean) * s.inverse * dot));
    }
    for (int64_t j = 0; j < width; j++) {
        double weights = 0, biases = 0;
        for (int64_t i = 0; i < rows; i++) {
            statistics s = measure(x + i * width, width, epsilon);
            weights += dy[i * width + j] * (x[i * width + j] - s.mean) * s.inverse;
            biases += dy[i * width + j];
        }
        dweight[j] = (float)weights;
        dbias[j] = (float)biases;
    }
    return L4M_OK;
}

int grouped_batch_norm_ref(l4m_pool *pool, int64_t rows, int64_t width, int64_t groups, const float *x,
                           const int32_t *order, const int32_t *offsets, const float *scale, const float *shift,
                           float *running_mean, float *running_variance, double epsilon, double momentum,
                           int32_t training, float *y, float *mean, float *inverse_std) {
    (void)pool;
    int code = l4m_check_groups(rows, groups, order, offsets);
    if (code != L4M_OK) return code;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = 0; j < width; j++) {
            int64_t at = g * width + j, n = offsets[g + 1] - offsets[g];
            double mu = running_mean[at], variance = running_variance[at];
            if (training && n >= 2) {
                double sum = 0, squares = 0;
                for (int64_t i = offsets[g]; i < offsets[g + 1]; i++) sum += x[order[i] * width + j];
                mu = sum / (double)n;
                for (int64_t i = offsets[g]; i < offsets[g + 1]; i++) {
                    double d = x[order[i] * width + j] - mu;
                    squares += d * d;
                }
                variance = squares / (double)n;
                running_mean[at] = (float)((1 - momentum) * running_mean[at] + momentum * mu);
                running_variance[at] =
                    (float)((1 - momentum) * running_variance[at] + momentum * squares / (double)(n - 1));
            }
            double inverse = 1 / sqrt(variance + epsilon);
            mean[at] = (float)mu;
            inverse_std[at] = (float)inverse;
            for (int64_t i = offsets[g]; i < offsets[g + 1]; i++)
                y[order[i] * width + j] = (float)((x[order[i] * width + j] - mu) * inverse * scale[at] + shift[at]);
        }
    return L4M_OK;
}

int grouped_batch_norm_gradient_ref(l4m_pool *pool, int64_t rows, int64_t width, int64_t groups, const float *x,
                                    const int32_t *order, const int32_t *offsets, const float *scale,
                                    const float *mean, const float *inverse_std, const float *dy, int32_t training,
                                    float *dx, float *dscale, float *dshift) {
    (void)pool;
    int code = l4m_check_groups(rows, groups, order, offsets);
    if (code != L4M_OK) return code;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = 0; j < width; j++) {
            int64_t at = g * width + j, n = offsets[g + 1] - offsets[g];
            double sum = 0, dot = 0, inverse = inverse_std[at];
            for (int64_t i = offsets[g]; i < offsets[g + 1]; i++) {
                int64_t e = order[i] * width + j;
                sum += dy[e];
                dot += dy[e] * (x[e] - (double)mean[at]) * inverse;
            }
            dscale[at] = (float)dot;
            dshift[at] = (float)sum;
            double through = training && n >= 2 ? 1.0 / (double)n : 0;
            for (int64_t i = offsets[g]; i < offsets[g + 1]; i++) {
                int64_t e = order[i] * width + j;
                double xhat = (x[e] - (double)mean[at]) * inverse;
                dx[e] = (float)(scale[at] * inverse * (dy[e] - through * (sum + xhat * dot)));
            }
        }
    return L4M_OK;
}
