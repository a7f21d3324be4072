// Adam (Kingma and Ba 2015), dense and for tables with sparse gradients, in place.
#include "adam.h"
#include "indices.h"
#include "kernels.h"
#include "rows.h"

static void dense_range(const void *context, int64_t begin, int64_t end) {
    const adam_job *w = context;
    adam_update(w, begin, w->g + begin, end - begin);
}

int ISA(adam)(l4m_pool *pool, int64_t count, float *p, float *m, float *v, const float *g, const double *state,
              double beta1, double beta2, double epsilon, double weight_decay) {
    adam_job w = adam_hyperparameters(state, beta1, beta2, epsilon, weight_decay, 0);
    w.p = p, w.m = m, w.v = v, w.g = g;
    return l4m_ranges(pool, count, 4, dense_range, &w);
}

static void lazy_range(const void *context, int64_t begin, int64_t end) {
    const adam_job *w = context;
    for (int64_t i = begin; i < end; i++) {
        adam_ask_for(w, w->rows[l4m_min(i + ADAM_AHEAD, end - 1)]);
        adam_update(w, w->rows[i] * w->width, w->g + i * w->width, w->width);
    }
}

// All rows of [begin, end): the listed ones with their gradient, the gaps between them without.
static void exact_range(const void *context, int64_t begin, int64_t end) {
    const adam_job *w = context;
    int64_t low = 0, high = w->listed;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (w->rows[middle] < begin)
            low = middle + 1;
        else
            high = middle;
    }
    int64_t row = begin;
    for (; low < w->listed && w->rows[low] < end; low++) {
        adam_update(w, row * w->width, NULL, (w->rows[low] - row) * w->width);
        row = w->rows[low];
        adam_update(w, row * w->width, w->g + low * w->width, w->width);
        row++;
    }
    adam_update(w, row * w->width, NULL, (end - row) * w->width);
}

int ISA(sparse_adam)(l4m_pool *pool, int64_t size, int64_t width, float *p, float *m, float *v, int64_t capacity,
                     const int32_t *rows, const int32_t *count, const float *values, const double *state,
                     double beta1, double beta2, double epsilon, double weight_decay, int32_t lazy) {
    int code = l4m_check_rows(rows, *count, capacity, size);
    if (code != L4M_OK) return code;
    adam_job w = adam_hyperparameters(state, beta1, beta2, epsilon, weight_decay, lazy);
    w.p = p, w.m = m, w.v = v, w.g = values, w.rows = rows, w.listed = *count, w.width = width;
    // A listed row is three that lie anywhere, which takes as long as some hundred multiply-adds each.
    double cost = 4.0 * (double)width + (lazy ? 400 : 16);
    return l4m_ranges(pool, lazy ? *count : size, cost, lazy ? lazy_range : exact_range, &w);
}
