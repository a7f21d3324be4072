// What memory gives and takes, one pass over arrays of floats that are larger than the caches. n is a multiple of 32. Quarters of an
// array are walked at once, for one stream alone does not keep memory busy.
#include <immintrin.h>
#include <stdint.h>

// Reads x. The sum is returned so that nothing is left out.
float memory_read(int64_t n, float *x, float *y, float *z) {
    (void)y, (void)z;
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    for (int64_t i = 0; i < n / 4; i += 8) {
        for (int j = 0; j < 4; j++) sums[j] = _mm256_add_ps(sums[j], _mm256_loadu_ps(x + n / 4 * j + i));
    }
    __m256 total = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    return _mm256_cvtss_f32(total);
}

// Copies x to y, which is fetched before it is written.
float memory_copy(int64_t n, float *x, float *y, float *z) {
    (void)z;
    for (int64_t i = 0; i < n; i += 8) _mm256_storeu_ps(y + i, _mm256_loadu_ps(x + i));
    return y[0];
}

// Changes x where it lies: all that is written has been read.
float memory_update(int64_t n, float *x, float *y, float *z) {
    (void)y, (void)z;
    __m256 factor = _mm256_set1_ps(0.999f);
    for (int64_t i = 0; i < n / 4; i += 8) {
        for (int j = 0; j < 4; j++) {
            float *at = x + n / 4 * j + i;
            _mm256_storeu_ps(at, _mm256_mul_ps(factor, _mm256_loadu_ps(at)));
        }
    }
    return x[0];
}

// z = x + 1.5 y, as in STREAM.
float memory_triad(int64_t n, float *x, float *y, float *z) {
    __m256 factor = _mm256_set1_ps(1.5f);
    for (int64_t i = 0; i < n; i += 8) {
        _mm256_storeu_ps(z + i, _mm256_fmadd_ps(factor, _mm256_loadu_ps(y + i), _mm256_loadu_ps(x + i)));
    }
    return z[0];
}
