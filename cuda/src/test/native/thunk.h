// A call by a list of addresses, as the driver gets a kernel's arguments, of a function on the host.
#pragma once
#include <cstddef>
#include <type_traits>
#include <utility>

#include "standin.h"

template <class T>
constexpr Argument argument() {
    return {sizeof(T), std::is_pointer<T>::value};
}

template <auto F>
struct Thunk;

template <class... A, void (*F)(A...)>
struct Thunk<F> {
    static constexpr Argument arguments[] = {argument<A>()...};
    static constexpr int count = sizeof...(A);

    template <size_t... I>
    static void call(void **p, std::index_sequence<I...>) {
        F(*static_cast<A *>(p[I])...);
    }
    static void call(void **p) { call(p, std::index_sequence_for<A...>{}); }
};
