// Rung 5: as rung 4, by clusters of two blocks with tiles one above the other. What it adds: both need the same columns
// of W, so each fetches half of them and the copy engine writes it into both (multicast): a block asks for three boxes
// a step instead of four. A slot may be filled again only when the warps of both blocks are done with it, so they
// announce that at both blocks' barriers; and no block may end while the other could still write to it.
//
// Target sm_90a. Launch: as rung 4, with twice min(multiprocessors / 2, pairs of tiles) blocks, where pairs =
// ceil(M / 256) * ceil(N / 128) (gated: N / 64); the kernel itself says that they are clusters of 2. 163,904 bytes of
// shared memory. Arguments as in rung 4, and c's elements' type: BF16 results (1) go through the map, the residual being
// BF16 too; F32 ones (0) to c, in rows of ldc elements, the residual F32, and the map is not read.
//
// ptxas 13.0, sm_90a: matmul_multicast 168 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "cluster.cuh"

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(BLOCK_THREADS, 1)
    matmul_multicast(const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap w_map,
                     const __grid_constant__ TensorMap up_map, const __grid_constant__ TensorMap c_map, int m, int n,
                     int k, int gated, const float *bias, const void *residual, i64 ldr, int activation, int type,
                     float *c, i64 ldc) {
    Epilogue epilogue = {m, n, activation, type, bias, residual, ldr, c, ldc};
    multiply_in_clusters<128>(a_map, w_map, up_map, c_map, epilogue, k, gated);
}
