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

    int32_t ids[3] = {0, 5, 1}, count = 2, falling[2] = {3, 3}, rows[3], distinct;
    float table[10] = {0}, out[12];
    double adam[2] = {1e-3, 1};
    REJECTS("gather id", l4m_gather(pool, 5, 2, table, 0, 3, ids, out));
    ids[1] = -1;
    int64_t field[1][4] = {{(int64_t)(intptr_t)table, 5, 2, 0}};
    REJECTS("concat id", l4m_embedding_concat(pool, 1, field, 3, ids, out, 2));
    REJECTS("gradient id", l4m_sparse_row_gradient(pool, 3, ids, 1, 5, out, 2, 2, rows, &distinct, table));
    REJECTS("rows not ascending", l4m_sparse_adam(pool, 5, 2, table, table, table, 2, falling, &count, out, adam, 0.9, 0.999, 1e-8, 0, 1));
    count = 3;
    REJECTS("more rows than room", l4m_sparse_to_dense(pool, 2, falling, &count, out, 5, 2, table));
}
