// Table-batched lookup: row i of the result is the concatenation of one row from each table. Over one portable gather
// for each table: one launch for all, a warp for each row and table, four values to an access where rows allow it.
//
// Launch: ceil(count * fields / 8) blocks of 256 threads, no shared memory. tables [fields, 4] I64 says of each field
// the table's address, its rows, its width and where its values stand in a row of the result; ids [count, fields];
// tables F32; out [count, ld] F32. An id out of range is noted in fault with `where`, and nothing is read for it.
//
// ptxas 13.0, sm_80: embedding_concat 30 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: embedding_concat 30 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "mma.cuh"

extern "C" __global__ void __launch_bounds__(256) embedding_concat(int where, i64 count, int fields, const i64 *tables,
                                                                   const int *ids, float *out, i64 ld, int *fault) {
    i64 unit = (i64)blockIdx.x * 8 + threadIdx.x / 32;
    if (unit >= count * fields) return;
    int lane = (int)threadIdx.x % 32, field = (int)(unit % fields);
    const i64 *table = tables + 4 * field;
    i64 id = ids[unit], width = table[2];
    if (id < 0 || id >= table[1]) {
        if (lane == 0) report(fault, where, unit, id);
        return;
    }
    const float *from = (const float *)table[0] + id * width;
    float *to = out + unit / fields * ld + table[3];
    if (((u64)from | (u64)to | (u64)width * 4) % 16 == 0) {
        for (i64 i = lane * 4; i < width; i += 128) *(float4 *)(to + i) = *(const float4 *)(from + i);
    } else {
        for (i64 i = lane; i < width; i += 32) to[i] = from[i];
    }
}
