// Rung 4: as rung 3, results by way of shared memory. What it adds: a warpgroup writes its 64 rows as BF16 into two
// boxes in the swizzle that the copy engine reads, and one thread has them stored; memory is written in whole lines of
// 128 bytes instead of the 16 that four lanes of a fragment have side by side, edges are cut off by the engine, and the
// store runs while the next tile is multiplied. In the swizzle the fragments' 4-byte writes meet no bank twice, so
// stmatrix is not needed.
//
// Target sm_90a. Launch: min(multiprocessors, tiles) blocks of 384 threads, 163,904 bytes of shared memory. As rung 3,
// but c is BF16 only and given by a tensor map too, as in hopper.cuh; residual BF16.
//
// ptxas 13.0, sm_90a: matmul_tma_store 168 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "staging.cuh"

#define SLOTS 4

extern "C" __global__ void __launch_bounds__(BLOCK_THREADS, 1)
    matmul_tma_store(const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap w_map,
                     const __grid_constant__ TensorMap up_map, const __grid_constant__ TensorMap c_map, int m, int n,
                     int k, int gated, const float *bias, const bf16 *residual, i64 ldr, int activation) {
    u32 tiles = shared_address(shared_memory()), stage = tiles + SLOTS * 4 * BOX_BYTES, full = stage + 4 * BOX_BYTES,
        empty = full + 8 * SLOTS;
    int width = gated ? 64 : 128, across = (n + width - 1) / width, down = (m + BLOCK_ROWS - 1) / BLOCK_ROWS;
    int count = down * across, steps = (k + BOX - 1) / BOX, warpgroup = (int)threadIdx.x / 128;
    if (threadIdx.x == 0) make_barriers<SLOTS>(full, empty, READERS);
    __syncthreads();

    Ring ring = {0, 0};
    if (warpgroup == 0) {
        registers_down<40>();
        if (threadIdx.x != 0) return;
        for (int tile = (int)blockIdx.x; tile < count; tile += (int)gridDim.x) {
            Place place = place_of_tile(tile, down, across);
            int row = place.row * BLOCK_ROWS, column = place.column * width;
            for (int step = 0; step < steps; step++, advance<SLOTS>(ring))
                fill_slot(ring, tiles, full, empty, a_map, w_map, up_map, step * BOX, row, column, gated);
        }
        return;
    }
    registers_up<232>();
    int half = warpgroup - 1;
    Epilogue epilogue = {m, n, activation, RESULT_BF16, bias, residual, ldr, nullptr, 0};
    auto done = [&](int slot) {
        if (threadIdx.x % 32 == 0) mbarrier_arrive(empty + 8 * slot);
    };
    for (int tile = (int)blockIdx.x; tile < count; tile += (int)gridDim.x) {
        float sums[64] = {};
        sum_steps<SLOTS>(sums, ring, tiles, full, steps, half, done);
        Place place = place_of_tile(tile, down, across);
        store_boxes<64>(epilogue, sums, &c_map, stage + half * 2 * BOX_BYTES, place.row * BLOCK_ROWS + half * BOX,
                        place.column * width, gated, 1 + half);
    }
    // The engine must have read the boxes before the block's shared memory goes to the next one.
    if (threadIdx.x % 128 == 0) tma_store_wait_read();
}
