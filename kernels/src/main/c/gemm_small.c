// Few rows: every value of the big matrix is used a handful of times, so it is read in place, once.
#include "gemm.h"

#define TM 4
#if VL == 16
#define TN 4
#else
#define TN 2
#endif
// Rows of the big matrix at a time for one or two rows of x: enough chains and streams to wait for memory.
#define DOTS 4
#define AHEAD 8

// Big matrix [k, n]: columns in vectors, one broadcast per row of x and inner index.
INLINE void axpy_tile(const int m, const float *const *x, const char *big, int64_t ld, const int32_t type,
                      int64_t k, const int vectors, int64_t tail, float *out, int64_t out_ld) {
    vf acc[TM][TN];
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) acc[i][v] = vzero();
    const int64_t step = ld * (type == L4M_F32 ? 4 : 2);
    for (int64_t p = 0; p < k; p++) {
        vf b[TN];
        const char *row = big + p * step;
        __builtin_prefetch(row + AHEAD * step);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            b[v] = vload_any(l4m_at(row, v * VL, type), v == vectors - 1 ? tail : VL, type);
#pragma GCC unroll 4
        for (int i = 0; i < m; i++) {
            vf a = vset1(x[i][p]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[i][v] = vfma(a, b[v], acc[i][v]);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            if (v == vectors - 1 && tail < VL)
                vstore_n(out + i * out_ld + v * VL, acc[i][v], tail);
            else
                vstore(out + i * out_ld + v * VL, acc[i][v]);
        }
}

// Big matrix [n, k]: dot products along k of m rows of x with n rows of the matrix.
INLINE void dot_tile(const int m, const float *const *x, const char *big, int64_t ld, const int32_t type,
                     int64_t k, const int n, float *out, int64_t out_ld) {
    vf acc[TM][DOTS];
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int j = 0; j < n; j++) acc[i][j] = vzero();
    int64_t p = 0;
    for (; p + VL <= k; p += VL) {
        vf a[TM];
#pragma GCC unroll 4
        for (int i = 0; i < m; i++) a[i] = vload(x[i] + p);
#pragma GCC unroll 4
        for (int j = 0; j < n; j++) {
            vf b = vload_any(l4m_at(big, j * ld + p, type), VL, type);
#pragma GCC unroll 4
            for (int i = 0; i < m; i++) acc[i][j] = vfma(a[i], b, acc[i][j]);
        }
    }
    if (p < k) {
        for (int j = 0; j < n; j++) {
            vf b = vload_any(l4m_at(big, j * ld + p, type), k - p, type);
            for (int i = 0; i < m; i++) acc[i][j] = vfma(vload_n(x[i] + p, k - p), b, acc[i][j]);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int j = 0; j < n; j++) out[i * out_ld + j] = vsum(acc[i][j]);
}

INLINE void small_rows(const int m, const float *const *x, const char *big, int64_t ld, int32_t by_row,
                       const int32_t type, int64_t k, int64_t n, float *out, int64_t out_ld) {
    int64_t j = 0;
    if (by_row) {
        const int dots = m <= 2 ? DOTS : TN;
        for (; j + dots <= n; j += dots) dot_tile(m, x, l4m_at(big, j * ld, type), ld, type, k, dots, out + j, out_ld);
        for (; j < n; j++) dot_tile(m, x, l4m_at(big, j * ld, type), ld, type, k, 1, out + j, out_ld);
        return;
    }
    for (; j + TN * VL <= n; j += TN * VL)
        axpy_tile(m, x, l4m_at(big, j, type), ld, type, k, TN, VL, out + j, out_ld);
    for (; j + VL <= n; j += VL) axpy_tile(m, x, l4m_at(big, j, type), ld, type, k, 1, VL, out + j, out_ld);
    if (j < n) axpy_tile(m, x, l4m_at(big, j, type), ld, type, k, 1, n - j, out + j, out_ld);
}

INLINE void small_typed(const float *const *x, int64_t m, const char *big, int64_t ld, int32_t by_row,
                        const int32_t type, int64_t k, int64_t n, float *out, int64_t out_ld) {
    for (int64_t i = 0; i < m; i += TM) {
        float *to = out + i * out_ld;
        switch (l4m_min(TM, m - i)) {
            case 1:
                small_rows(1, x + i, big, ld, by_row, type, k, n, to, out_ld);
                break;
            case 2:
                small_rows(2, x + i, big, ld, by_row, type, k, n, to, out_ld);
                break;
            case 3:
                small_rows(3, x + i, big, ld, by_row, type, k, n, to, out_ld);
                break;
            default:
                small_rows(4, x + i, big, ld, by_row, type, k, n, to, out_ld);
        }
    }
}

void ISA(gemm_small)(const float *const *x, int64_t m, const void *big, int64_t ld, int32_t by_row, int32_t type,
                     int64_t k, int64_t j0, int64_t j1, float *out, int64_t out_ld) {
    // One strip of columns for all rows before the next, so that a second group of rows finds it in cache.
    const int64_t strip = by_row ? 16 : TN * VL;
    for (int64_t j = j0; j < j1; j += strip) {
        int64_t n = l4m_min(strip, j1 - j);
        const char *at = l4m_at(big, by_row ? j * ld : j, type);
        float *to = out + (j - j0);
        if (type == L4M_BF16)
            small_typed(x, m, at, ld, by_row, L4M_BF16, k, n, to, out_ld);
        else if (type == L4M_F16)
            small_typed(x, m, at, ld, by_row, L4M_F16, k, n, to, out_ld);
        else
            small_typed(x, m, at, ld, by_row, L4M_F32, k, n, to, out_ld);
    }
}
