// The portable kernels as host C++, and a call by name and list of addresses for each.
#pragma GCC diagnostic ignored "-Wunused-function"
#include "all.kk"


#include "standin.h"

#include <utility>

namespace {
template <class T>
constexpr Argument argument() {
    return {sizeof(T), std::is_pointer<T>::value};
}

template <auto F>
struct Thunk;

template <class... A, void (*F)(A...)>
struct Thunk<F> {
    static constexpr Argument arguments[] = {argument<A>()...};

    template <size_t... I>
    static void call(void **p, std::index_sequence<I...>) {
        F(*static_cast<A *>(p[I])...);
    }
    static void call(void **p) { call(p, std::index_sequence_for<A...>{}); }
};
}  // namespace

#define KERNEL_ENTRY(name) {#name, Thunk<name>::arguments, sizeof Thunk<name>::arguments / sizeof(Argument), Thunk<name>::call},
const HostKernel host_kernels[] = {
#include "kernels.inc"
};
const int host_kernel_count = sizeof host_kernels / sizeof host_kernels[0];
