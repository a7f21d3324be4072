// Products by clusters of two blocks, with tiles of 128 x `columns` one above the other: rungs 5 and 6. BF16 results are
// stored through c's tensor map, F32 results straight from registers to epilogue.c.
#ifndef CLUSTER_CUH
#define CLUSTER_CUH

#include "staging.cuh"

#define SLOTS 4

// Both blocks need the same columns of W: each asks for half of them, `columns` / 128 boxes a step, and the copy engine
// writes these into both.
template <int columns>
DEVICE void multiply_in_clusters(const TensorMap &a, const TensorMap &w, const TensorMap &up, const TensorMap &c,
                                 const Epilogue &epilogue, int k, bool gated) {
    constexpr int shared = columns / 128, slot_bytes = (2 + 2 * shared) * BOX_BYTES;
    u32 tiles = shared_address(shared_memory()), stage = tiles + SLOTS * slot_bytes, full = stage + 4 * BOX_BYTES,
        empty = full + 8 * SLOTS;
    int width = gated ? columns / 2 : columns, across = (epilogue.n + width - 1) / width;
    int down = (epilogue.m + 2 * BLOCK_ROWS - 1) / (2 * BLOCK_ROWS), count = down * across, steps = (k + BOX - 1) / BOX;
    int warpgroup = (int)threadIdx.x / 128, rank = (int)cluster_rank();
    int begin = (int)blockIdx.x / 2, stride = (int)gridDim.x / 2;
    if (threadIdx.x == 0) make_barriers<SLOTS>(full, empty, 2 * READERS);
    cluster_sync();

    Ring ring = {0, 0};
    if (warpgroup == 0) {
        registers_down<40>();
        for (int tile = begin; tile < count && threadIdx.x == 0; tile += stride) {
            Place place = place_of_tile(tile, down, across);
            int row = (2 * place.row + rank) * BLOCK_ROWS, column = place.column * width;
            const TensorMap *half_map = gated && rank == 1 ? &up : &w;
            int half_row = gated ? column : column + rank * columns / 2;
            for (int step = 0; step < steps; step++, advance<SLOTS>(ring)) {
                mbarrier_wait(empty + 8 * ring.slot, ring.parity ^ 1);
                u32 arrived = full + 8 * ring.slot, slot = tiles + ring.slot * slot_bytes;
                // Both halves of W are counted here, whoever asks for them.
                mbarrier_arrive_expect(arrived, slot_bytes);
                for (int box = 0; box < 2; box++)
                    tma_load(slot + box * BOX_BYTES, &a, arrived, step * BOX, row + box * BOX);
                for (int box = 0; box < shared; box++)
                    tma_load_multicast(slot + (2 + shared * rank + box) * BOX_BYTES, half_map, arrived, step * BOX,
                                       half_row + box * BOX, 3);
            }
        }
    } else {
        registers_up<232>();
        int half = warpgroup - 1;
        auto done = [&](int slot) {
            // Lane r tells block r.
            if (threadIdx.x % 32 < 2) mbarrier_arrive_at(empty + 8 * slot, threadIdx.x % 32);
        };
        for (int tile = begin; tile < count; tile += stride) {
            float sums[columns / 2] = {};
            sum_steps<SLOTS>(sums, ring, tiles, full, steps, half, done);
            Place place = place_of_tile(tile, down, across);
            int row = (2 * place.row + rank) * BLOCK_ROWS + half * BOX, column = place.column * width;
            // Four lanes' F32 results are a whole sector of 32 bytes: they gain little by the way through shared memory.
            if (epilogue.type == RESULT_F32) store_sums(epilogue, sums, row, column, gated);
            else store_boxes<columns / 2>(epilogue, sums, &c, stage + half * 2 * BOX_BYTES, row, column, gated, 1 + half);
        }
        if (threadIdx.x % 128 == 0) tma_store_wait_read();
    }
    // No block may end while the other could still write to it.
    cluster_sync();
}

#endif
