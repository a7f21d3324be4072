// A GPU's warps, blocks and clusters on the host, to run the kernels of src/main/cuda: the functions of mma.cuh,
// written from the PTX ISA. Every thread is a fibre, and which one goes on is drawn by lot; what is asynchronous on a
// GPU lands as late as a wait allows or at some drawn moment before, and until then its place holds NaN. So a missing
// wait, a buffer reused too early or a thread that reads what another has not yet written is a wrong number or an error
// here. What this cannot show: memory ordering between proxies (fence_async_proxy does nothing), bank conflicts, time,
// whether the PTX text itself is what the emulation does.
#ifndef EMULATION_H
#define EMULATION_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__

struct alignas(8) float2 {
    float x, y;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct Index {
    unsigned x, y, z;
};

namespace emu {
extern Index thread_index, block_index, grid_size, block_size;

// Runs `body` once for each thread of each block. Blocks run one after the other, those of a cluster together.
void launch(Index grid, int threads, int shared_bytes, int cluster, const std::function<void()> &body);

// For tests: seed of the lots, and the driver's cuTensorMapEncodeTiled for a matrix [rows, columns] of 2-byte values
// with boxes [box_rows, box_columns] in the 128-byte swizzle. Returns whether the driver would take it.
void seed(uint64_t value);
bool encode(TensorMap *map, const void *matrix, int64_t rows, int64_t columns, int64_t row_bytes, int box_rows,
            int box_columns);

[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

void mma(float *d, const u32 *a, const u32 *b);
void ldmatrix(u32 *r, u32 row, bool transposed);
void wgmma_issue(float *d, int n, u64 a, u64 b, int add);
void wgmma_fence_sums(float *d);
void wgmma_wait_groups(int pending);
void copy_async_wait_groups(int pending);
}  // namespace emu

#define threadIdx emu::thread_index
#define blockIdx emu::block_index
#define gridDim emu::grid_size
#define blockDim emu::block_size

void __syncthreads();
void __syncwarp();
int atomicCAS(int *p, int expected, int desired);

unsigned char *shared_memory();
u32 shared_address(const void *p);
static inline float exp2_fast(float x) { return exp2f(x); }
static inline float reciprocal_fast(float x) { return 1.0f / x; }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
u32 pack_bf16(float low, float high);
float shuffle_xor(float value, int mask);
static inline void mma_bf16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    u32 b[2] = {b0, b1};
    emu::mma(d, a, b);
}
static inline void ldmatrix4(u32 (&r)[4], u32 row) { emu::ldmatrix(r, row, false); }
static inline void ldmatrix4_transposed(u32 (&r)[4], u32 row) { emu::ldmatrix(r, row, true); }
void copy_async(u32 to, const void *from, int bytes);
void copy_async_commit();
template <int pending>
static inline void copy_async_wait() {
    emu::copy_async_wait_groups(pending);
}

void barrier_sync(int id, int threads);
void mbarrier_init(u32 barrier, int arrivals);
void mbarrier_fence_init();
void mbarrier_arrive(u32 barrier);
void mbarrier_arrive_at(u32 barrier, u32 rank);
void mbarrier_arrive_expect(u32 barrier, int bytes);
void mbarrier_wait(u32 barrier, int parity);
void tma_load(u32 to, const TensorMap *map, u32 barrier, int x, int y);
void tma_load_multicast(u32 to, const TensorMap *map, u32 barrier, int x, int y, u16 blocks);
void tma_store(const TensorMap *map, u32 from, int x, int y);
void tma_store_commit();
void tma_store_wait_read();
static inline void fence_async_proxy() {}
u32 cluster_rank();
void cluster_sync();
template <int registers>
static inline void registers_up() {
    static_assert(registers % 8 == 0 && registers >= 24 && registers <= 256, "setmaxnreg");
}
template <int registers>
static inline void registers_down() {
    static_assert(registers % 8 == 0 && registers >= 24 && registers <= 256, "setmaxnreg");
}

template <int n>
static inline void wgmma_fence(float (&d)[n]) {
    emu::wgmma_fence_sums(d);
}
void wgmma_commit();
template <int pending, int n>
static inline void wgmma_wait(float (&)[n]) {
    emu::wgmma_wait_groups(pending);
}
template <int count>
static inline void wgmma(float (&d)[count], u64 a, u64 b, int add) {
    emu::wgmma_issue(d, 2 * count, a, b, add);
}

#endif
