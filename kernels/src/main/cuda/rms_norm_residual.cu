// sum = h + x; y = sum / sqrt(mean(sum^2) + epsilon) * weight: a layer's result joins the residual stream, and the next
// layer's input is made, in one pass over memory. Over the portable rms_norm behind a sum: the sum is not read again, the
// row waits in shared memory for its mean square; four values to an access where rows allow it.
//
// Launch: one block of 256 threads for each row, 4 * width + 32 bytes of shared memory. x, h, sum, y [rows, width]
// without gaps, each F32 (0) or BF16 (1) by its type, sum by h's; sum may be h itself; weight [width] F32; x may be null:
// then h is only normalised, and there is no sum. y is made from the sum in F32, whatever h's type.
//
// ptxas 13.0, sm_80: rms_norm_residual 48 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: rms_norm_residual 40 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "epilogue.cuh"

#define THREADS 256

DEVICE float4 load4(const void *p, i64 at, int type) {
    if (type == RESULT_F32) return *(const float4 *)((const float *)p + at);
    uint2 pairs = *(const uint2 *)((const bf16 *)p + at);
    return float4{float_of_bfloat(pairs.x & 0xffff), float_of_bfloat(pairs.x >> 16), float_of_bfloat(pairs.y & 0xffff),
                  float_of_bfloat(pairs.y >> 16)};
}
DEVICE void store4(void *p, i64 at, int type, float4 v) {
    if (type == RESULT_F32) *(float4 *)((float *)p + at) = v;
    else *(uint2 *)((bf16 *)p + at) = uint2{pack_bf16(v.x, v.y), pack_bf16(v.z, v.w)};
}
DEVICE void store1(void *p, i64 at, int type, float v) {
    if (type == RESULT_F32) ((float *)p)[at] = v;
    else ((bf16 *)p)[at] = (bf16)pack_bf16(v, 0.0f);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    rms_norm_residual(int width, float epsilon, const void *x, int x_type, const void *h, int h_type, void *sum,
                      const float *weight, void *y, int y_type) {
    float *sums = (float *)shared_memory(), *row = sums + THREADS / 32;
    i64 at = (i64)blockIdx.x * width;
    bool whole = width % 4 == 0 && ((u64)x | (u64)h | (u64)sum | (u64)y | (u64)weight) % 16 == 0;
    float square = 0;
    if (whole) {
        for (int i = (int)threadIdx.x * 4; i < width; i += THREADS * 4) {
            float4 v = load4(h, at + i, h_type);
            if (x != nullptr) {
                float4 u = load4(x, at + i, x_type);
                v = float4{v.x + u.x, v.y + u.y, v.z + u.z, v.w + u.w};
                store4(sum, at + i, h_type, v);
            }
            *(float4 *)(row + i) = v;
            square += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
        }
    } else {
        for (int i = (int)threadIdx.x; i < width; i += THREADS) {
            float v = load_result(h, at + i, h_type);
            if (x != nullptr) {
                v += load_result(x, at + i, x_type);
                store1(sum, at + i, h_type, v);
            }
            row[i] = v;
            square += v * v;
        }
    }
    for (int mask = 16; mask > 0; mask /= 2) square += shuffle_xor(square, mask);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = square;
    __syncthreads();
    float total = 0;
    for (int i = 0; i < THREADS / 32; i++) total += sums[i];
    float inverse = rsqrtf(total / (float)width + epsilon);
    // Each thread goes over the values that it put there itself.
    if (whole) {
        for (int i = (int)threadIdx.x * 4; i < width; i += THREADS * 4) {
            float4 v = *(float4 *)(row + i), w = *(const float4 *)(weight + i);
            store4(y, at + i, y_type,
                   float4{v.x * inverse * w.x, v.y * inverse * w.y, v.z * inverse * w.z, v.w * inverse * w.w});
        }
    } else {
        for (int i = (int)threadIdx.x; i < width; i += THREADS) store1(y, at + i, y_type, row[i] * inverse * weight[i]);
    }
}
