// The tile of the mma.sync kernels: 128 rows of A times 128 rows of W, 64 of the inner extent at a time, by 8 warps.
// Warp (wm, wn), wm < 2, wn < 4, makes rows 64 wm ... 64 wm + 63 and of each half of the columns its 16 wn ... 16 wn +
// 15: so a gate in the first half and its up in the second meet in one thread.
#ifndef TILE_CUH
#define TILE_CUH

#include "epilogue.cuh"

#define TILE_ROWS 128
#define TILE_INNER 64
#define TILE_THREADS 256
#define TILE_BYTES (TILE_ROWS * TILE_INNER * 2)

// Loads rows [128, 64] from inner position `at` on; row_of(r) is the start of row r or null for zeros. Behind inner
// extent `inner` there are zeros. `whole`: rows start at multiples of 16 bytes, so that cp.async may be used;
// it gets `valid`, any address, where it reads nothing.
template <typename RowOf>
DEVICE void load_tile(u32 tile, unsigned char *memory, RowOf row_of, int at, int inner, bool whole, const void *valid) {
#pragma unroll
    for (int i = 0; i < TILE_ROWS * 8 / TILE_THREADS; i++) {
        int e = (int)threadIdx.x + i * TILE_THREADS, row = e / 8, chunk = e % 8, k = at + chunk * 8;
        const bf16 *from = row_of(row);
        int count = from == nullptr ? 0 : inner - k < 0 ? 0 : inner - k > 8 ? 8 : inner - k;
        u32 place = chunk_at(row, chunk);
        if (whole) {
            copy_async(tile + place, count > 0 ? from + k : valid, count * 2);
        } else {
            u32 pairs[4];
#pragma unroll
            for (int p = 0; p < 4; p++) {
                u32 low = 2 * p < count ? from[k + 2 * p] : 0, high = 2 * p + 1 < count ? from[k + 2 * p + 1] : 0;
                pairs[p] = low | high << 16;
            }
            *(uint4 *)(memory + place) = uint4{pairs[0], pairs[1], pairs[2], pairs[3]};
        }
    }
}

// sums[i][j]: fragments of rows 64 wm + 16 i, columns column_of(j).
DEVICE void multiply_tile(float (&sums)[4][4][4], u32 a, u32 w, int wm, int wn) {
    int lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < TILE_INNER / 16; k++) {
        u32 left[4][4];
#pragma unroll
        for (int i = 0; i < 4; i++) ldmatrix4(left[i], a + chunk_at(wm * 64 + i * 16 + lane % 16, k * 2 + lane / 16));
#pragma unroll
        for (int half = 0; half < 2; half++) {
            u32 right[4];
            ldmatrix4(right, w + chunk_at(half * 64 + wn * 16 + lane % 8 + lane / 16 * 8, k * 2 + lane / 8 % 2));
#pragma unroll
            for (int i = 0; i < 4; i++) {
                mma_bf16(sums[i][half * 2], left[i], right[0], right[1]);
                mma_bf16(sums[i][half * 2 + 1], left[i], right[2], right[3]);
            }
        }
    }
}

// The tile's results; row_of(r) is the row of c that row r of the tile goes to, or -1. Gates stand in the first half of
// the columns: 64 results to a row.
template <typename RowOf>
DEVICE void store_tile(const Epilogue &e, const float (&sums)[4][4][4], RowOf row_of, int column, bool gated, int wm,
                       int wn) {
    int lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int below = 0; below < 2; below++) {
            int row = row_of(wm * 64 + i * 16 + below * 8 + lane / 4);
            if (row < 0) continue;
#pragma unroll
            for (int j = 0; j < 2; j++) {
                int n = column + wn * 16 + j * 8 + lane % 4 * 2;
                const float *first = &sums[i][j][below * 2], *second = &sums[i][2 + j][below * 2];
                if (gated) {
                    put2_gated(e, row, n, first[0], first[1], second[0], second[1]);
                } else {
                    put2(e, row, n, first[0], first[1]);
                    put2(e, row, n + 64, second[0], second[1]);
                }
            }
        }
}

#endif
