// The gradient of a looked-up table and its Adam step (Kingma and Ba 2015) in one pass: the rows of dy that belong to
// an id are summed and at once applied to the id's row of the table, so that the sums never go to memory. Positions
// come sorted by id, from the portable sort_* and list_rows. Over the portable sum_rows and sparse_adam: one launch, a
// warp for each row of the table, all eight warps of a block together for an id that was looked up often. Always in the
// same order: the same bits on every run.
//
// Launch: ceil(R / 8) blocks of 256 threads, 1,088 bytes of shared memory; R is the table's rows for Adam (lazy 0:
// untouched rows decay too), the most distinct ids there can be for LazyAdam (lazy 1: touched rows only). p, m, v
// [size, width]; keys [count] (id << 32 | position), rows and starts [total[0]]; dy in rows of dy_stride, from column
// dy_at on; state, rest and log as in optim.kk. After a fault nothing is done.
//
// ptxas 13.0, sm_80: segment_adam 40 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: segment_adam 32 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "mma.cuh"

#define WARPS 8
// Ids with more positions than this are summed by the whole block.
#define SHORT 32

struct Adam {
    float rate, first, second, beta1, rest1, beta2, rest2, epsilon, decay;
    int lazy;
};

// optim.kk's step.
DEVICE void step(const Adam &a, float *p, float *m, float *v, float g) {
    g = fmaf(a.decay, *p, g);
    float moment = a.beta1 * *m + a.rest1 * g, square = a.beta2 * *v + a.rest2 * g * g;
    *m = moment;
    *v = square;
    *p -= a.lazy ? a.rate * sqrtf(a.second) / a.first * moment / (sqrtf(square) + a.epsilon)
                 : a.rate / a.first * moment / (sqrtf(square / a.second) + a.epsilon);
}

extern "C" __global__ void __launch_bounds__(WARPS * 32)
    segment_adam(i64 size, i64 width, int lazy, float beta1, float rest1, float log1, float beta2, float rest2,
                 float log2, float epsilon, float decay, float *p, float *m, float *v, i64 count, const u64 *keys,
                 const int *rows, const int *starts, const int *total, const float *dy, i64 dy_stride, i64 dy_at,
                 const u64 *state, const int *fault) {
    if (fault[0] != 0) return;
    float *partial = (float *)shared_memory();                // [WARPS, 32]
    int *bounds = (int *)(shared_memory() + WARPS * 32 * 4);  // [WARPS, 2]
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, distinct = total[0];
    i64 unit = (i64)blockIdx.x * WARPS + warp, row = -1;
    int n = -1;  // which of the distinct ids
    if (lazy) {
        if (unit < distinct) {
            n = (int)unit;
            row = rows[n];
        }
    } else if (unit < size) {
        row = unit;
        int low = 0, high = distinct;
        while (low < high) {
            int middle = low + (high - low) / 2;
            if (rows[middle] < row) low = middle + 1;
            else high = middle;
        }
        if (low < distinct && rows[low] == row) n = low;
    }
    int begin = n < 0 ? 0 : starts[n], end = n < 0 ? 0 : n + 1 < distinct ? starts[n + 1] : (int)count;
    if (lane == 0) {
        bounds[2 * warp] = begin;
        bounds[2 * warp + 1] = end;
    }
    __syncthreads();
    float last = float_of_double(state[1]);
    Adam adam = {float_of_double(state[0]),
                 -expm1f(last * log1),
                 -expm1f(last * log2),
                 beta1,
                 rest1,
                 beta2,
                 rest2,
                 epsilon,
                 decay,
                 lazy};
    for (i64 c = lane; c < (width + 31) / 32 * 32; c += 32) {
        const float *from = dy + dy_at + (c < width ? c : 0);
        float sum = 0, lost = 0;
        if (end - begin <= SHORT)
            for (int i = begin; i < end; i++) ADD(sum, lost, from[(i64)(keys[i] & 0xffffffffu) * dy_stride]);
        for (int other = 0; other < WARPS; other++) {
            int from_key = bounds[2 * other], to_key = bounds[2 * other + 1];
            if (to_key - from_key <= SHORT) continue;
            float part = 0, part_lost = 0;
            for (int i = from_key + warp; i < to_key; i += WARPS)
                ADD(part, part_lost, from[(i64)(keys[i] & 0xffffffffu) * dy_stride]);
            partial[threadIdx.x] = part;
            __syncthreads();
            if (other == warp)
                for (int w = 0; w < WARPS; w++) sum += partial[w * 32 + lane];
            __syncthreads();
        }
        if (row >= 0 && c < width) step(adam, p + row * width + c, m + row * width + c, v + row * width + c, sum);
    }
}
