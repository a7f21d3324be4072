// C [M, N] = A [M, K] W [N, K]^T with W in blocks of 32 as in GGUF: Q8_0 (34 bytes: a half-precision scale, 32 signed
// bytes) or Q4_0 (18 bytes: a scale, 32 nibbles less 8). Rung 1's tile; what it adds: W is read in blocks, one to a
// thread and step, while the step before is multiplied, and becomes BF16 on its way into shared memory. The weights
// cross the memory bus once, at 8.5 or 4.5 bits each.
//
// Launch of matmul_q8_0 and matmul_q4_0: as matmul_mma, with 65,536 bytes of shared memory. K a multiple of 32; w and
// w_up [N, K / 32] blocks without gaps, at even addresses. All else as in matmul_mma.
//
// ptxas 13.0, sm_80: matmul_q4_0 185 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_80: matmul_q8_0 187 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: matmul_q4_0 185 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: matmul_q8_0 187 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "tile.cuh"

// A block's bytes by twos, as scales lie at even places only.
template <int pairs>
struct Packed {
    u16 at[pairs];
};

// 32 values to four chunks of a tile's row.
DEVICE void unpack(const Packed<17> &block, unsigned char *tile, int row, int chunk) {
    float scale = float_of_half(block.at[0]);
#pragma unroll
    for (int c = 0; c < 4; c++) {
        u32 pairs[4];
#pragma unroll
        for (int p = 0; p < 4; p++) {
            u32 both = block.at[1 + c * 4 + p];
            pairs[p] = pack_bf16(scale * (float)(i8)both, scale * (float)(i8)(both >> 8));
        }
        *(uint4 *)(tile + chunk_at(row, chunk + c)) = uint4{pairs[0], pairs[1], pairs[2], pairs[3]};
    }
}

// The low nibbles are the first sixteen values.
DEVICE void unpack(const Packed<9> &block, unsigned char *tile, int row, int chunk) {
    float scale = float_of_half(block.at[0]);
#pragma unroll
    for (int c = 0; c < 4; c++) {
        u32 pairs[4];
#pragma unroll
        for (int p = 0; p < 4; p++) {
            u32 both = block.at[1 + c % 2 * 4 + p] >> (c < 2 ? 0 : 4);
            pairs[p] = pack_bf16(scale * (float)((int)(both & 15) - 8), scale * (float)((int)(both >> 8 & 15) - 8));
        }
        *(uint4 *)(tile + chunk_at(row, chunk + c)) = uint4{pairs[0], pairs[1], pairs[2], pairs[3]};
    }
}

template <int pairs>
DEVICE void multiply_quantised(int m, int n, int k, const bf16 *a, i64 lda, const u8 *w, const u8 *w_up,
                               Epilogue epilogue) {
    unsigned char *memory = shared_memory();
    u32 base = shared_address(memory);
    bool gated = w_up != nullptr, whole = ((u64)a | (u64)lda * 2) % 16 == 0;
    int width = gated ? 64 : 128, across = (n + width - 1) / width;
    int row = (int)blockIdx.x / across * TILE_ROWS, column = (int)blockIdx.x % across * width;
    int warp = (int)threadIdx.x / 32, wm = warp / 4, wn = warp % 4, steps = (k + TILE_INNER - 1) / TILE_INNER;

    auto a_row = [&](int r) { return row + r < m ? a + (row + r) * lda : nullptr; };
    // This thread's block of a step: row w_row of the tile, its first or second half.
    int w_row = (int)threadIdx.x / 2, half = (int)threadIdx.x % 2, at = column + (gated ? w_row % 64 : w_row);
    const u8 *mine = at < n ? (gated && w_row >= 64 ? w_up : w) + (i64)at * (k / 32) * (2 * pairs) : nullptr;
    Packed<pairs> block;
    auto fetch = [&](int step) {
        int number = step * 2 + half;
        if (mine != nullptr && number * 32 < k) {
            const u16 *from = (const u16 *)(mine + (i64)number * (2 * pairs));
#pragma unroll
            for (int i = 0; i < pairs; i++) block.at[i] = from[i];
        } else {
            // Scale 0.
#pragma unroll
            for (int i = 0; i < pairs; i++) block.at[i] = 0;
        }
    };
    auto load_a = [&](int step) {
        int slot = step % 2 * 2 * TILE_BYTES;
        load_tile(base + slot, memory + slot, a_row, step * TILE_INNER, k, whole, a);
        copy_async_commit();
    };

    float sums[4][4][4] = {};
    if (steps > 0) {
        load_a(0);
        fetch(0);
        unpack(block, memory + TILE_BYTES, w_row, half * 4);
    }
    for (int step = 0; step < steps; step++) {
        copy_async_wait<0>();
        __syncthreads();
        bool more = step + 1 < steps;
        if (more) {
            load_a(step + 1);
            fetch(step + 1);
        }
        u32 slot = base + (u32)(step % 2 * 2 * TILE_BYTES);
        multiply_tile(sums, slot, slot + TILE_BYTES, wm, wn);
        if (more) unpack(block, memory + (step + 1) % 2 * 2 * TILE_BYTES + TILE_BYTES, w_row, half * 4);
    }
    store_tile(epilogue, sums, [&](int r) { return row + r; }, column, gated, wm, wn);
}

#define QUANTISED(name, pairs)                                                                            \
    extern "C" __global__ void __launch_bounds__(TILE_THREADS)                                            \
        name(int m, int n, int k, const bf16 *a, i64 lda, const u8 *w, const u8 *w_up, const float *bias, \
             const void *residual, i64 ldr, int activation, int type, void *c, i64 ldc) {                 \
        multiply_quantised<pairs>(m, n, k, a, lda, w, w_up,                                               \
                                  Epilogue{m, n, activation, type, bias, residual, ldr, c, ldc});         \
    }

QUANTISED(matmul_q8_0, 17)
QUANTISED(matmul_q4_0, 9)
