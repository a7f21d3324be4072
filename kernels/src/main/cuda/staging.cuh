// Results through shared memory: from rung 4 on.
#ifndef STAGING_CUH
#define STAGING_CUH

#include "hopper.cuh"

// A warpgroup's sums [64, 2 n] to c by way of two boxes of shared memory at `stage`, 128 columns at a time; with gates
// the second half of the columns are the ups and n columns are stored. The warpgroup's thread 0 gives the orders;
// `barrier` is the warpgroup's own.
template <int n>
DEVICE void store_boxes(const Epilogue &e, const float (&sums)[n], const TensorMap *c, u32 stage, int row, int column,
                        bool gated, int barrier) {
    unsigned char *boxes = shared_memory() + (stage - shared_address(shared_memory()));
    int lane = (int)threadIdx.x % 32, first = (int)threadIdx.x / 32 % 4 * 16 + lane / 4;
#pragma unroll
    for (int part = 0; part < n / 64; part++) {
        // Gated results fill half of the parts.
        int results = gated ? n : 2 * n;
        if (part * 128 >= results) break;
        // The boxes' former contents have been read.
        if (threadIdx.x % 128 == 0) tma_store_wait_read();
        barrier_sync(barrier, 128);
#pragma unroll
        for (int j = 0; j < 16; j++) {
            // Eight columns of the part, in box j / 8, chunk j % 8.
            int at = part * 128 + j * 8, from = at / 2;
            if (at >= results) break;
#pragma unroll
            for (int below = 0; below < 2; below++) {
                int r = first + 8 * below, to_row = row + r, to = column + at + lane % 4 * 2;
                float low, high;
                if (gated) {
                    // Indices stay known when compiling; past the gates there is nothing to read.
                    int gate = at < n ? from : 0, up = at < n ? from + n / 2 : 0;
                    low = activate_fast(e.activation, sums[gate + below * 2]) * sums[up + below * 2];
                    high = activate_fast(e.activation, sums[gate + below * 2 + 1]) * sums[up + below * 2 + 1];
                } else {
                    low = sums[from + below * 2];
                    high = sums[from + below * 2 + 1];
                    if (to_row < e.m && to < e.n) finish2(e, to_row, to, low, high);
                }
                *(u32 *)(boxes + j / 8 * BOX_BYTES + chunk_at(r, j % 8) + lane % 4 * 4) = pack_bf16(low, high);
            }
        }
        fence_async_proxy();
        barrier_sync(barrier, 128);
        if (threadIdx.x % 128 == 0) {
            for (int box = 0; box < 2; box++) {
                int to = part * 128 + box * BOX;
                if (to < results && column + to < e.n && row < e.m)
                    tma_store(c, stage + box * BOX_BYTES, column + to, row);
            }
            tma_store_commit();
        }
    }
}

#endif
