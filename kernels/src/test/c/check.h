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
// Arrays of exactly n elements on the heap, so that the sanitizer sees the first byte past the end.
float *random_floats(int64_t n);
uint16_t *random_halves(int64_t n, int32_t type);
int32_t *random_ids(int64_t n, int64_t limit);
void *copy_of(const void *p, int64_t bytes);
void require(int condition, const char *what);
// Fails unless the normalised mean squared error is below 1e-10 (and non-finite values agree).
void require_close(const char *what, const float *expected, const float *actual, int64_t n);

// Runs `call` with the reference writing `expected`, then on each instruction set writing `actual`.
#define EACH_ISA(isa) for (int32_t isa = L4M_ISA_BASE; isa < L4M_ISA_COUNT; isa++) if (l4m_isa_supported(isa) && l4m_isa_select(isa) == 0)

void check_matmul(void);

#endif
