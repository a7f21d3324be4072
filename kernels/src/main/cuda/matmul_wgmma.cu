// Rung 2: C [M, N] = A [M, K] W [N, K]^T on Hopper. Over rung 1: the copy engine (TMA) fills the tiles, one thread
// asking for whole boxes instead of 256 threads computing addresses; wgmma multiplies out of shared memory, with no
// fragments to load; and the warps have roles. One thread feeds a ring of four slots, two warpgroups multiply, and they
// meet at mbarriers: a slot's "full" counts the bytes that have arrived, its "empty" the warps that are done with it.
//
// Target sm_90a. Launch: ceil(M / 128) * ceil(N / 128) blocks (gated: ceil(N / 64) for the second factor) of 384
// threads, 131,136 bytes of shared memory. M, N, K >= 1, any; tensor maps as in hopper.cuh of a [M, K], w [N, K] and,
// if gated, up [N, K] (otherwise w again). Epilogue as in rung 1.
//
// ptxas 13.0, sm_90a: matmul_wgmma 168 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "hopper.cuh"

#define SLOTS 4

extern "C" __global__ void __launch_bounds__(BLOCK_THREADS, 1)
    matmul_wgmma(const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap w_map,
                 const __grid_constant__ TensorMap up_map, int m, int n, int k, int gated, const float *bias,
                 const void *residual, i64 ldr, int activation, int type, void *c, i64 ldc) {
    u32 tiles = shared_address(shared_memory()), full = tiles + SLOTS * 4 * BOX_BYTES, empty = full + 8 * SLOTS;
    int width = gated ? 64 : 128, across = (n + width - 1) / width, steps = (k + BOX - 1) / BOX;
    int row = (int)blockIdx.x / across * BLOCK_ROWS, column = (int)blockIdx.x % across * width;
    int warpgroup = (int)threadIdx.x / 128;
    if (threadIdx.x == 0) make_barriers<SLOTS>(full, empty, READERS);
    __syncthreads();

    Ring ring = {0, 0};
    if (warpgroup == 0) {
        registers_down<40>();
        if (threadIdx.x != 0) return;
        for (int step = 0; step < steps; step++, advance<SLOTS>(ring))
            fill_slot(ring, tiles, full, empty, a_map, w_map, up_map, step * BOX, row, column, gated);
        return;
    }
    registers_up<232>();
    float sums[64] = {};
    int before = 0;
    for (int step = 0; step < steps; step++, advance<SLOTS>(ring)) {
        mbarrier_wait(full + 8 * ring.slot, ring.parity);
        u32 slot = tiles + ring.slot * 4 * BOX_BYTES;
        multiply_step(sums, slot + (warpgroup - 1) * BOX_BYTES, slot + 2 * BOX_BYTES, step == 0);
        // The products of the step before are done: its slot may be filled again, while this step's run.
        wgmma_wait<1>(sums);
        if (step > 0 && threadIdx.x % 32 == 0) mbarrier_arrive(empty + 8 * before);
        before = ring.slot;
    }
    wgmma_wait<0>(sums);
    Epilogue epilogue = {m, n, activation, type, bias, residual, ldr, c, ldc};
    store_sums(epilogue, sums, row + (warpgroup - 1) * BOX, column, gated);
}
