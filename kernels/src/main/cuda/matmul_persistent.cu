// Rung 3: as rung 2, by as many blocks as the device has multiprocessors, each going through tiles until none is left.
// What it adds: the ring runs on over tiles, so that the first steps of the next tile are loaded while the results of
// this one are stored, and barriers are made once. Tiles are taken in groups of eight rows of tiles (place_of_tile):
// the blocks at work share rows of A and W in the L2 cache.
//
// Target sm_90a. Launch: min(multiprocessors, tiles) blocks of 384 threads, tiles as rung 2's blocks, 131,136 bytes of
// shared memory. Arguments as in rung 2.
//
// ptxas 13.0, sm_90a: matmul_persistent 168 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "hopper.cuh"

#define SLOTS 4

extern "C" __global__ void __launch_bounds__(BLOCK_THREADS, 1)
    matmul_persistent(const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap w_map,
                      const __grid_constant__ TensorMap up_map, int m, int n, int k, int gated, const float *bias,
                      const void *residual, i64 ldr, int activation, int type, void *c, i64 ldc) {
    u32 tiles = shared_address(shared_memory()), full = tiles + SLOTS * 4 * BOX_BYTES, empty = full + 8 * SLOTS;
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
    Epilogue epilogue = {m, n, activation, type, bias, residual, ldr, c, ldc};
    auto done = [&](int slot) {
        if (threadIdx.x % 32 == 0) mbarrier_arrive(empty + 8 * slot);
    };
    for (int tile = (int)blockIdx.x; tile < count; tile += (int)gridDim.x) {
        float sums[64] = {};
        sum_steps<SLOTS>(sums, ring, tiles, full, steps, half, done);
        Place place = place_of_tile(tile, down, across);
        store_sums(epilogue, sums, place.row * BLOCK_ROWS + half * BOX, place.column * width, gated);
    }
}
