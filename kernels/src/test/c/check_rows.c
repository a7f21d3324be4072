#include "check.h"

static void norms(int64_t rows, int64_t width) {
    int64_t n = rows * width;
    float *x = random_floats(n), *weight = random_floats(width), *dy = random_floats(n), *y = random_floats(n);
    float *dx = random_floats(n), *dweight = random_floats(width);
    // A narrow row with a small epsilon has a gradient that is a difference of nearly equal numbers.
    double epsilon = width < 8 ? 0.1 : 1e-5;
    AGREES("rms_norm", (l4m_rms_norm(pool, rows, width, x, weight, epsilon, y) || l4m_rms_norm_gradient(pool, rows, width, x, weight, dy, epsilon, dx, dweight)),
           {y, n}, {dx, n}, {dweight, width});
    float *bias = random_floats(width), *dbias = random_floats(width);
    x = random_floats(n), weight = random_floats(width), dy = random_floats(n), y = random_floats(n);
    dx = random_floats(n), dweight = random_floats(width);
    AGREES("layer_norm", (l4m_layer_norm(pool, rows, width, x, weight, bias, 0.1, y) || l4m_layer_norm_gradient(pool, rows, width, x, weight, dy, 0.1, dx, dweight, dbias)),
           {y, n}, {dx, n}, {dweight, width}, {dbias, width});
    x = random_floats(n), y = random_floats(n);
    for (int64_t i = 0; i < n; i++) x[i] *= 20;
    AGREES("softmax", l4m_softmax(pool, rows, width, x, y), {y, n});
    dy = random_floats(n), y = random_floats(n), dx = random_floats(n);
    AGREES("softmax_gradient", l4m_softmax_gradient(pool, rows, width, y, dy, dx), {dx, n});
}

static void mixture(int64_t rows, int64_t blocks, int64_t width) {
    int64_t ld = blocks + random_int(0, 2), n = rows * blocks * width, g = rows * ld, m = rows * width;
    int32_t adds = random_int(0, 1);
    float *gate = random_floats(g), *x = random_floats(n), *y = random_floats(m);
    float *dy = random_floats(m), *dgate = random_floats(g), *dx = random_floats(n);
    AGREES("mixture", (l4m_mixture(pool, rows, blocks, width, gate, ld, x, adds, y) ||
                       l4m_mixture_gradient(pool, rows, blocks, width, gate, ld, x, dy, dgate, dx)),
           {y, m}, {dgate, g}, {dx, n});
}

static void row_products(int64_t rows, int64_t height, int64_t width) {
    int64_t n = rows * height * width, m = rows * height;
    float *a = random_floats(m), *v = random_floats(rows * width), *matrices = random_floats(n);
    float *y = random_floats(m), *z = random_floats(n);
    AGREES("row products", (l4m_mat_vec(pool, rows, height, width, matrices, v, y) ||
                            l4m_outer_product(pool, rows, height, width, a, v, z)),
           {y, m}, {z, n});
}

static void attention_pooling(int64_t rows, int64_t length, int64_t width) {
    int64_t n = rows * length * width, e = rows * length, m = rows * width;
    float *q = random_floats(m), *x = random_floats(n), *present = random_floats(e), *dy = random_floats(m);
    float *y = random_floats(m), *a = random_floats(e), *dq = random_floats(m), *dx = random_floats(n);
    for (int64_t i = 0; i < e; i++)
        if (random_int(0, 2) == 0) {
            present[i] = 0;
            for (int64_t j = 0; j < width; j++) x[i * width + j] = NAN;
        }
    AGREES("attention_pooling", (l4m_attention_pooling(pool, rows, length, width, q, x, present, y, a) ||
                                 l4m_attention_pooling_gradient(pool, rows, length, width, q, x, a, y, dy, dq, dx)),
           {y, m}, {a, e}, {dq, m}, {dx, n});
}

static void batch_norm(int64_t rows, int64_t width, int64_t groups) {
    int64_t n = rows * width, s = groups * width;
    int32_t *order, *offsets, training = random_int(0, 1);
    random_groups(rows, groups, &order, &offsets);
    float *x = random_floats(n), *dy = random_floats(n), *y = random_floats(n), *dx = random_floats(n);
    float *scale = random_floats(s), *shift = random_floats(s), *mu = random_floats(s), *variance = random_floats(s);
    float *mean = random_floats(s), *inverse = random_floats(s), *dscale = random_floats(s), *dshift = random_floats(s);
    for (int64_t i = 0; i < s; i++) variance[i] = variance[i] * variance[i] + 0.1f;
    // dx has few digits when a group has two rows: it is a difference of nearly equal numbers.
    AGREES("grouped_batch_norm",
           l4m_grouped_batch_norm(pool, rows, width, groups, x, order, offsets, scale, shift, mu, variance, 1e-3, 0.1, training, y, mean, inverse),
           {y, n}, {mean, s}, {inverse, s}, {mu, s}, {variance, s});
    random_groups(rows, groups, &order, &offsets);
    x = random_floats(n), dy = random_floats(n), dx = random_floats(n), scale = random_floats(s);
    mean = random_floats(s), inverse = random_floats(s), dscale = random_floats(s), dshift = random_floats(s);
    AGREES("grouped_batch_norm_gradient",
           l4m_grouped_batch_norm_gradient(pool, rows, width, groups, x, order, offsets, scale, mean, inverse, dy, training, dx, dscale, dshift),
           {dx, n}, {dscale, s}, {dshift, s});
}

static void rope(int64_t tokens) {
    int64_t heads = random_int(1, 5), half = random_int(1, 40), head_dim = 2 * half + random_int(0, 9), n = tokens * heads * head_dim;
    int32_t interleaved = random_int(0, 1), inverse = random_int(0, 1), *positions = random_ids(tokens, 40000);
    float *x = random_floats(n), *y = random_floats(n), *frequency = random_floats(half);
    AGREES("rope", l4m_rope(pool, tokens, heads, head_dim, 2 * half, interleaved, inverse, 1.25, x, positions, frequency, y), {y, n});
}

static void loss(int64_t n) {
    float *y = random_floats(n), *label = random_floats(n), *weight = random_int(0, 1) ? random_floats(n) : NULL;
    float *d = random_floats(n), *out = random_floats(1), *dloss = random_floats(1);
    for (int64_t i = 0; i < n; i++) y[i] *= 30, label[i] = label[i] > 0;
    AGREES("bce_with_logits", (l4m_bce_with_logits(pool, n, y, label, weight, out) || l4m_bce_with_logits_gradient(pool, n, y, label, weight, dloss, d)),
           {out, 1}, {d, n});
}

void check_rows(void) {
    for (int i = 0; i < 100; i++) {
        norms(random_size(), random_size());
        mixture(random_size(), random_int(1, 9), random_size());
        row_products(random_size(), random_size(), random_int(1, 70));
        attention_pooling(random_size(), random_int(1, 40), random_int(1, 70));
        batch_norm(random_size(), random_size(), random_int(1, 9));
        rope(random_size());
        loss(random_size());
    }
    norms(700, 300);
    batch_norm(2500, 70, 3);
    rope(300);
    loss(5000);
}
