#include "check.h"

l4m_pool *pool;
static uint64_t state = 0x9e3779b97f4a7c15u;
static long checks;
static void *arrays[64];
static int array_count;
static float *starts[8], *expectations[8];

uint64_t random_bits(void) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t random_int(int64_t low, int64_t high) { return low + (int64_t)(random_bits() % (uint64_t)(high - low + 1)); }

int64_t random_size(void) {
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 63, 64, 65, 97, 130};
    return sizes[random_int(0, sizeof sizes / sizeof *sizes - 1)];
}

void *array(int64_t bytes) {
    void *p = malloc((size_t)bytes + (bytes == 0));
    require(p != NULL && array_count < 64, "memory for the test");
    return arrays[array_count++] = p;
}

void free_arrays(void) {
    while (array_count > 0) free(arrays[--array_count]);
}

float *random_floats(int64_t n) {
    float *p = array(n * 4);
    for (int64_t i = 0; i < n; i++) p[i] = (float)((double)(random_bits() >> 11) * 0x1p-52 - 1.0);
    return p;
}

uint16_t *random_halves(int64_t n, int32_t type) {
    uint16_t *p = array(n * 2);
    for (int64_t i = 0; i < n; i++) {
        uint16_t bits = (uint16_t)random_bits();
        // Exponents near that of 1, any sign and mantissa.
        p[i] = type == L4M_BF16 ? (uint16_t)((bits & 0x80ff) | 0x3f00) : (uint16_t)((bits & 0x87ff) | 0x3800);
    }
    return p;
}

// Where the F16 scales of a block lie; all other bytes may hold anything.
static const int scales[L4M_TYPE_COUNT][2] = {
    [L4M_Q8_0] = {0, 0},   [L4M_Q4_0] = {0, 0}, [L4M_Q4_1] = {0, 2}, [L4M_Q5_0] = {0, 0},     [L4M_Q5_1] = {0, 2},   [L4M_Q2_K] = {80, 82},
    [L4M_Q3_K] = {108, 108}, [L4M_Q4_K] = {0, 2}, [L4M_Q5_K] = {0, 2}, [L4M_Q6_K] = {208, 208}, [L4M_IQ4_NL] = {0, 0}, [L4M_IQ4_XS] = {0, 0},
};

void *random_stored(int64_t n, int32_t type) {
    if (type == L4M_F32) return random_floats(n);
    if (type <= L4M_F16) return random_halves(n, type);
    int64_t bytes = l4m_block_bytes(type), blocks = n / l4m_block_size(type);
    uint8_t *p = array(blocks * bytes);
    for (int64_t i = 0; i < blocks * bytes; i++) p[i] = (uint8_t)random_bits();
    for (int64_t i = 0; i < blocks; i++)
        for (int j = 0; j < 2; j++) {
            uint8_t *scale = p + i * bytes + scales[type][j];
            // Two to the power of -10 to -7.
            scale[1] = (uint8_t)(scale[1] & 0x87) | 0x18;
        }
    return p;
}

int32_t *random_ids(int64_t n, int64_t limit) {
    int32_t *p = array(n * 4);
    for (int64_t i = 0; i < n; i++) p[i] = (int32_t)random_int(0, limit - 1);
    return p;
}

void random_groups(int64_t rows, int64_t groups, int32_t **order, int32_t **offsets) {
    int32_t *row = *order = array(rows * 4), *start = *offsets = array((groups + 1) * 4);
    for (int64_t i = 0; i < rows; i++) row[i] = (int32_t)i;
    for (int64_t i = rows - 1; i > 0; i--) {
        int64_t j = random_int(0, i);
        int32_t t = row[i];
        row[i] = row[j];
        row[j] = t;
    }
    start[0] = 0;
    for (int64_t g = 1; g < groups; g++) start[g] = (int32_t)random_int(start[g - 1], rows);
    start[groups] = (int32_t)rows;
}

void require(int condition, const char *what) {
    checks++;
    if (condition) return;
    fprintf(stderr, "FAILED: %s\n", what);
    exit(1);
}

void outputs_begin(output *o, int count) {
    for (int i = 0; i < count; i++) {
        starts[i] = array(o[i].count * 4);
        expectations[i] = array(o[i].count * 4);
        memcpy(starts[i], o[i].data, (size_t)o[i].count * 4);
    }
}

void outputs_expect(output *o, int count) {
    for (int i = 0; i < count; i++) memcpy(expectations[i], o[i].data, (size_t)o[i].count * 4);
}

void outputs_restore(output *o, int count) {
    for (int i = 0; i < count; i++) memcpy(o[i].data, starts[i], (size_t)o[i].count * 4);
}

void outputs_compare(const char *what, int32_t isa, output *o, int count) {
    for (int k = 0; k < count; k++) {
        const float *expected = expectations[k], *actual = o[k].data;
        double error = 0, scale = 0;
        checks++;
        for (int64_t i = 0; i < o[k].count; i++) {
            if (isnan(expected[i]) && isnan(actual[i])) continue;
            scale += (double)expected[i] * expected[i];
            double d = (double)expected[i] - actual[i];
            error += d * d;
        }
        // Inputs are about 1, so a result that cancels may be wrong by a few units of float precision.
        if (error <= 1e-10 * scale + 1e-12 * (double)o[k].count) continue;
        fprintf(stderr, "FAILED: %s, instruction set %d, output %d: normalised mean squared error %g\n", what, isa, k,
                error / scale);
        for (int64_t i = 0, shown = 0; i < o[k].count && shown < 8; i++)
            if (!(fabs((double)expected[i] - actual[i]) <= 1e-4 * fabs((double)expected[i]) + 1e-6) && ++shown)
                fprintf(stderr, "  [%ld] expected %g, got %g\n", (long)i, expected[i], actual[i]);
        exit(1);
    }
}

int main(int argc, char **argv) {
    int32_t threads = argc > 1 ? atoi(argv[1]) : 3;
    require(l4m_pool_create(threads, &pool) == 0, "pool");
    check_elements();
    check_rows();
    check_tables();
    check_matrices();
    require(l4m_pool_destroy(pool) == 0, "destroy");
    printf("%ld checks passed\n", checks);
    return 0;
}
