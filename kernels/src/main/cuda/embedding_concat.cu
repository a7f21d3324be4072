// Table-batched lookup: row i of the result is the concatenation of one row from each table. Over one portable gather
// for each table: one launch for all, a warp for each row and table, four values to an access where rows allow it.
//
// Launch: ceil(count * fields / 8) blocks of 256 threads, no shared memory. The tables come by value, at most MOST_TABLES
// of them, so that a launch needs no memory of its own: of each its address, its rows, its width and where its values
// stand in a row of the result. ids [count, ids_ld] of which the tables' columns begin with `first`; tables F32; out
// [count, ld] F32. An id out of range is noted in fault with `where`, and nothing is read for it.
//
// ptxas 13.0, sm_80: embedding_concat 18 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: embedding_concat 19 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "mma.cuh"

#define MOST_TABLES 64

struct Table {
    const float *values;
    int rows, width;
    i64 at;
};

struct Tables {
    Table of[MOST_TABLES];
};

extern "C" __global__ void __launch_bounds__(256)
    embedding_concat(int where, i64 count, int fields, const __grid_constant__ Tables tables, const int *ids,
                     i64 ids_ld, i64 first, float *out, i64 ld, int *fault) {
    i64 unit = (i64)blockIdx.x * 8 + threadIdx.x / 32;
    if (unit >= count * fields) return;
    int lane = (int)threadIdx.x % 32, field = (int)(unit % fields);
    i64 row = unit / fields, position = row * ids_ld + first + field, id = ids[position];
    const Table &table = tables.of[field];
    int width = table.width;
    if (id < 0 || id >= table.rows) {
        if (lane == 0) report(fault, where, position, id);
        return;
    }
    const float *from = table.values + id * width;
    float *to = out + row * ld + table.at;
    // Most rows are a single step of the loop: unrolled it would only take registers.
    if (((u64)from | (u64)to | (u64)width * 4) % 16 == 0) {
#pragma unroll 1
        for (int i = lane * 4; i < width; i += 128) *(float4 *)(to + i) = *(const float4 *)(from + i);
    } else {
#pragma unroll 1
        for (int i = lane; i < width; i += 32) to[i] = from[i];
    }
}
