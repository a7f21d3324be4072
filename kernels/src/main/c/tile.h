// Register tiles of the matrix products, and rows packed for them.
#ifndef L4M_TILE_H
#define L4M_TILE_H

#include "vec.h"

// Tile: MR rows by NV vectors. AVX-512 14x32 uses 28 + 2 + 1 of 32 registers, AVX2 6x16 12 + 2 + 1 of 16.
#if VL == 16
#define MR 14
#define NV 2
#elif VL == 8
#define MR 6
#define NV 2
#else
#define MR 4
#define NV 2
#endif
#define NR (NV * VL)

// Applies T to every number of rows that a tile may have.
#if MR == 14
#define EACH_TILE(T) T(1) T(2) T(3) T(4) T(5) T(6) T(7) T(8) T(9) T(10) T(11) T(12) T(13) T(14)
#elif MR == 6
#define EACH_TILE(T) T(1) T(2) T(3) T(4) T(5) T(6)
#else
#define EACH_TILE(T) T(1) T(2) T(3) T(4)
#endif

// Floats or other words of four bytes from one packed tile to the next.
INLINE int64_t panel_stride(int64_t mr, int64_t kc) { return l4m_round_up(mr * kc + VL, 16); }

// dst[p * stride + i] = row(i)[p]: vectors of several rows transposed in registers. Each store is a whole
// vector, so up to VL - 1 floats past the last row are overwritten: by the next p, or slack at the end.
INLINE void pack_transposed(const void *base, int64_t ld, const int32_t *index, int64_t first, int64_t count,
                            int64_t p0, int64_t kc, const int32_t type, float *dst, int64_t stride) {
    const void *row[VL];
    for (int64_t i = 0; i < VL; i++) {
        int64_t r = first + l4m_min(i, count - 1);
        row[i] = l4m_at(base, (index ? index[r] : r) * ld + p0, type);
    }
    for (int64_t p = 0; p < kc; p += VL) {
        vf r[VL];
        int64_t n = l4m_min(VL, kc - p);
        if (n == VL) {
#pragma GCC unroll 16
            for (int i = 0; i < VL; i++) r[i] = vload_any(l4m_at(row[i], p, type), VL, type);
        } else {
            for (int i = 0; i < VL; i++) r[i] = vload_any(l4m_at(row[i], p, type), n, type);
        }
        vtranspose(r);
        if (n == VL) {
#pragma GCC unroll 16
            for (int q = 0; q < VL; q++) vstore(dst + (p + q) * stride, r[q]);
        } else {
            for (int64_t q = 0; q < n; q++) vstore(dst + (p + q) * stride, r[q]);
        }
    }
}

#endif
