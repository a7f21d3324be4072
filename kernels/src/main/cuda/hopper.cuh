// What the sm_90a products share. A step of the pipeline is 64 of the inner extent: a tile of A [128, 64] and one of
// W [width, 64] in shared memory, filled by the copy engine (TMA) in boxes of 64 x 64 and read by wgmma. Warpgroup 0
// feeds, warpgroups 1 and 2 multiply, each 64 rows of the tile.
//
// Tensor maps of all products here: BF16 matrices as they lie, boxes of 64 rows and 64 columns, 128-byte swizzle, zeros
// outside; so a matrix starts at a multiple of 16 bytes and so do its rows.
#ifndef HOPPER_CUH
#define HOPPER_CUH

#include "epilogue.cuh"

#define BOX 64
#define BOX_BYTES (BOX * BOX * 2)
#define BLOCK_ROWS 128
#define BLOCK_THREADS 384
// Warps that multiply: each tells when it is done with a slot.
#define READERS 8

// Where the pipeline stands: a slot of the ring, and the parity of the barriers' phase in this round.
struct Ring {
    int slot, parity;
};
template <int slots>
DEVICE void advance(Ring &ring) {
    if (++ring.slot == slots) {
        ring.slot = 0;
        ring.parity ^= 1;
    }
}

// Barriers of the ring: slot i is full at full(i), empty at empty(i). One thread makes them.
template <int slots>
DEVICE void make_barriers(u32 full, u32 empty, int readers) {
    for (int i = 0; i < slots; i++) {
        mbarrier_init(full + 8 * i, 1);
        mbarrier_init(empty + 8 * i, readers);
    }
    mbarrier_fence_init();
}

// Sums [64, 2 n] of a warpgroup += A [64, 64] W [2 n, 64]^T: four instructions of 16 of the inner extent each, which
// are 32 bytes further in every row.
template <int n>
DEVICE void multiply_step(float (&sums)[n], u32 a, u32 w, bool anew) {
    wgmma_fence(sums);
#pragma unroll
    for (int k = 0; k < 4; k++) wgmma(sums, descriptor(a + k * 32), descriptor(w + k * 32), !anew || k > 0);
    wgmma_commit();
}

// Fills the ring's slot with step `at`, by one thread: 128 rows of A from `row` on, and of W 128 from `column` on; with
// gates 64, and the same 64 of up.
DEVICE void fill_slot(const Ring &ring, u32 tiles, u32 full, u32 empty, const TensorMap &a, const TensorMap &w,
                      const TensorMap &up, int at, int row, int column, bool gated) {
    // In the first round this is the phase before the first, which counts as complete.
    mbarrier_wait(empty + 8 * ring.slot, ring.parity ^ 1);
    u32 arrived = full + 8 * ring.slot, slot = tiles + ring.slot * 4 * BOX_BYTES;
    mbarrier_arrive_expect(arrived, 4 * BOX_BYTES);
    tma_load(slot, &a, arrived, at, row);
    tma_load(slot + BOX_BYTES, &a, arrived, at, row + BOX);
    tma_load(slot + 2 * BOX_BYTES, &w, arrived, at, column);
    tma_load(slot + 3 * BOX_BYTES, gated ? &up : &w, arrived, at, gated ? column : column + BOX);
}

// A tile's sums over all its steps, by one warpgroup, whose rows are box `half` of each slot; sums begin as zeros.
// done(i): this warp has read slot i for the last time. (Rung 2 has the loop written out, to be read, and since ptxas 13.0
// serialises its products when it is inlined there.)
template <int slots, int n, typename Done>
DEVICE void sum_steps(float (&sums)[n], Ring &ring, u32 tiles, u32 full, int steps, int half, Done done) {
    int before = 0;
    for (int step = 0; step < steps; step++, advance<slots>(ring)) {
        mbarrier_wait(full + 8 * ring.slot, ring.parity);
        u32 slot = tiles + ring.slot * (2 + n / 32) * BOX_BYTES;
        multiply_step(sums, slot + half * BOX_BYTES, slot + 2 * BOX_BYTES, step == 0);
        // The products of the step before are done: its slot may be filled again, while this step's run.
        wgmma_wait<1>(sums);
        if (step > 0) done(before);
        before = ring.slot;
    }
    wgmma_wait<0>(sums);
    done(before);
}

// A warpgroup's sums to c, straight from registers. With gates the second half of the columns are the ups.
template <int n>
DEVICE void store_sums(const Epilogue &e, const float (&sums)[n], int row, int column, bool gated) {
    int lane = (int)threadIdx.x % 32;
    row += (int)threadIdx.x / 32 % 4 * 16 + lane / 4;
    column += lane % 4 * 2;
#pragma unroll
    for (int below = 0; below < 2; below++)
#pragma unroll
        for (int j = 0; j < n / 8; j++) {
            const float *first = &sums[j * 4 + below * 2], *second = &sums[(j + n / 8) * 4 + below * 2];
            if (gated) {
                put2_gated(e, row + below * 8, column + j * 8, first[0], first[1], second[0], second[1]);
            } else {
                put2(e, row + below * 8, column + j * 8, first[0], first[1]);
                put2(e, row + below * 8, column + j * 8 + n, second[0], second[1]);
            }
        }
}

// The place of tile number `tile` in c: eight rows of tiles are gone through column by column, so that the blocks that
// run at one time need few different rows of A and W, which then stay in the L2 cache.
struct Place {
    int row, column;
};
DEVICE Place place_of_tile(int tile, int down, int across) {
    int group = tile / (8 * across), first = group * 8, rows = down - first < 8 ? down - first : 8;
    int within = tile - group * 8 * across;
    return Place{first + within % rows, within / rows};
}

#endif
