// The specification of the optimisers.
#include "indices.h"
#include "kernels.h"
#include "ref.h"

// p -= rate * m / (sqrt(v * second) + epsilon)
static void move(float *p, float *m, float *v, double g, double rate, double second, double beta1, double beta2,
                 double epsilon, double weight_decay) {
    g += weight_decay * *p;
    double m1 = beta1 * *m + (1 - beta1) * g, v1 = beta2 * *v + (1 - beta2) * g * g;
    *p = (float)(*p - rate * m1 / (sqrt(v1 * second) + epsilon));
    *m = (float)m1;
    *v = (float)v1;
}

static void update(float *p, float *m, float *v, double g, const double *state, double beta1, double beta2,
                   double epsilon, double weight_decay, int lazy) {
    double first = 1 - pow(beta1, state[1]), second = 1 - pow(beta2, state[1]);
    move(p, m, v, g, lazy ? state[0] * sqrt(second) / first : state[0] / first, lazy ? 1 : 1 / second, beta1, beta2,
         epsilon, weight_decay);
}

int adam_ref(l4m_pool *pool, int64_t count, float *p, float *m, float *v, const float *g, const double *state,
             double beta1, double beta2, double epsilon, double weight_decay) {
    (void)pool;
    for (int64_t i = 0; i < count; i++) update(p + i, m + i, v + i, g[i], state, beta1, beta2, epsilon, weight_decay, 0);
    return L4M_OK;
}

int sparse_adam_ref(l4m_pool *pool, int64_t size, int64_t width, float *p, float *m, float *v, int64_t capacity,
                    const int32_t *rows, const int32_t *count, const float *values, const double *state,
                    double beta1, double beta2, double epsilon, double weight_decay, int32_t lazy) {
    (void)pool;
    int code = l4m_check_rows(rows, *count, capacity, size);
    if (code != L4M_OK) return code;
    for (int64_t row = 0, i = 0; row < size; row++) {
        int listed = i < *count && rows[i] == row;
        for (int64_t j = 0; (listed || !lazy) && j < width; j++) {
            int64_t at = row * width + j;
            update(p + at, m + at, v + at, listed ? values[i * width + j] : 0, state, beta1, beta2, epsilon,
                   weight_decay, lazy);
        }
        i += listed;
    }
    return L4M_OK;
}

static int is_deferred(const double *state, int64_t window) {
    return state[1] >= 1 && state[1] <= INT32_MAX && window > 0 && (window & (window - 1)) == 0;
}

// A row takes the steps that it missed, up to `target`.
static void catch_up(int64_t row, int64_t width, float *p, float *m, float *v, int32_t *done, int64_t window,
                     const float *rates, int64_t target, double beta1, double beta2, double epsilon,
                     double weight_decay) {
    for (; done[row] < target; done[row]++) {
        const float *step = rates + 2 * ((done[row] + 1) & (window - 1));
        for (int64_t at = row * width; at < (row + 1) * width; at++)
            move(p + at, m + at, v + at, 0, step[0], step[1], beta1, beta2, epsilon, weight_decay);
    }
}

int adam_catch_up_ref(l4m_pool *pool, int64_t size, int64_t width, float *p, float *m, float *v, int32_t *done,
                      int64_t window, const float *rates, int64_t count, const int32_t *ids, int64_t stride,
                      const double *state, double beta1, double beta2, double epsilon, double weight_decay) {
    (void)pool;
    if (!is_deferred(state, window)) return L4M_BAD_ARGUMENT;
    int code = ids == NULL ? L4M_OK : l4m_check_ids(ids, count, stride, size);
    if (code != L4M_OK) return code;
    for (int64_t i = 0; i < (ids == NULL ? size : count); i++)
        catch_up(ids == NULL ? i : ids[i * stride], width, p, m, v, done, window, rates, (int64_t)state[1] - 1, beta1,
                 beta2, epsilon, weight_decay);
    return L4M_OK;
}

int deferred_adam_ref(l4m_pool *pool, int64_t size, int64_t width, float *p, float *m, float *v, int32_t *done,
                      int64_t window, float *rates, int64_t capacity, const int32_t *rows, const int32_t *count,
                      const float *values, const double *state, double beta1, double beta2, double epsilon,
                      double weight_decay) {
    (void)pool;
    if (!is_deferred(state, window)) return L4M_BAD_ARGUMENT;
    int code = l4m_check_rows(rows, *count, capacity, size);
    if (code != L4M_OK) return code;
    int64_t step = (int64_t)state[1], part = step & (window - 1);
    for (int64_t i = 0; i < *count; i++) {
        catch_up(rows[i], width, p, m, v, done, window, rates, step - 1, beta1, beta2, epsilon, weight_decay);
        for (int64_t j = 0; j < width; j++) {
            int64_t at = rows[i] * width + j;
            update(p + at, m + at, v + at, values[i * width + j], state, beta1, beta2, epsilon, weight_decay, 0);
        }
        done[rows[i]] = (int32_t)step;
    }
    rates[2 * part] = (float)(state[0] / (1 - pow(beta1, state[1])));
    rates[2 * part + 1] = (float)(1 / (1 - pow(beta2, state[1])));
    for (int64_t row = l4m_chunk_start(size, window, part); row < l4m_chunk_start(size, window, part + 1); row++)
        catch_up(row, width, p, m, v, done, window, rates, step, beta1, beta2, epsilon, weight_decay);
    return L4M_OK;
}
