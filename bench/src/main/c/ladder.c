// The linear layer c = relu(a w^T + bias) written five times, each step with one idea more. a is [m, k], w is [n, k] as
// checkpoints store it, bias [n], c [m, n], all F32 and dense. For benchmarks and for readers: the library that ships has
// src/main/c/gemm.c of the module kernels. One source for AVX2, since the steps are stated for it.
#include <immintrin.h>
#include <stdint.h>

#define MIN(x, y) ((x) < (y) ? (x) : (y))

// A block of w: 64 rows x 256 columns are 64 KiB, which stay in L2.
#define BLOCK_N 64
#define BLOCK_K 256
// A register tile: 6 rows x 2 vectors of 8 take 12 of the 16 registers, two more hold w and one a.
#define TILE_M 6
#define TILE_N 16

static void bias_relu(int64_t m, int64_t n, const float *bias, float *c) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            float y = c[i * n + j] + bias[j];
            c[i * n + j] = y > 0 ? y : 0;
        }
    }
}

// 1. The formula. Every multiply-add waits for the one before it, and w comes anew from memory for every row of a.
void ladder_naive(int64_t m, int64_t n, int64_t k, const float *a, const float *w, const float *bias, float *c, float *work) {
    (void)work;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            float sum = 0;
            for (int64_t l = 0; l < k; l++) sum += a[i * k + l] * w[j * k + l];
            c[i * n + j] = sum;
        }
    }
    bias_relu(m, n, bias, c);
}

// 2. Blocked: all rows of a pass a block of w while it lies in L2.
void ladder_blocked(int64_t m, int64_t n, int64_t k, const float *a, const float *w, const float *bias, float *c, float *work) {
    (void)work;
    for (int64_t i = 0; i < m * n; i++) c[i] = 0;
    for (int64_t l0 = 0; l0 < k; l0 += BLOCK_K) {
        int64_t l1 = MIN(l0 + BLOCK_K, k);
        for (int64_t j0 = 0; j0 < n; j0 += BLOCK_N) {
            int64_t j1 = MIN(j0 + BLOCK_N, n);
            for (int64_t i = 0; i < m; i++) {
                for (int64_t j = j0; j < j1; j++) {
                    float sum = c[i * n + j];
                    for (int64_t l = l0; l < l1; l++) sum += a[i * k + l] * w[j * k + l];
                    c[i * n + j] = sum;
                }
            }
        }
    }
    bias_relu(m, n, bias, c);
}

// Panels of 16 columns, [k][16], the last one filled up with zeros. work holds n rounded up to 16, times k. In pieces of 4 KiB,
// which stay in L1 while 16 rows of w are written into every sixteenth place.
static void pack(int64_t n, int64_t k, const float *w, float *work) {
    for (int64_t j0 = 0; j0 < n; j0 += TILE_N) {
        float *panel = work + j0 * k;
        for (int64_t l0 = 0; l0 < k; l0 += 64) {
            int64_t l1 = MIN(l0 + 64, k);
            for (int64_t j = 0; j < TILE_N; j++) {
                const float *row = w + (j0 + j) * k;
                if (j0 + j < n) {
                    for (int64_t l = l0; l < l1; l++) panel[l * TILE_N + j] = row[l];
                } else {
                    for (int64_t l = l0; l < l1; l++) panel[l * TILE_N + j] = 0;
                }
            }
        }
    }
}

static void store(int64_t from, int64_t n, __m256 low, __m256 high, float *row) {
    float last[TILE_N];
    _mm256_storeu_ps(last, low);
    _mm256_storeu_ps(last + 8, high);
    for (int64_t j = from; j < MIN(from + TILE_N, n); j++) row[j] = last[j - from];
}

