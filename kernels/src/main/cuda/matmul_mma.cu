// Rung 1: C [M, N] = A [M, K] W [N, K]^T on tensor cores as sm_80 has them. Over the portable kernel: products by
// mma.sync m16n8k16 (BF16, F32 sums), three stages of tiles that cp.async fills while the one before is multiplied,
// fragments by ldmatrix out of swizzled rows, results finished in registers (bias, residual, activation, SwiGLU).
//
// Launch: ceil(M / 128) * ceil(N / 128) blocks (with w_up: ceil(N / 64) for the second factor) of 256 threads, 98,304
// bytes of shared memory. Any extents and strides; where a, w, w_up or a row of them does not start at a multiple of 16
// bytes, tiles are filled without cp.async. K = 0 gives the epilogue of zeros; M = 0 or N = 0 is no launch.
// With w_up, w is the gate: c = act(A w^T) * (A w_up^T). a, w, w_up BF16; c and residual F32 (type 0) or BF16 (1).
//
// ptxas 13.0, sm_80: matmul_mma 163 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: matmul_mma 122 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "tile.cuh"

#define STAGES 3
// Shared memory allows two blocks to a multiprocessor on Hopper, one on Ampere: as many registers may each have.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define BLOCKS 2
#else
#define BLOCKS 1
#endif

extern "C" __global__ void __launch_bounds__(TILE_THREADS, BLOCKS)
    matmul_mma(int m, int n, int k, const bf16 *a, i64 lda, const bf16 *w, const bf16 *w_up, i64 ldw, const float *bias,
               const void *residual, i64 ldr, int activation, int type, void *c, i64 ldc) {
    unsigned char *memory = shared_memory();
    u32 base = shared_address(memory);
    bool gated = w_up != nullptr;
    bool whole = ((u64)a | (u64)w | (u64)w_up | (u64)lda * 2 | (u64)ldw * 2) % 16 == 0;
    int width = gated ? 64 : 128, across = (n + width - 1) / width;
    int row = (int)blockIdx.x / across * TILE_ROWS, column = (int)blockIdx.x % across * width;
    int warp = (int)threadIdx.x / 32, wm = warp / 4, wn = warp % 4, steps = (k + TILE_INNER - 1) / TILE_INNER;

    auto a_row = [&](int r) { return row + r < m ? a + (row + r) * lda : nullptr; };
    auto w_row = [&](int r) {
        int at = column + (gated ? r % 64 : r);
        return at < n ? (gated && r >= 64 ? w_up : w) + at * ldw : nullptr;
    };
    auto load = [&](int step) {
        int slot = step % STAGES * 2 * TILE_BYTES;
        load_tile(base + slot, memory + slot, a_row, step * TILE_INNER, k, whole, a);
        load_tile(base + slot + TILE_BYTES, memory + slot + TILE_BYTES, w_row, step * TILE_INNER, k, whole, w);
    };

    float sums[4][4][4] = {};
    // A group for every step, there or not: so the number of groups to wait for is always the same.
    for (int step = 0; step < STAGES - 1; step++) {
        if (step < steps) load(step);
        copy_async_commit();
    }
    for (int step = 0; step < steps; step++) {
        copy_async_wait<STAGES - 2>();
        // All have their part of this step, and are done with the step whose place is filled next.
        __syncthreads();
        if (step + STAGES - 1 < steps) load(step + STAGES - 1);
        copy_async_commit();
        u32 slot = base + (u32)(step % STAGES * 2 * TILE_BYTES);
        multiply_tile(sums, slot, slot + TILE_BYTES, wm, wn);
    }
    copy_async_wait<0>();
    Epilogue epilogue = {m, n, activation, type, bias, residual, ldr, c, ldc};
    store_tile(epilogue, sums, [&](int r) { return row + r; }, column, gated, wm, wn);
}
