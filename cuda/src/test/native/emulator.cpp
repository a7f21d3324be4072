// Launches on the emulated machine, and tensor maps as it reads them.
#include "../../../../kernels/src/main/cuda/choose.h"
#include "../../../../kernels/src/test/cuda/machine.h"
#include "standin.h"

void run_emulated(const HostKernel &kernel, void **arguments, unsigned across, unsigned down, int threads, int shared) {
    emu::launch({across, down, 1}, threads, shared, kernel.cluster, [&] { kernel.call(arguments); });
}

bool encode_emulated(void *map, uint64_t matrix, int64_t rows, int64_t columns, int64_t row_bytes, int box_rows,
                     int box_columns) {
    return emu::encode((TensorMap *)map, (const void *)matrix, rows, columns, row_bytes, box_rows, box_columns);
}

// What choose.h chooses: the kernel's number and its blocks, for MatmulRung to agree with.
extern "C" __attribute__((visibility("default"))) long standin_choose(int m, int n, int k, int gated, int half,
                                                                      int mapped, int hopper, int multiprocessors) {
    MatmulLaunch launch = choose_matmul(m, n, k, gated, half, mapped, hopper, multiprocessors);
    return (long)launch.kernel << 32 | launch.blocks;
}