// 3. Packed: 16 outputs of a row lie side by side, so that two vectors of sums grow at once.
void ladder_packed(int64_t m, int64_t n, int64_t k, const float *a, const float *w, const float *bias, float *c, float *work) {
    pack(n, k, w, work);
    for (int64_t j0 = 0; j0 < n; j0 += TILE_N) {
        const float *panel = work + j0 * k;
        for (int64_t i = 0; i < m; i++) {
            __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
            for (int64_t l = 0; l < k; l++) {
                __m256 x = _mm256_set1_ps(a[i * k + l]);
                low = _mm256_fmadd_ps(x, _mm256_loadu_ps(panel + l * TILE_N), low);
                high = _mm256_fmadd_ps(x, _mm256_loadu_ps(panel + l * TILE_N + 8), high);
            }
            store(j0, n, low, high, c + i * n);
        }
    }
    bias_relu(m, n, bias, c);
}

// rows is a constant wherever this is inlined and every loop over it is unrolled: otherwise the compiler keeps the sums in memory
// and stores them in each step.
static inline __attribute__((always_inline)) void tile(int rows, int64_t k, const float *a, const float *panel, __m256 sums[TILE_M][2]) {
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = _mm256_setzero_ps();
    for (int64_t l = 0; l < k; l++) {
        __m256 low = _mm256_loadu_ps(panel + l * TILE_N), high = _mm256_loadu_ps(panel + l * TILE_N + 8);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m256 x = _mm256_broadcast_ss(a + r * k + l);
            sums[r][0] = _mm256_fmadd_ps(x, low, sums[r][0]);
            sums[r][1] = _mm256_fmadd_ps(x, high, sums[r][1]);
        }
    }
}

static inline __attribute__((always_inline)) void outputs(int rows, int64_t i, int64_t j0, int64_t n, int64_t k, const float *a,
                                                          const float *panel, const float *fused_bias, float *c) {
    __m256 sums[TILE_M][2];
    tile(rows, k, a + i * k, panel, sums);
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    if (fused_bias) {
        float filled[TILE_N] = {0};
        for (int64_t j = j0; j < MIN(j0 + TILE_N, n); j++) filled[j - j0] = fused_bias[j];
        low = _mm256_loadu_ps(filled);
        high = _mm256_loadu_ps(filled + 8);
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        if (fused_bias) {
            sums[r][0] = _mm256_max_ps(_mm256_add_ps(sums[r][0], low), _mm256_setzero_ps());
            sums[r][1] = _mm256_max_ps(_mm256_add_ps(sums[r][1], high), _mm256_setzero_ps());
        }
        if (j0 + TILE_N <= n) {
            _mm256_storeu_ps(c + (i + r) * n + j0, sums[r][0]);
            _mm256_storeu_ps(c + (i + r) * n + j0 + 8, sums[r][1]);
        } else {
            store(j0, n, sums[r][0], sums[r][1], c + (i + r) * n);
        }
    }
}

// A panel serves all rows before the next one: it stays in L2, and a comes from there too.
static void tiled(int64_t m, int64_t n, int64_t k, const float *a, const float *work, const float *fused_bias, float *c) {
    for (int64_t j0 = 0; j0 < n; j0 += TILE_N) {
        int64_t i = 0;
        for (; i + TILE_M <= m; i += TILE_M) outputs(TILE_M, i, j0, n, k, a, work + j0 * k, fused_bias, c);
        for (; i < m; i++) outputs(1, i, j0, n, k, a, work + j0 * k, fused_bias, c);
    }
}

// 4. Register-tiled: 6 x 16 sums stay in registers, so that 12 multiply-adds are under way and each vector of w is used six times.
void ladder_tiled(int64_t m, int64_t n, int64_t k, const float *a, const float *w, const float *bias, float *c, float *work) {
    pack(n, k, w, work);
    tiled(m, n, k, a, work, 0, c);
    bias_relu(m, n, bias, c);
}

// 5. Fused: bias and activation while the sums are in registers, which spares c a second way through memory.
void ladder_fused(int64_t m, int64_t n, int64_t k, const float *a, const float *w, const float *bias, float *c, float *work) {
    pack(n, k, w, work);
    tiled(m, n, k, a, work, bias, c);
}
