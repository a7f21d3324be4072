// One function table per instruction set; the best one that the machine runs is chosen when the library is
// loaded. LLM4MSR_ISA=ref|base|avx2|avx512|avx512vnni|avx512bf16|avx512amx or l4m_isa_select choose another, so that
// each can be tested.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "l4m.h"

#define K(name, parameters, arguments) int name##_ref parameters, name##_base parameters;
#include "kernels.def"
#undef K
#if defined(__x86_64__)
#define K(name, parameters, arguments) \
    int name##_avx2 parameters, name##_avx512 parameters, name##_avx512vnni parameters, name##_avx512bf16 parameters;
#include "kernels.def"
#undef K
#endif

typedef struct {
#define K(name, parameters, arguments) int(*name) parameters;
#include "kernels.def"
#undef K
} table;

static const table tables[L4M_ISA_COUNT] = {
#define K(name, parameters, arguments) .name = name##_ref,
    [L4M_ISA_REF] = {
#include "kernels.def"
    },
#undef K
#define K(name, parameters, arguments) .name = name##_base,
    [L4M_ISA_BASE] = {
#include "kernels.def"
    },
#undef K
#if defined(__x86_64__)
#define K(name, parameters, arguments) .name = name##_avx2,
    [L4M_ISA_AVX2] = {
#include "kernels.def"
    },
#undef K
#define K(name, parameters, arguments) .name = name##_avx512,
    [L4M_ISA_AVX512] = {
#include "kernels.def"
    },
#undef K
#define K(name, parameters, arguments) .name = name##_avx512vnni,
    [L4M_ISA_AVX512_VNNI] = {
#include "kernels.def"
    },
#undef K
#define K(name, parameters, arguments) .name = name##_avx512bf16,
    [L4M_ISA_AVX512_BF16] = {
#include "kernels.def"
    },
    [L4M_ISA_AVX512_AMX] = {
#include "kernels.def"
    },
#undef K
#endif
};

static _Atomic int32_t selected;

// Whether the processor has AMX for 8-bit integers and the system saves its registers, for which Linux wants to be
// asked once for each process (arch_prctl, ARCH_REQ_XCOMP_PERM).
static int has_amx(void) {
#if defined(L4M_AMX_EMULATED)
    return 1;
#elif defined(L4M_AMX) && defined(__linux__)
    enum { TILE = 1 << 24, INT8 = 1 << 25, REGISTERS = 3 << 17, ASK = 0x1023, TILE_DATA = 18 };
    uint32_t a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if ((saved & REGISTERS) != REGISTERS) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & TILE) || !(d & INT8)) return 0;
    return syscall(SYS_arch_prctl, ASK, TILE_DATA) == 0;
#else
    return 0;
#endif
}

L4M_API int32_t l4m_isa_supported(int32_t isa) {
    if (isa == L4M_ISA_REF || isa == L4M_ISA_BASE) return 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (isa == L4M_ISA_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (isa == L4M_ISA_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (isa == L4M_ISA_AVX512_VNNI) return l4m_isa_supported(L4M_ISA_AVX512) && __builtin_cpu_supports("avx512vnni");
    if (isa == L4M_ISA_AVX512_BF16)
        return l4m_isa_supported(L4M_ISA_AVX512_VNNI) && __builtin_cpu_supports("avx512bf16");
    if (isa == L4M_ISA_AVX512_AMX) return l4m_isa_supported(L4M_ISA_AVX512_BF16) && has_amx();
#endif
    return 0;
}

L4M_API int32_t l4m_isa_selected(void) { return selected; }

L4M_API int l4m_isa_select(int32_t isa) {
    if (isa < 0 || isa >= L4M_ISA_COUNT) return L4M_BAD_ARGUMENT;
    if (!l4m_isa_supported(isa)) return L4M_UNSUPPORTED_ISA;
    selected = isa;
    return L4M_OK;
}

__attribute__((constructor)) static void choose(void) {
    static const char *const names[L4M_ISA_COUNT] = {"ref",        "base",       "avx2",     "avx512",
                                                      "avx512vnni", "avx512bf16", "avx512amx"};
    const char *wanted = getenv("LLM4MSR_ISA");
    for (int32_t isa = L4M_ISA_BASE; isa < L4M_ISA_COUNT; isa++)
        if (l4m_isa_supported(isa)) selected = isa;
    for (int32_t isa = 0; wanted != NULL && isa < L4M_ISA_COUNT; isa++)
        if (strcmp(wanted, names[isa]) == 0) l4m_isa_select(isa);
}

#define K(name, parameters, arguments) \
    L4M_API int l4m_##name parameters { return tables[selected].name arguments; }
#include "kernels.def"
#undef K
