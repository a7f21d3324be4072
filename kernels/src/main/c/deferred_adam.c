// Exact Adam for a table that is larger than the caches: a row takes the steps that it missed, one after the other in
// registers, when it is read next, so that memory moves once for many of them. Bit for bit what sparse_adam does.
#include "adam.h"
#include "indices.h"
#include "kernels.h"
#include "rows.h"

// Rows that take their steps side by side: each step waits for a root and a quotient of the one before.
#define TOGETHER 4
// Ids that are found before their rows take steps, asked for meanwhile.
#define FOUND 32

typedef struct {
    adam_job adam;
    int32_t *done;
    const float *rates;
    int64_t window, size, count, stride, chunks, first, target;
    const int32_t *ids;
} deferred_job;

// Steps from..to of `together` vectors, a constant.
INLINE void take_steps(const deferred_job *w, const adam_factors *f, int together, int64_t from, int64_t to, vf *p, vf *m,
                       vf *v) {
    for (int64_t t = from; t <= to; t++) {
        const float *rates = w->rates + 2 * (t & (w->window - 1));
        vf rate = vset1(rates[0]), second = vset1(rates[1]);
#pragma GCC unroll 4
        for (int i = 0; i < together; i++) adam_step(f, rate, second, f->decay * p[i], p + i, m + i, v + i);
    }
}

// Rows, at most TOGETHER, take the steps that they missed up to the target. The one that missed most begins alone,
// and the others join where they stand.
static void catch_up(const deferred_job *w, const int32_t *unsorted, int count) {
    int32_t rows[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) {
        // The last one again where there are fewer: the same steps, written twice.
        int32_t row = unsorted[l4m_min(i, count - 1)];
        int at = i;
        for (; at > 0 && w->done[rows[at - 1]] > w->done[row]; at--) rows[at] = rows[at - 1];
        rows[at] = row;
    }
    int64_t from[TOGETHER + 1];
    for (int i = 0; i < TOGETHER; i++) from[i] = l4m_min(w->done[rows[i]], w->target) + 1;
    from[TOGETHER] = w->target + 1;
    if (from[0] > w->target) return;
    const adam_factors f = adam_spread(&w->adam);
    for (int64_t j = 0; j < w->adam.width; j += VL) {
        int64_t n = l4m_min(VL, w->adam.width - j);
        vf p[TOGETHER], m[TOGETHER], v[TOGETHER];
#pragma GCC unroll 4
        for (int i = 0; i < TOGETHER; i++) {
            int64_t at = rows[i] * w->adam.width + j;
            p[i] = vload_any(w->adam.p + at, n, L4M_F32);
            m[i] = vload_any(w->adam.m + at, n, L4M_F32);
            v[i] = vload_any(w->adam.v + at, n, L4M_F32);
        }
#pragma GCC unroll 4
        for (int i = 0; i < TOGETHER; i++) take_steps(w, &f, i + 1, from[i], from[i + 1] - 1, p, m, v);
#pragma GCC unroll 4
        for (int i = 0; i < TOGETHER; i++) {
            int64_t at = rows[i] * w->adam.width + j;
            adam_store(w->adam.p + at, p[i], n);
            adam_store(w->adam.m + at, m[i], n);
            adam_store(w->adam.v + at, v[i], n);
        }
    }
    for (int i = 0; i < TOGETHER; i++) w->done[rows[i]] = (int32_t)l4m_max(w->done[rows[i]], w->target);
}

static void catch_up_range(const void *context, int64_t begin, int64_t end) {
    const deferred_job *w = context;
    for (int64_t i = w->first + begin; i < w->first + end; i += TOGETHER) {
        int32_t rows[TOGETHER];
        int count = (int)l4m_min(TOGETHER, w->first + end - i);
        for (int k = 0; k < count; k++) rows[k] = (int32_t)(i + k);
        catch_up(w, rows, count);
    }
}

static void catch_up_found(const deferred_job *w, const int32_t *found, int count) {
    for (int i = 0; i < count; i += TOGETHER) catch_up(w, found + i, (int)l4m_min(TOGETHER, count - i));
}

