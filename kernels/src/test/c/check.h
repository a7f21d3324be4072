// A small driver: each kernel on every instruction set of this machine against its reference.
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "l4m.h"

#define K(name, parameters, arguments) L4M_API int l4m_##name parameters;
#include "kernels.def"
#undef K
L4M_API int32_t l4m_isa_supported(int32_t isa);
L4M_API int l4m_isa_select(int32_t isa);

extern l4m_pool *pool;

uint64_t random_bits(void);
int64_t random_int(int64_t low, int64_t high);  // [low, high]
int64_t random_size(void);                      // 0, 1, primes, around vector lengths

// Arrays of exactly n elements on the heap, so that the sanitizer sees the first byte past the end;
// freed together by free_arrays.
float *random_floats(int64_t n);
uint16_t *random_halves(int64_t n, int32_t type);
// n values of any stored type, whole blocks of a quantised one.
void *random_stored(int64_t n, int32_t type);
int32_t *random_ids(int64_t n, int64_t limit);
void *array(int64_t bytes);
void free_arrays(void);
// A random grouping of rows: order [rows] and offsets [groups + 1].
void random_groups(int64_t rows, int64_t groups, int32_t **order, int32_t **offsets);

void require(int condition, const char *what);

typedef struct {
    float *data;
    int64_t count;
} output;

void outputs_begin(output *outputs, int count);
void outputs_expect(output *outputs, int count);
void outputs_restore(output *outputs, int count);
void outputs_compare(const char *what, int32_t isa, output *outputs, int count);

// Runs `call` with the reference and then on each instruction set, from the same start, and fails unless the
// normalised mean squared error of every output is below 1e-10.
#define AGREES(what, call, ...)                                                          \
    do {                                                                                 \
        output outs_[] = {__VA_ARGS__};                                                  \
        const int count_ = sizeof outs_ / sizeof *outs_;                                 \
        outputs_begin(outs_, count_);                                                    \
        require(l4m_isa_select(L4M_ISA_REF) == 0 && (call) == 0, what);                  \
        outputs_expect(outs_, count_);                                                   \
        for (int32_t isa_ = L4M_ISA_BASE; isa_ < L4M_ISA_COUNT; isa_++) {                \
            if (!l4m_isa_supported(isa_)) continue;                                      \
            outputs_restore(outs_, count_);                                              \
            require(l4m_isa_select(isa_) == 0 && (call) == 0, what);                     \
            outputs_compare(what, isa_, outs_, count_);                                  \
        }                                                                                \
        free_arrays();                                                                   \
    } while (0)

// Every instruction set reports the index error.
#define REJECTS(what, call)                                                              \
    do {                                                                                 \
        for (int32_t isa_ = L4M_ISA_REF; isa_ < L4M_ISA_COUNT; isa_++) {                 \
            if (!l4m_isa_supported(isa_)) continue;                                      \
            require(l4m_isa_select(isa_) == 0 && (call) == L4M_ID_OUT_OF_RANGE, what);   \
        }                                                                                \
        free_arrays();                                                                   \
    } while (0)

void check_matrices(void);
void check_tables(void);
void check_rows(void);
void check_elements(void);

#endif
