#include "check.h"

l4m_pool *pool;
static uint64_t state = 0x9e3779b97f4a7c15u;
static long checks;

uint64_t random_bits(void) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t random_int(int64_t low, int64_t high) { return low + (int64_t)(random_bits() % (uint64_t)(high - low + 1)); }

float *random_floats(int64_t n) {
    float *p = malloc((size_t)n * sizeof(float) + (n == 0));
    for (int64_t i = 0; i < n; i++) p[i] = (float)((double)(random_bits() >> 11) * 0x1p-52 - 1.0);
    return p;
}

uint16_t *random_halves(int64_t n, int32_t type) {
    uint16_t *p = malloc((size_t)n * sizeof(uint16_t) + (n == 0));
    for (int64_t i = 0; i < n; i++) {
        uint16_t bits = (uint16_t)random_bits();
        // Exponents near that of 1, any sign and mantissa.
        p[i] = type == L4M_BF16 ? (uint16_t)((bits & 0x80ff) | 0x3f00) : (uint16_t)((bits & 0x87ff) | 0x3800);
    }
    return p;
}

int32_t *random_ids(int64_t n, int64_t limit) {
    int32_t *p = malloc((size_t)n * sizeof(int32_t) + (n == 0));
    for (int64_t i = 0; i < n; i++) p[i] = (int32_t)random_int(0, limit - 1);
    return p;
}

void *copy_of(const void *p, int64_t bytes) {
    void *q = malloc((size_t)bytes + (bytes == 0));
    memcpy(q, p, (size_t)bytes);
    return q;
}

void require(int condition, const char *what) {
    checks++;
    if (condition) return;
    fprintf(stderr, "FAILED: %s\n", what);
    exit(1);
}

void require_close(const char *what, const float *expected, const float *actual, int64_t n) {
    double error = 0, scale = 0;
    checks++;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(expected[i]) && isnan(actual[i])) continue;
        if (expected[i] == actual[i]) {
            if (isfinite(expected[i])) scale += (double)expected[i] * expected[i];
            continue;
        }
        double d = (double)expected[i] - actual[i];
        error += d * d;
        scale += (double)expected[i] * expected[i];
    }
    if (error <= 1e-10 * scale + 1e-30) return;
    fprintf(stderr, "FAILED: %s: normalised mean squared error %g over %ld values\n", what, error / scale, (long)n);
    for (int64_t i = 0, shown = 0; i < n && shown < 8; i++)
        if (fabs((double)expected[i] - actual[i]) > 1e-4 * fabs((double)expected[i]) + 1e-5 && ++shown)
            fprintf(stderr, "  [%ld] expected %g, got %g\n", (long)i, expected[i], actual[i]);
    exit(1);
}

int main(int argc, char **argv) {
    int32_t threads = argc > 1 ? atoi(argv[1]) : 3;
    require(l4m_pool_create(threads, &pool) == 0, "pool");
    check_matmul();
    require(l4m_pool_destroy(pool) == 0, "destroy");
    printf("%ld checks passed\n", checks);
    return 0;
}
