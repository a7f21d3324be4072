// One file of the kernels that only CUDA has, for the emulated machine of kernels/src/test/cuda: compiled once for each
// KERNEL_FILE, with ENTRIES such as ENTRY(matmul_mma, 1), a kernel and the blocks of its clusters.
#include KERNEL_FILE

#include "thunk.h"

#define ENTRY(name, cluster) {#name, Thunk<name>::arguments, Thunk<name>::count, Thunk<name>::call, cluster},
static const HostKernel emulated[] = {ENTRIES};
static const bool registered = [] {
    for (const HostKernel &kernel : emulated) host_kernels().push_back(kernel);
    return true;
}();
