// A stand-in for NVIDIA's driver: the functions that the cuda backend calls, with the host's memory in place of a
// device's and the portable kernels compiled for the host in place of the device's code. It does what is asked as a
// device would, late: a stream's work waits until somebody waits for it. And it is strict: whatever the real driver
// might let pass, or answer by a crash, is noted and makes the tests fail.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

typedef int CUresult;
enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    LAUNCH_FAILED = 719,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALIDATED = 901,
};

// What tests set, by these names; see standin_set.
struct Settings {
    long driver = 13000;          // CUDA's version as cuDriverGetVersion says it
    long devices = 1;
    long capability = 86;
    long memory = 8L << 30;       // bytes of a device
    long multiprocessors = 4;
    long prohibited = 0;          // whether the compute mode forbids contexts
    long fail_allocation = 0;     // the n-th allocation of device memory from now on finds none
    long fail_launch = 0;         // the n-th kernel that runs from now on ends with fail_code, for good
    long fail_code = LAUNCH_FAILED;
    long refuse_cubin = 0;        // takes PTX only
};
extern Settings settings;

// What tests count.
struct Counts {
    long allocations = 0;
    long launches = 0;
    std::map<std::string, long> of_kernel;  // launches
    long graph_launches = 0;
    long captures = 0;
};
extern Counts counts;

extern std::recursive_mutex lock;
// Once set, every call returns it: a device that is lost.
extern CUresult lost;

// Notes what should not have been done; returns the code.
CUresult violation(CUresult code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define API extern "C" __attribute__((visibility("default"))) CUresult
// Calls that work in a context need one on this thread.
#define ENTER()                                     \
    std::lock_guard<std::recursive_mutex> guard(lock); \
    if (lost) return lost;                          \
    if (CUresult code = need_context(__func__)) return code
CUresult need_context(const char *function);

// One piece of a stream's work.
typedef std::function<CUresult()> Work;

struct Graph {
    std::vector<Work> work;
};

struct Stream {
    std::deque<Work> waiting;
    Graph *capturing = nullptr;
    bool invalidated = false;
};

// Issues work to a stream, or into what it captures.
CUresult issue(Stream *stream, Work work);
// Runs all that a stream, or all streams, have waiting.
CUresult drain(Stream *stream);
CUresult drain_all();
// Not allowed while this thread captures.
CUresult not_capturing(const char *function);
bool is_stream(const Stream *stream);

// Memory: bounds, poison, and what is still there.
CUresult check_device(uint64_t address, size_t bytes, const char *use);
CUresult check_pinned(const void *address, size_t bytes, const char *use);
void check_redzones(const char *after);
// What is open now, one line each.
std::string open_memory();
void forget_memory();

// Kernels that were compiled for the host.
struct Argument {
    int bytes;
    bool pointer;
};
struct HostKernel {
    const char *name;
    const Argument *arguments;
    int count;
    void (*call)(void **arguments);
    // Blocks of a cluster on the emulated machine; 0 for the portable kernels, which run in groups of work items.
    int cluster;
};
std::vector<HostKernel> &host_kernels();
std::string open_modules();
void forget_modules();

// Runs the groups of work items of a portable kernel.
void run_groups(const HostKernel &kernel, void **arguments, int groups, int group_size);
// Runs the blocks of a kernel that only CUDA has.
void run_emulated(const HostKernel &kernel, void **arguments, unsigned across, unsigned down, int threads, int shared);
// A tensor map as the emulated machine reads it, EMULATED_MAP_BYTES of it; false if a driver would refuse it.
constexpr size_t EMULATED_MAP_BYTES = 48;
bool encode_emulated(void *map, uint64_t matrix, int64_t rows, int64_t columns, int64_t row_bytes, int box_rows,
                     int box_columns);
