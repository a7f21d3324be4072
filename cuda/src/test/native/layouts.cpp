// What the Java side writes by offsets (TensorMap, Driver), against the header of the real driver.
#include <cuda.h>

static_assert(sizeof(CUtensorMap) == 128);
static_assert(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 == 9 && CU_TENSOR_MAP_INTERLEAVE_NONE == 0);
static_assert(CU_TENSOR_MAP_SWIZZLE_NONE == 0 && CU_TENSOR_MAP_SWIZZLE_128B == 3);
static_assert(CU_TENSOR_MAP_L2_PROMOTION_L2_128B == 2 && CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE == 0);

// The functions that Driver calls take these arguments.
using Context = CUresult (*)(CUcontext);
using Launch = CUresult (*)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream,
                            void **, void **);
using Graph = CUresult (*)(CUgraphExec, CUstream);
using Synchronize = CUresult (*)(CUstream);
using Record = CUresult (*)(CUevent, CUstream);
using ToDevice = CUresult (*)(CUdeviceptr, const void *, size_t, CUstream);
using ToHost = CUresult (*)(void *, CUdeviceptr, size_t, CUstream);
using Fill = CUresult (*)(CUdeviceptr, unsigned char, size_t, CUstream);
using Encode = CUresult (*)(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *, const cuuint64_t *,
                            const cuuint64_t *, const cuuint32_t *, const cuuint32_t *, CUtensorMapInterleave,
                            CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
static_assert(sizeof(CUdeviceptr) == 8 && sizeof(size_t) == 8);
Context context = cuCtxSetCurrent;
Launch launch = cuLaunchKernel;
Graph graph = cuGraphLaunch;
Synchronize synchronize = cuStreamSynchronize;
Record record = cuEventRecord;
ToDevice toDevice = cuMemcpyHtoDAsync;
ToHost toHost = cuMemcpyDtoHAsync;
Fill fill = cuMemsetD8Async;
Encode encode = cuTensorMapEncodeTiled;
