// Each kernel, run by the emulation, against a plain formula in double precision.
#ifndef CHECK_H
#define CHECK_H

#include <cstdint>
#include <memory>
#include <vector>

#include "../../main/cuda/epilogue.cuh"

// Arrays of exactly n elements at a multiple of 256 bytes (plus `shift` bytes), so that the address sanitizer sees the
// first byte behind.
template <typename T>
struct Array {
    explicit Array(int64_t n, int shift = 0) : count(n) {
        if (posix_memalign(&base, 256, (size_t)(n * (int64_t)sizeof(T) + shift)) != 0) emu::fail("no memory");
        data = (T *)((char *)base + shift);
        memset((void *)data, 0xff, (size_t)n * sizeof(T));
    }
    ~Array() { free(base); }
    Array(const Array &) = delete;
    T &operator[](int64_t i) { return data[i]; }
    const T &operator[](int64_t i) const { return data[i]; }
    T *data;
    int64_t count;
    void *base;
};
typedef std::unique_ptr<Array<bf16>> Halves;
typedef std::unique_ptr<Array<float>> Floats;
typedef std::unique_ptr<Array<int>> Ints;

// The tests' own generator: its draws do not depend on what the emulation draws.
int64_t pick(int64_t low, int64_t high);  // [low, high]
double uniform();                         // [-1, 1)
Halves random_bf16(int64_t n, int shift = 0);
Floats random_f32(int64_t n);
double value(bf16 x);
double activation_of(int kind, double x);

// What a sum in F32 may lose, and what rounding to BF16 may: half a unit in the last place is 2^-8, squared.
constexpr double F32_BOUND = 1e-10, BF16_BOUND = 0x1p-16 * 1.2;

// Fails unless the normalised mean squared error over `expected` is below `bound`; says what was run.
struct Comparison {
    double error = 0, norm = 0;
    bool finite = true;
    int64_t count = 0;
    void add(double expected, double actual);
    void finish(double bound, const char *format, ...) __attribute__((format(printf, 3, 4)));
};

void check_emulation();
void check_matmul();
void check_matmul_hopper();
void check_attention();
void check_quantised();
void check_rows();
void check_tables();

#endif
