// The portable kernels as host C++, and a call by name and list of addresses for each.
#pragma GCC diagnostic ignored "-Wunused-function"
#include "all.kk"

#include "thunk.h"

#define KERNEL_ENTRY(name) {#name, Thunk<name>::arguments, Thunk<name>::count, Thunk<name>::call, 0},
static const HostKernel portable[] = {
#include "kernels.inc"
};
static const bool registered = [] {
    for (const HostKernel &kernel : portable) host_kernels().push_back(kernel);
    return true;
}();
