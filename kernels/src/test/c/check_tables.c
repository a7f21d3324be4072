#include "check.h"

static void gather(int64_t count, int64_t width) {
    int64_t vocabulary = random_int(1, 50);
    int32_t type = random_int(0, L4M_TYPE_COUNT - 1), *ids = random_ids(count, vocabulary);
    width = l4m_round_up(width, l4m_block_size(type));
    void *table = random_stored(vocabulary * width, type);
    float *out = random_floats(count * width);
    AGREES("gather", l4m_gather(pool, vocabulary, width, table, type, count, ids, out), {out, count * width});
}

static void concat(int64_t count) {
    int64_t field_count = random_int(1, 5), ld = 0, (*fields)[4] = array(field_count * 32);
    int32_t *ids = array(count * field_count * 4);
    for (int64_t f = 0; f < field_count; f++) {
        int64_t vocabulary = random_int(1, 9), width = random_int(1, 20);
        fields[f][0] = (int64_t)(intptr_t)random_floats(vocabulary * width);
        fields[f][1] = vocabulary, fields[f][2] = width, fields[f][3] = ld;
        ld += width;
        for (int64_t i = 0; i < count; i++) ids[i * field_count + f] = (int32_t)random_int(0, vocabulary - 1);
    }
    float *out = random_floats(count * ld);
    AGREES("embedding_concat", l4m_embedding_concat(pool, field_count, fields, count, ids, out, ld), {out, count * ld});
}

static void row_gradient(int64_t count, int64_t vocabulary, int64_t width) {
    int64_t stride = random_int(1, 3), ld = width + random_int(0, 3), n = count < vocabulary ? count : vocabulary;
    int32_t *ids = random_ids(count * stride, vocabulary), *rows = array(n * 4), distinct[2] = {0, 0};
    float *dy = random_floats(count * ld), *values = random_floats(n * width);
    memset(rows, 0, (size_t)n * 4);
    // Ids are compared as the bits of floats: equal or not.
    AGREES("sparse_row_gradient",
           l4m_sparse_row_gradient(pool, count, ids, stride, vocabulary, dy, ld, width, rows, distinct, values),
           {values, n * width}, {(float *)rows, n}, {(float *)distinct, 1});
}

static int32_t *ascending(int64_t capacity, int64_t size, int32_t *count) {
    int32_t *rows = array(capacity * 4);
    *count = 0;
    for (int64_t r = 0; r < size && *count < capacity; r++)
        if (random_int(0, 2) == 0) rows[(*count)++] = (int32_t)r;
    return rows;
}

static void optimisers(int64_t size, int64_t width) {
    int64_t capacity = random_int(0, size), n = size * width;
    int32_t count, *rows = ascending(capacity, size, &count), lazy = random_int(0, 1);
    double adam[2] = {1e-3, (double)random_int(1, 5)}, decay = random_int(0, 1) ? 0.01 : 0;
    float *p = random_floats(n), *m = random_floats(n), *v = random_floats(n), *values = random_floats(capacity * width);
    float *dense = random_floats(n), *g = random_floats(n);
    for (int64_t i = 0; i < n; i++) v[i] *= v[i];
    AGREES("optimisers",
           (l4m_sparse_to_dense(pool, capacity, rows, &count, values, size, width, dense) ||
            l4m_sparse_adam(pool, size, width, p, m, v, capacity, rows, &count, values, adam, 0.9, 0.999, 1e-8, decay, lazy) ||
            l4m_adam(pool, n, p, m, v, g, adam, 0.9, 0.999, 1e-8, decay)),
           {dense, n}, {p, n}, {m, n}, {v, n});
}

// A table that is read by the ids of each step.
typedef struct {
    int64_t size, width, window, first, steps, stride;
    float *p, *m, *v, *rates, *values;
    int32_t *done, *ids, *rows, count;
    double decay;
} table;

static int caught_up(const table *t, int64_t step, int64_t count, const int32_t *ids) {
    double adam[2] = {0, (double)step};
    return l4m_adam_catch_up(pool, t->size, t->width, t->p, t->m, t->v, t->done, t->window, t->rates, count, ids, t->stride,
                             adam, 0.9, 0.999, 1e-8, t->decay);
}

