// Products of rows with their group's matrix: y[order[i]] = act(x[order[i]] W[g] + bias[g]) for offsets[g] <= i <
// offsets[g + 1], on tensor cores. Rung 1's tile and pipeline; what it adds: rows are gathered through `order` while
// they are loaded, tiles never cross groups, and W may lie as [K, N] too, whose fragments ldmatrix transposes.
//
// Launch: (rows / 128 + groups) * ceil(N / 128) blocks of 256 threads, 98,304 bytes of shared memory; blocks without
// rows end at once. x [rows, K] in rows of ldx elements, w [groups, N, K] (trans_w) or [groups, K, N] BF16; bias
// [groups, N] F32 or null; y [rows, N] F32 (type 0) or BF16 (1). Any extents. order must have been checked: after a
// fault nothing is done.
//
// ptxas 13.0, sm_80: grouped_matmul 203 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: grouped_matmul 209 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "tile.cuh"

#define STAGES 3
// Element (k, chunk c) of W's tile [64, 128] as it lies in [K, N].
DEVICE u32 place_across(int k, int chunk) { return (u32)(k * 256 + ((chunk ^ (k & 7)) << 4)); }

DEVICE void load_across(u32 tile, unsigned char *memory, const bf16 *w, int n, int k, int column, int at, bool whole) {
#pragma unroll
    for (int i = 0; i < TILE_ROWS * 8 / TILE_THREADS; i++) {
        int e = (int)threadIdx.x + i * TILE_THREADS, row = at + e / 16, chunk = e % 16, c = column + chunk * 8;
        int count = row >= k || c >= n ? 0 : n - c > 8 ? 8 : n - c;
        const bf16 *from = w + (i64)row * n + c;
        u32 place = place_across(e / 16, chunk);
        if (whole) {
            copy_async(tile + place, count > 0 ? from : w, count * 2);
        } else {
            u32 pairs[4];
#pragma unroll
            for (int p = 0; p < 4; p++) {
                u32 low = 2 * p < count ? from[2 * p] : 0, high = 2 * p + 1 < count ? from[2 * p + 1] : 0;
                pairs[p] = low | high << 16;
            }
            *(uint4 *)(memory + place) = uint4{pairs[0], pairs[1], pairs[2], pairs[3]};
        }
    }
}

DEVICE void multiply_across(float (&sums)[4][4][4], u32 a, u32 w, int wm, int wn) {
    int lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < TILE_INNER / 16; k++) {
        u32 left[4][4];
#pragma unroll
        for (int i = 0; i < 4; i++) ldmatrix4(left[i], a + chunk_at(wm * 64 + i * 16 + lane % 16, k * 2 + lane / 16));
#pragma unroll
        for (int half = 0; half < 2; half++) {
            u32 right[4];
            ldmatrix4_transposed(right, w + place_across(k * 16 + lane % 16, half * 8 + wn * 2 + lane / 16));
#pragma unroll
            for (int i = 0; i < 4; i++) {
                mma_bf16(sums[i][half * 2], left[i], right[0], right[1]);
                mma_bf16(sums[i][half * 2 + 1], left[i], right[2], right[3]);
            }
        }
    }
}

// Tiles from offsets[g] / 128 + g on belong to group g (see attention_mma.cu).
DEVICE int group_of(const int *offsets, int groups, int tile) {
    int low = 0, high = groups;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (offsets[middle] / TILE_ROWS + middle <= tile) low = middle;
        else high = middle;
    }
    return low;
}

extern "C" __global__ void __launch_bounds__(TILE_THREADS)
    grouped_matmul(int groups, int n, int k, const bf16 *x, i64 ldx, const bf16 *w, int trans_w, const int *order,
                   const int *offsets, const float *bias, int activation, int type, void *y, const int *fault) {
    unsigned char *memory = shared_memory();
    u32 base = shared_address(memory);
    if (fault[0] != 0) return;
    int across = (n + TILE_ROWS - 1) / TILE_ROWS, tile = (int)blockIdx.x / across;
    int column = (int)blockIdx.x % across * TILE_ROWS, group = group_of(offsets, groups, tile);
    int begin = offsets[group], end = offsets[group + 1];
    int first = begin + (tile - begin / TILE_ROWS - group) * TILE_ROWS;
    if (first >= end) return;
    w += (i64)group * n * k;
    bool whole_x = ((u64)x | (u64)ldx * 2) % 16 == 0, whole_w = ((u64)w | (u64)(trans_w ? k : n) * 2) % 16 == 0;
    int warp = (int)threadIdx.x / 32, wm = warp / 4, wn = warp % 4, steps = (k + TILE_INNER - 1) / TILE_INNER;

    auto x_row = [&](int r) { return first + r < end ? x + order[first + r] * ldx : nullptr; };
    auto w_row = [&](int r) { return column + r < n ? w + (i64)(column + r) * k : nullptr; };
    auto load = [&](int step) {
        int slot = step % STAGES * 2 * TILE_BYTES, other = slot + TILE_BYTES, at = step * TILE_INNER;
        load_tile(base + slot, memory + slot, x_row, at, k, whole_x, x);
        if (trans_w) load_tile(base + other, memory + other, w_row, at, k, whole_w, w);
        else load_across(base + other, memory + other, w, n, k, column, at, whole_w);
    };

    float sums[4][4][4] = {};
    for (int step = 0; step < STAGES - 1; step++) {
        if (step < steps) load(step);
        copy_async_commit();
    }
    for (int step = 0; step < steps; step++) {
        copy_async_wait<STAGES - 2>();
        __syncthreads();
        if (step + STAGES - 1 < steps) load(step + STAGES - 1);
        copy_async_commit();
        u32 slot = base + (u32)(step % STAGES * 2 * TILE_BYTES);
        if (trans_w) multiply_tile(sums, slot, slot + TILE_BYTES, wm, wn);
        else multiply_across(sums, slot, slot + TILE_BYTES, wm, wn);
    }
    copy_async_wait<0>();
    Epilogue epilogue = {0x7fffffff, n, activation, type, bias != nullptr ? bias + (i64)group * n : nullptr,
                         nullptr,    0, y,          n};
    store_tile(epilogue, sums, [&](int r) { return first + r < end ? order[first + r] : -1; }, column, false, wm, wn);
}
