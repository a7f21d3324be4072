#include "check.h"

static void unary(int64_t n) {
    int32_t kind = random_int(0, 6);
    float *x = random_floats(n), *dy = random_floats(n), *y = random_floats(n), *dx = random_floats(n), *z = random_floats(n);
    for (int64_t i = 0; i < n; i++) x[i] *= i % 3 ? 3 : 95;
    AGREES("unary", (l4m_unary(pool, kind, n, x, y) || l4m_unary_gradient(pool, kind, n, kind == L4M_ACT_SILU || kind >= L4M_ACT_GELU ? x : y, dy, dx) || l4m_scale(pool, n, 1.5f, -0.25f, x, z)),
           {y, n}, {dx, n}, {z, n});
    float *up = random_floats(n), *dup = random_floats(n);
    x = random_floats(n), y = random_floats(n), dx = random_floats(n), dy = random_floats(n);
    AGREES("glu", (l4m_glu(pool, kind, n, x, up, y) || l4m_glu_gradient(pool, kind, n, x, up, dy, dx, dup)), {y, n}, {dx, n}, {dup, n});
}

static void broadcast(int64_t limit) {
    int64_t a[4], b[4], na = 1, nb = 1, n = 1;
    for (int i = 0; i < 4; i++) {
        int64_t d = random_int(0, 9) == 0 ? random_int(0, 1) : random_int(1, limit);
        a[i] = random_int(0, 2) ? d : 1;
        b[i] = random_int(0, 2) ? d : 1;
        na *= a[i], nb *= b[i], n *= a[i] == 1 ? b[i] : a[i];
    }
    float *x = random_floats(na), *z = random_floats(nb), *y = random_floats(n);
    for (int64_t i = 0; i < nb; i++) z[i] += z[i] < 0 ? -0.1f : 0.1f;
    int32_t op = random_int(0, 3);
    AGREES("binary", l4m_binary(pool, op, a, x, b, z, y), {y, n});
}

static void sum_to(int64_t limit) {
    int64_t in[4], out[4], n = 1, kept = 1;
    for (int i = 0; i < 4; i++) {
        in[i] = random_int(0, 15) == 0 ? 0 : random_int(1, limit);
        out[i] = random_int(0, 1) ? in[i] : 1;
        n *= in[i], kept *= out[i];
    }
    float *x = random_floats(n), *y = random_floats(kept);
    for (int64_t i = 0; i < n; i++) x[i] += 0.5f;
    AGREES("sum_to", l4m_sum_to(pool, in, x, out, y), {y, kept});
}

static void columns(int64_t rows, int64_t width) {
    int64_t from = random_int(0, 5), ld = from + width + random_int(0, 5);
    float *x = random_floats(rows * ld), *y = random_floats(rows * ld), *z = random_floats(rows * width);
    AGREES("columns", (l4m_pad_columns(pool, rows, width, z, from, y, ld) || l4m_copy_columns(pool, rows, width, z, width, x, ld)),
           {y, rows * ld}, {x, rows * ld});
}

static void transpose(int64_t count, int64_t rows, int64_t columns) {
    int64_t n = count * rows * columns;
    float *x = random_floats(n), *y = random_floats(n);
    AGREES("transpose", l4m_transpose(pool, count, rows, columns, x, y), {y, n});
}

void check_elements(void) {
    for (int i = 0; i < 300; i++) {
        unary(random_size());
        broadcast(7);
        sum_to(7);
        columns(random_size(), random_size());
        transpose(random_int(0, 5), random_size(), random_size());
    }
    unary(70000);
    columns(600, 130);
    for (int i = 0; i < 40; i++) {
        broadcast(40);
        sum_to(40);
    }
    const int64_t wide[4] = {1, 1, 3, 100000}, row[4] = {1, 1, 1, 100000}, one[4] = {1, 1, 1, 1};
    float *x = random_floats(300000), *r = random_floats(100000), *y = random_floats(300000), *s = random_floats(1);
    AGREES("wide", (l4m_binary(pool, 2, wide, x, row, r, y) || l4m_sum_to(pool, wide, y, one, s)), {y, 300000});
}
