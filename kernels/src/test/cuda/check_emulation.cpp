// That the emulation finds mistakes: small kernels, each right but for one thing.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "check.h"

namespace {
constexpr int SHARED = 32768;
constexpr u32 BASE = 1024;

void run(int threads, int cluster, const std::function<void()> &kernel) {
    emu::launch({(unsigned)cluster, 1, 1}, threads, SHARED, cluster, kernel);
}

// In a process of its own, which has to end with a complaint for one of twenty lots.
void stops(const char *what, int threads, const std::function<void()> &kernel, int cluster = 1) {
    fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
        for (int seed = 1; seed <= 20; seed++) {
            emu::seed((uint64_t)seed);
            run(threads, cluster, kernel);
        }
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (status == 0) emu::fail("goes unnoticed: %s", what);
}

// The right form gives no NaN whatever the lots; the wrong form does at least once in twenty.
void differs(const char *what, int threads, const std::function<float(bool)> &kernel) {
    int found[2] = {0, 0};
    for (int wrong = 0; wrong < 2; wrong++)
        for (int seed = 1; seed <= 20; seed++) {
            emu::seed((uint64_t)seed);
            float sum = 0;
            run(threads, 1, [&] { sum += kernel(wrong != 0); });
            found[wrong] += sum != sum;
        }
    if (found[0] != 0) emu::fail("is taken for wrong: %s", what);
    if (found[1] == 0) emu::fail("goes unnoticed: %s", what);
}

float *floats() { return (float *)shared_memory(); }

void check_threads() {
    stops("a barrier that one thread passes by", 64, [] {
        if (threadIdx.x != 5) __syncthreads();
    });
    stops("a warp that shuffles in parts", 32, [] {
        if (threadIdx.x < 16) shuffle_xor(1, 1);
        else __syncwarp();
    });
    differs("no barrier between writing and reading", 64, [](bool wrong) {
        floats()[threadIdx.x] = 1;
        if (!wrong) __syncthreads();
        return floats()[63 - threadIdx.x];
    });
    stops("a store behind shared memory", 32, [] { floats()[SHARED / 4 + threadIdx.x] = 1; });
    stops("ldmatrix behind shared memory", 32, [] {
        u32 r[4];
        ldmatrix4(r, BASE + SHARED - 16 * threadIdx.x);
    });
}

void check_copies() {
    Array<float> source(4 * 64);
    for (int i = 0; i < 4 * 64; i++) source[i] = 1;
    differs("no wait for a copy", 64, [&](bool wrong) {
        copy_async(BASE + 16 * threadIdx.x, source.data + 4 * threadIdx.x, 16);
        copy_async_commit();
        if (!wrong) copy_async_wait<0>();
        float sum = floats()[4 * threadIdx.x];
        copy_async_wait<0>();
        return sum;
    });
    differs("a wait for one group less", 32, [&](bool wrong) {
        for (int i = 0; i < 2; i++) {
            copy_async(BASE + 512 * i + 16 * threadIdx.x, source.data + 4 * threadIdx.x, 16);
            copy_async_commit();
        }
        if (wrong) copy_async_wait<1>();
        else copy_async_wait<0>();
        float sum = floats()[128 + 4 * threadIdx.x];
        copy_async_wait<0>();
        return sum;
    });
    differs("no barrier behind the wait", 64, [&](bool wrong) {
        copy_async(BASE + 16 * threadIdx.x, source.data + 4 * threadIdx.x, 16);
        copy_async_commit();
        copy_async_wait<0>();
        if (!wrong) __syncthreads();
        return floats()[4 * (63 - threadIdx.x)];
    });
    stops("a copy from behind an array", 32, [&] {
        copy_async(BASE, source.data + 4 * 64 - (threadIdx.x == 7 ? 0 : 4), 16);
        copy_async_commit();
        copy_async_wait<0>();
    });
    stops("a copy from an odd address", 32, [&] { copy_async(BASE, source.data + 1, 16); });
}

TensorMap map_of(const Halves &matrix, int rows, int columns) {
    TensorMap map;
    if (!emu::encode(&map, matrix->data, rows, columns, columns * 2, 64, 64)) emu::fail("a map is refused");
    return map;
}

void check_engine() {
    constexpr u32 BARRIER = BASE + 16384;
    Halves matrix = random_bf16(70 * 72);
    TensorMap map = map_of(matrix, 70, 72);
    // Column x + 8 c + i of row y + r has to be value i of 16-byte chunk c ^ (r & 7) of row r; zeros outside.
    for (auto [x, y] : {std::pair(0, 0), std::pair(8, 6), std::pair(64, 64), std::pair(-3, -5), std::pair(200, 0)}) {
        bool right = true;
        run(32, 1, [&] {
            if (threadIdx.x != 0) return;
            mbarrier_init(BARRIER, 1);
            mbarrier_fence_init();
            mbarrier_arrive_expect(BARRIER, 8192);
            tma_load(BASE, &map, BARRIER, x, y);
            mbarrier_wait(BARRIER, 0);
            const bf16 *tile = (const bf16 *)shared_memory();
            for (int r = 0; r < 64; r++)
                for (int c = 0; c < 64; c++) {
                    int row = y + r, column = x + c;
                    bool inside = row >= 0 && row < 70 && column >= 0 && column < 72;
                    bf16 expected = inside ? (*matrix)[row * 72 + column] : 0;
                    right = right && tile[r * 64 + ((c / 8) ^ (r & 7)) * 8 + c % 8] == expected;
                }
        });
        if (!right) emu::fail("a box at %d, %d is not where it belongs", x, y);
    }
    auto load = [&](int bytes, bool fence, bool wait) {
        if (threadIdx.x != 0) return 0.0f;
        mbarrier_init(BARRIER, 1);
        if (fence) mbarrier_fence_init();
        mbarrier_arrive_expect(BARRIER, bytes);
        tma_load(BASE, &map, BARRIER, 0, 0);
        if (wait) mbarrier_wait(BARRIER, 0);
        float value = float_of_bfloat(*(const bf16 *)shared_memory());
        if (!wait) mbarrier_wait(BARRIER, 0);
        return value;
    };
    differs("no wait for a box", 32, [&](bool wrong) { return load(8192, true, !wrong); });
    stops("fewer bytes expected than a box has", 32, [&] { load(8000, true, true); });
    stops("more bytes expected than a box has", 32, [&] { load(8200, true, true); });
    stops("a barrier that the copy engine may not see yet", 32, [&] { load(8192, false, true); });
    stops("a block that ends before its box has come", 32, [&] {
        if (threadIdx.x != 0) return;
        mbarrier_init(BARRIER, 1);
        mbarrier_fence_init();
        tma_load(BASE, &map, BARRIER, 0, 0);
    });
    stops("a tile written over before it was stored", 32, [&] {
        if (threadIdx.x != 0) return;
        memset(shared_memory(), 0, 8192);
        tma_store(&map, BASE, 0, 0);
        tma_store_commit();
        shared_memory()[100] = 1;
        tma_store_wait_read();
    });
    stops("a thread that ends before its tile was read", 32, [&] {
        if (threadIdx.x != 0) return;
        memset(shared_memory(), 0, 8192);
        tma_store(&map, BASE, 0, 0);
        tma_store_commit();
    });
    stops("one arrival too many", 32, [&] {
        if (threadIdx.x == 0) mbarrier_init(BARRIER, 33);
        __syncwarp();
        mbarrier_arrive(BARRIER);
        mbarrier_wait(BARRIER, 0);
    });
    stops("a barrier written over", 32, [&] {
        if (threadIdx.x == 0) mbarrier_init(BARRIER, 32);
        __syncwarp();
        shared_memory()[BARRIER - BASE + 3] ^= 1;
        mbarrier_arrive(BARRIER);
    });
    stops(
        "a box for a block that the cluster has not", 32,
        [&] {
            if (threadIdx.x != 0) return;
            mbarrier_init(BARRIER, 1);
            mbarrier_fence_init();
            tma_load_multicast(BASE, &map, BARRIER, 0, 0, 4);
        },
        2);
}

void check_products() {
    auto product = [](bool fence, bool wait, bool disturb) {
        bf16 *tile = (bf16 *)shared_memory();
        for (int i = (int)threadIdx.x; i < 8192; i += 128) tile[i] = 0x3f80;
        __syncthreads();
        float sums[64] = {};
        if (fence) wgmma_fence(sums);
        wgmma(sums, descriptor(BASE), descriptor(BASE), 1);
        wgmma_commit();
        if (disturb) tile[threadIdx.x] = 0;
        if (wait) wgmma_wait<0>(sums);
        float sum = sums[threadIdx.x % 64];
        if (!wait) wgmma_wait<0>(sums);
        return sum;
    };
    differs("sums read before they are there", 128, [&](bool wrong) { return product(true, !wrong, false); });
    stops("a product without a fence", 128, [&] { product(false, true, false); });
    stops("a matrix changed under a product", 128, [&] { product(true, true, true); });
    stops("a product that one warp does not join", 128, [&] {
        if (threadIdx.x >= 32) product(true, true, false);
    });
}
}  // namespace

void check_emulation() {
    check_threads();
    check_copies();
    check_engine();
    check_products();
}
