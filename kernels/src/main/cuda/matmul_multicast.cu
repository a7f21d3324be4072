// Rung 5: as rung 4, by clusters of two blocks with tiles one above the other. What it adds: both need the same columns
// of W, so each fetches half of them and the copy engine writes it into both (multicast): a block asks for three boxes
// a step instead of four. A slot may be filled again only when the warps of both blocks are done with it, so they
// announce that at both blocks' barriers; and no block may end while the other could still write to it.
//
// Target sm_90a. Launch: as rung 4, with twice min(multiprocessors / 2, pairs of tiles) blocks, where pairs =
// ceil(M / 256) * ceil(N / 128) (gated: N / 64); the kernel itself says that they are clusters of 2. 163,904 bytes of
// shared memory. Arguments as in rung 4.
//
// ptxas 13.0, sm_90a: matmul_multicast 168 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "staging.cuh"

#define SLOTS 4
#define SLOT_BYTES (4 * BOX_BYTES)

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(BLOCK_THREADS, 1)
    matmul_multicast(const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap w_map,
                     const __grid_constant__ TensorMap up_map, const __grid_constant__ TensorMap c_map, int m, int n,
                     int k, int gated, const float *bias, const bf16 *residual, i64 ldr, int activation) {
    u32 tiles = shared_address(shared_memory()), stage = tiles + SLOTS * SLOT_BYTES, full = stage + 4 * BOX_BYTES,
        empty = full + 8 * SLOTS;
    int width = gated ? 64 : 128, across = (n + width - 1) / width, down = (m + 2 * BLOCK_ROWS - 1) / (2 * BLOCK_ROWS);
    int count = down * across, steps = (k + BOX - 1) / BOX, warpgroup = (int)threadIdx.x / 128,
        rank = (int)cluster_rank();
    int begin = (int)blockIdx.x / 2, stride = (int)gridDim.x / 2;
    if (threadIdx.x == 0) make_barriers<SLOTS>(full, empty, 2 * READERS);
    cluster_sync();

    Ring ring = {0, 0};
    if (warpgroup == 0) {
        registers_down<40>();
        for (int tile = begin; tile < count && threadIdx.x == 0; tile += stride) {
            Place place = place_of_tile(tile, down, across);
            int row = (2 * place.row + rank) * BLOCK_ROWS, column = place.column * width;
            const TensorMap *half_map = gated && rank == 1 ? &up_map : &w_map;
            int half_row = gated ? column : column + rank * BOX;
            for (int step = 0; step < steps; step++, advance<SLOTS>(ring)) {
                mbarrier_wait(empty + 8 * ring.slot, ring.parity ^ 1);
                u32 arrived = full + 8 * ring.slot, slot = tiles + ring.slot * SLOT_BYTES;
                // Both halves of W are counted here, whoever asks for them.
                mbarrier_arrive_expect(arrived, SLOT_BYTES);
                tma_load(slot, &a_map, arrived, step * BOX, row);
                tma_load(slot + BOX_BYTES, &a_map, arrived, step * BOX, row + BOX);
                tma_load_multicast(slot + (2 + rank) * BOX_BYTES, half_map, arrived, step * BOX, half_row, 3);
            }
        }
    } else {
        registers_up<232>();
        int half = warpgroup - 1;
        Epilogue epilogue = {m, n, activation, RESULT_BF16, bias, residual, ldr, nullptr, 0};
        for (int tile = begin; tile < count; tile += stride) {
            float sums[64] = {};
            int before = 0;
            for (int step = 0; step < steps; step++, advance<SLOTS>(ring)) {
                mbarrier_wait(full + 8 * ring.slot, ring.parity);
                u32 slot = tiles + ring.slot * SLOT_BYTES;
                multiply_step(sums, slot + half * BOX_BYTES, slot + 2 * BOX_BYTES, step == 0);
                wgmma_wait<1>(sums);
                // Lane r tells block r.
                if (step > 0 && threadIdx.x % 32 < 2) mbarrier_arrive_at(empty + 8 * before, threadIdx.x % 32);
                before = ring.slot;
            }
            wgmma_wait<0>(sums);
            if (threadIdx.x % 32 < 2) mbarrier_arrive_at(empty + 8 * before, threadIdx.x % 32);
            Place place = place_of_tile(tile, down, across);
            store_boxes<64>(epilogue, sums, &c_map, stage + half * 2 * BOX_BYTES,
                            (2 * place.row + rank) * BLOCK_ROWS + half * BOX, place.column * width, gated, 1 + half);
        }
        if (threadIdx.x % 128 == 0) tma_store_wait_read();
    }
    cluster_sync();
}
