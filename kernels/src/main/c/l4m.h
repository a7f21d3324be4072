// Shared by every kernel source: error codes, enums, the thread pool's inner interface.
#ifndef L4M_H
#define L4M_H

#include <stddef.h>
#include <stdint.h>

#define L4M_API __attribute__((visibility("default")))

// Return codes; the Java side turns them into messages.
enum {
    L4M_OK = 0,
    L4M_BAD_ARGUMENT = 1,
    L4M_OUT_OF_MEMORY = 2,
    L4M_ID_OUT_OF_RANGE = 3,
    L4M_UNSUPPORTED_ISA = 4,
    L4M_NO_THREAD = 5,
};

// Element types of weights and tables. Arithmetic is always F32. From Q8_0 on they are quantised: blocks of
// 32 or 256 elements, laid out as in GGUF.
enum {
    L4M_F32 = 0,
    L4M_BF16 = 1,
    L4M_F16 = 2,
    L4M_Q8_0 = 3,
    L4M_Q4_0 = 4,
    L4M_Q4_1 = 5,
    L4M_Q5_0 = 6,
    L4M_Q5_1 = 7,
    L4M_Q2_K = 8,
    L4M_Q3_K = 9,
    L4M_Q4_K = 10,
    L4M_Q5_K = 11,
    L4M_Q6_K = 12,
    L4M_IQ4_NL = 13,
    L4M_IQ4_XS = 14,
    L4M_TYPE_COUNT = 15,
};

// Elements and bytes of a block.
static inline int64_t l4m_block_size(int32_t type) {
    static const int16_t sizes[L4M_TYPE_COUNT] = {1, 1, 1, 32, 32, 32, 32, 32, 256, 256, 256, 256, 256, 32, 256};
    return sizes[type];
}
static inline int64_t l4m_block_bytes(int32_t type) {
    static const int16_t bytes[L4M_TYPE_COUNT] = {4, 2, 2, 34, 18, 20, 22, 24, 84, 110, 144, 176, 210, 18, 136};
    return bytes[type];
}

// Activations fused into matmul's epilogue; the first values of the unary enum are the same functions.
enum {
    L4M_ACT_NONE = 0,
    L4M_ACT_RELU = 1,
    L4M_ACT_SIGMOID = 2,
    L4M_ACT_SILU = 3,
    L4M_ACT_TANH = 4,
    L4M_ACT_GELU = 5,
    L4M_ACT_GELU_TANH = 6,
};

// Instruction sets. REF is the plain-C specification with double accumulation.
enum {
    L4M_ISA_REF = 0,
    L4M_ISA_BASE = 1,
    L4M_ISA_AVX2 = 2,
    L4M_ISA_AVX512 = 3,
    L4M_ISA_AVX512_VNNI = 4,
    L4M_ISA_AVX512_BF16 = 5,
    // That, with 8-bit products on tile registers.
    L4M_ISA_AVX512_AMX = 6,
    L4M_ISA_COUNT = 7,
};

L4M_API int32_t l4m_isa_selected(void);

static inline int64_t l4m_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t l4m_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t l4m_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t l4m_round_up(int64_t a, int64_t b) { return l4m_ceil_div(a, b) * b; }

static inline float l4m_f32_from_bits(uint32_t bits) {
    union {
        uint32_t u;
        float f;
    } x = {bits};
    return x.f;
}

static inline uint32_t l4m_bits_from_f32(float value) {
    union {
        float f;
        uint32_t u;
    } x = {value};
    return x.u;
}

static inline float l4m_f32_from_bf16(uint16_t h) { return l4m_f32_from_bits((uint32_t)h << 16); }

// To the nearest, of two the even one; NaN stays NaN.
static inline uint16_t l4m_bf16_from_f32(float x) {
    uint32_t bits = l4m_bits_from_f32(x);
    bits = x == x ? bits + 0x7fff + ((bits >> 16) & 1) : bits | 0x400000;
    return (uint16_t)(bits >> 16);
}

// Shifting the 15 low bits into place and scaling by 2^112 is exact, subnormals included.
static inline float l4m_f32_from_f16(uint16_t h) {
    uint32_t bits = l4m_bits_from_f32(l4m_f32_from_bits((uint32_t)(h & 0x7fff) << 13) * 0x1p112f);
    if ((h & 0x7c00) == 0x7c00) bits |= 0x7f800000;
    return l4m_f32_from_bits(bits | (uint32_t)(h & 0x8000) << 16);
}

// Element i of an unquantised type.
static inline float l4m_load(const void *p, int64_t i, int32_t type) {
    if (type == L4M_F32) return ((const float *)p)[i];
    uint16_t h = ((const uint16_t *)p)[i];
    return type == L4M_BF16 ? l4m_f32_from_bf16(h) : l4m_f32_from_f16(h);
}

// Where element i lies, or in a quantised type its block.
static inline const void *l4m_at(const void *p, int64_t i, int32_t type) {
    if (type <= L4M_F16) return (const char *)p + i * (type == L4M_F32 ? 4 : 2);
    return (const char *)p + i / l4m_block_size(type) * l4m_block_bytes(type);
}

// Zeroed memory of large pages, where the system has them; unmap takes the same number of bytes.
L4M_API int l4m_map(int64_t bytes, void **out);
L4M_API int l4m_unmap(void *at, int64_t bytes);

typedef struct l4m_pool l4m_pool;

// One chunk of a job. thread is in [0, threads) and selects the scratch buffer.
typedef void (*l4m_task)(void *context, int64_t chunk, int thread);

L4M_API int l4m_pool_create(int32_t threads, l4m_pool **out);
L4M_API int l4m_pool_destroy(l4m_pool *pool);

// A kernel begins (which serialises callers and sizes the scratch), runs any number of jobs, and ends.
// begin fails with L4M_OUT_OF_MEMORY and then holds nothing.
int l4m_pool_begin(l4m_pool *pool, size_t bytes_per_thread, size_t shared_bytes);
void l4m_pool_run(l4m_pool *pool, int64_t chunks, l4m_task task, void *context);
void l4m_pool_end(l4m_pool *pool);

int l4m_pool_threads(const l4m_pool *pool);
void *l4m_pool_scratch(l4m_pool *pool, int thread);
void *l4m_pool_shared(l4m_pool *pool);

// How many chunks to cut `items` into when each item costs `cost` (in multiply-adds, roughly): one when
// waking a thread would cost more than it saves, else a few per thread so that a preempted thread does
// not leave the others idle. Never depends on timing, so neither do results.
int64_t l4m_chunks(const l4m_pool *pool, int64_t items, double cost);

// A job over `items` cut into `chunks` nearly equal ranges.
static inline int64_t l4m_chunk_start(int64_t items, int64_t chunks, int64_t chunk) {
    return items / chunks * chunk + l4m_min(chunk, items % chunks);
}

#endif