// The ids within a chunk's part of the table: an id that is there twice belongs to one thread.
static void catch_up_ids(void *context, int64_t chunk, int thread) {
    (void)thread;
    const deferred_job *w = context;
    int64_t begin = l4m_chunk_start(w->size, w->chunks, chunk), end = l4m_chunk_start(w->size, w->chunks, chunk + 1);
    int32_t found[FOUND];
    int count = 0;
    for (int64_t i = 0; i < w->count; i++) {
        int32_t id = w->ids[i * w->stride];
        if (id < begin || id >= end || w->done[id] >= w->target) continue;
        adam_ask_for(&w->adam, id);
        found[count++] = id;
        if (count == FOUND) {
            catch_up_found(w, found, count);
            count = 0;
        }
    }
    catch_up_found(w, found, count);
}

static int is_step(double step) { return step >= 1 && step <= INT32_MAX; }

static int is_window(int64_t window) { return window > 0 && (window & (window - 1)) == 0; }

// Each missed step costs as much as a dozen multiply-adds of every number, half a window on average.
static double cost(const deferred_job *w) { return 6.0 * (double)(w->window * w->adam.width) + 400; }

int ISA(adam_catch_up)(l4m_pool *pool, int64_t size, int64_t width, float *p, float *m, float *v, int32_t *done,
                       int64_t window, const float *rates, int64_t count, const int32_t *ids, int64_t stride,
                       const double *state, double beta1, double beta2, double epsilon, double weight_decay) {
    if (!is_step(state[1]) || !is_window(window)) return L4M_BAD_ARGUMENT;
    int code = ids == NULL ? L4M_OK : l4m_check_ids(ids, count, stride, size);
    if (code != L4M_OK) return code;
    deferred_job w = {.adam = adam_hyperparameters(state, beta1, beta2, epsilon, weight_decay, 0), .done = done};
    w.adam.p = p, w.adam.m = m, w.adam.v = v, w.adam.width = width;
    w.rates = rates, w.window = window, w.size = size, w.target = (int64_t)state[1] - 1;
    w.count = count, w.ids = ids, w.stride = stride;
    if (ids == NULL) return l4m_ranges(pool, size, cost(&w), catch_up_range, &w);
    if ((code = l4m_pool_begin(pool, 0, 0)) != L4M_OK) return code;
    w.chunks = l4m_chunks(pool, count, cost(&w));
    l4m_pool_run(pool, w.chunks, catch_up_ids, &w);
    l4m_pool_end(pool);
    return L4M_OK;
}

static void listed_range(const void *context, int64_t begin, int64_t end) {
    const deferred_job *w = context;
    for (int64_t i = begin; i < end; i++) {
        int32_t row = w->adam.rows[i];
        adam_ask_for(&w->adam, w->adam.rows[l4m_min(i + ADAM_AHEAD, end - 1)]);
        catch_up(w, &row, 1);
        adam_update(&w->adam, row * w->adam.width, w->adam.g + i * w->adam.width, w->adam.width);
        w->done[row] = (int32_t)w->target + 1;
    }
}

int ISA(deferred_adam)(l4m_pool *pool, int64_t size, int64_t width, float *p, float *m, float *v, int32_t *done,
                       int64_t window, float *rates, int64_t capacity, const int32_t *rows, const int32_t *count,
                       const float *values, const double *state, double beta1, double beta2, double epsilon,
                       double weight_decay) {
    if (!is_step(state[1]) || !is_window(window)) return L4M_BAD_ARGUMENT;
    int code = l4m_check_rows(rows, *count, capacity, size);
    if (code != L4M_OK) return code;
    deferred_job w = {.adam = adam_hyperparameters(state, beta1, beta2, epsilon, weight_decay, 0), .done = done};
    w.adam.p = p, w.adam.m = m, w.adam.v = v, w.adam.g = values, w.adam.rows = rows, w.adam.width = width;
    w.rates = rates, w.window = window, w.target = (int64_t)state[1] - 1;
    code = l4m_ranges(pool, *count, 4.0 * (double)width + 400, listed_range, &w);
    if (code != L4M_OK) return code;
    int64_t step = w.target + 1, part = step & (window - 1);
    rates[2 * part] = w.adam.rate, rates[2 * part + 1] = w.adam.second;
    // In turn every part of the table, so that no row misses more steps than rates are kept for.
    w.target = step, w.first = l4m_chunk_start(size, window, part);
    return l4m_ranges(pool, l4m_chunk_start(size, window, part + 1) - w.first, cost(&w), catch_up_range, &w);
}
