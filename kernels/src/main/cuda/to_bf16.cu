// y = x rounded to BF16, to nearest even: what comes out of the portable kernels, which are F32, becomes an operand of the
// products here. Eight values to a thread, in wide accesses where rows allow it.
//
// Launch: ceil(rows * ceil(width / 8) / 256) blocks of 256 threads, no shared memory. x [rows, width] F32 in rows of ldx
// elements, y BF16 in rows of ldy.
//
// ptxas 13.0, sm_80: to_bf16 22 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: to_bf16 22 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "mma.cuh"

extern "C" __global__ void __launch_bounds__(256)
    to_bf16(i64 rows, i64 width, const float *x, i64 ldx, bf16 *y, i64 ldy) {
    i64 chunks = (width + 7) / 8, i = (i64)blockIdx.x * 256 + threadIdx.x, row = i / chunks, at = i % chunks * 8;
    if (row >= rows) return;
    const float *from = x + row * ldx + at;
    bf16 *to = y + row * ldy + at;
    if (at + 8 <= width && ((u64)from | (u64)to) % 16 == 0) {
        float4 low = ((const float4 *)from)[0], high = ((const float4 *)from)[1];
        *(uint4 *)to = uint4{pack_bf16(low.x, low.y), pack_bf16(low.z, low.w), pack_bf16(high.x, high.y),
                             pack_bf16(high.z, high.w)};
    } else {
        for (int c = 0; c < 8 && at + c < width; c++) to[c] = (bf16)pack_bf16(from[c], 0.0f);
    }
}