// Other ids and rows in each step, so that rows miss few steps and many.
static int deferred_steps(const table *t) {
    int code = 0;
    for (int64_t i = 0; i < t->steps && code == 0; i++) {
        double adam[2] = {1e-4 * (double)(i % 9), (double)(t->first + i)};
        int64_t from = i % (t->size + 1), kept = from % (t->count + 1);
        int32_t count = (int32_t)(t->count - kept);
        code = caught_up(t, t->first + i, (t->size - from) / t->stride, t->ids + from);
        if (code == 0)
            code = l4m_deferred_adam(pool, t->size, t->width, t->p, t->m, t->v, t->done, t->window, t->rates, t->size,
                                     t->rows + kept, &count, t->values, adam, 0.9, 0.999, 1e-8, t->decay);
    }
    return code;
}

static void deferred(int64_t size, int64_t width) {
    int64_t n = size * width;
    table t = {.size = size, .width = width, .window = 1 << random_int(0, 4), .stride = random_int(1, 3)};
    t.first = random_int(1, 100), t.steps = random_int(0, 40);
    t.p = random_floats(n), t.m = random_floats(n), t.v = random_floats(n), t.values = random_floats(n);
    t.rates = random_floats(2 * t.window), t.done = array(size * 4), t.ids = random_ids(size, size);
    t.rows = ascending(size, size, &t.count), t.decay = random_int(0, 1) ? 0.01 : 0;
    for (int64_t i = 0; i < n; i++) t.v[i] *= t.v[i];
    for (int64_t r = 0; r < size; r++) t.done[r] = (int32_t)t.first - 1;
    AGREES("deferred adam", (deferred_steps(&t) || caught_up(&t, t.first + t.steps, 0, NULL)), {t.p, n}, {t.m, n}, {t.v, n},
           {(float *)t.done, size}, {t.rates, 2 * t.window});
}

void check_tables(void) {
    for (int i = 0; i < 100; i++) {
        gather(random_size(), random_size());
        concat(random_size());
        row_gradient(random_size(), random_int(1, 40), random_int(1, 40));
        optimisers(random_size(), random_int(1, 40));
    }
    gather(5000, 16);
    concat(3000);
    row_gradient(3000, 3, 16);
    row_gradient(3000, 2000, 16);
    row_gradient(2000, 5000000, 16);
    optimisers(9000, 16);
    for (int i = 0; i < 20; i++) deferred(random_int(1, 60), random_int(1, 40));
    deferred(3000, 16);

    int32_t ids[3] = {0, 5, 1}, count = 2, falling[2] = {3, 3}, rows[3], distinct;
    float table[10] = {0}, out[12];
    double adam[2] = {1e-3, 1};
    REJECTS("gather id", l4m_gather(pool, 5, 2, table, 0, 3, ids, out));
    ids[1] = -1;
    int64_t field[1][4] = {{(int64_t)(intptr_t)table, 5, 2, 0}};
    REJECTS("concat id", l4m_embedding_concat(pool, 1, field, 3, ids, out, 2));
    REJECTS("gradient id", l4m_sparse_row_gradient(pool, 3, ids, 1, 5, out, 2, 2, rows, &distinct, table));
    REJECTS("rows not ascending", l4m_sparse_adam(pool, 5, 2, table, table, table, 2, falling, &count, out, adam, 0.9, 0.999, 1e-8, 0, 1));
    int32_t done[5] = {0};
    float rates[4];
    REJECTS("caught up id", l4m_adam_catch_up(pool, 5, 2, table, table, table, done, 2, rates, 3, ids, 1, adam, 0.9, 0.999, 1e-8, 0));
    REJECTS("deferred rows", l4m_deferred_adam(pool, 5, 2, table, table, table, done, 2, rates, 2, falling, &count, out, adam, 0.9, 0.999, 1e-8, 0));
    count = 3;
    REJECTS("more rows than room", l4m_sparse_to_dense(pool, 2, falling, &count, out, 5, 2, table));
}
