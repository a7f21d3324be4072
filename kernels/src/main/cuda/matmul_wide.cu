// Rung 6: as rung 5 with tiles of 128 x 256. What it adds: three quarters of the loads for each multiplication,
// (128 + 256) / (128 * 256) against (128 + 128) / (128 * 128), for twice the registers with sums. The last wave of few
// large tiles may leave many multiprocessors idle: choose.h weighs that.
//
// Target sm_90a. Launch: as rung 5, with pairs = ceil(M / 256) * ceil(N / 256) (gated: N / 128), 229,440 bytes of
// shared memory. Arguments as in rung 5.
//
// ptxas 13.0, sm_90a: matmul_wide 168 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "cluster.cuh"

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(BLOCK_THREADS, 1)
    matmul_wide(const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap w_map,
                const __grid_constant__ TensorMap up_map, const __grid_constant__ TensorMap c_map, int m, int n,
                int k, int gated, const float *bias, const void *residual, i64 ldr, int activation, int type, float *c,
                i64 ldc) {
    Epilogue epilogue = {m, n, activation, type, bias, residual, ldr, c, ldc};
    multiply_in_clusters<256>(a_map, w_map, up_map, c_map, epilogue, k, gated);
}
