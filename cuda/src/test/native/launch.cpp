// Modules and launches. A module is a list of names with, in PTX, the sizes of their arguments, which are held against
// those of the same kernel compiled for the host.
#include "standin.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <sys/uio.h>
#include <unistd.h>

namespace {
// Kernels are declared for groups of 64.
constexpr unsigned GROUP_SIZE = 64;
// What a launch may have of shared memory without asking, and on Hopper at all.
constexpr int USUAL_SHARED_BYTES = 48 << 10, MOST_SHARED_BYTES = 227 << 10;
// What a tensor map takes of an argument's 128 bytes, and what is noted behind it: see cuTensorMapEncodeTiled.
constexpr int MAP_BYTES = 128, NOTES = 9;
// The largest argument.
constexpr int MOST_ARGUMENT_BYTES = 2048;

struct Function {
    const HostKernel *kernel;
    int shared_bytes = USUAL_SHARED_BYTES;
};

struct Module {
    std::map<std::string, std::unique_ptr<Function>> functions;
};

std::set<Module *> modules;
std::set<Function *> functions;

const HostKernel *host_kernel(const std::string &name) {
    for (const HostKernel &kernel : host_kernels())
        if (name == kernel.name) return &kernel;
    return nullptr;
}

void add(Module *module, const std::string &name) {
    const HostKernel *kernel = host_kernel(name);
    if (!kernel) {
        violation(SUCCESS, "cuModuleLoadData: the kernel %s has no form for the host", name.c_str());
        return;
    }
    module->functions[name].reset(new Function{kernel});
    functions.insert(module->functions[name].get());
}

// Bytes of each argument from a list such as ".param .u64 adam_param_0, .param .align 8 .b8 adam_param_1[24]".
std::vector<int> argument_bytes(const std::string &list) {
    std::vector<int> bytes;
    for (size_t at = list.find(".param"); at != std::string::npos; at = list.find(".param", at + 1)) {
        size_t type = list.find('.', at + 6);
        while (type != std::string::npos && !isdigit(list[type + 2])) type = list.find('.', type + 1);
        int each = type == std::string::npos ? 0 : atoi(list.c_str() + type + 2) / 8;
        size_t count = list.find('[', at);
        bytes.push_back(count < list.find(".param", at + 1) ? each * atoi(list.c_str() + count + 1) : each);
    }
    return bytes;
}

CUresult load_ptx(Module *module, const std::string &text) {
    bool complete = text.find(".version") != std::string::npos;
    for (size_t at = text.find(".entry "); at != std::string::npos; at = text.find(".entry ", at + 1)) {
        size_t open = text.find('(', at), close = text.find(')', at);
        if (open == std::string::npos) return INVALID_IMAGE;
        std::string name = text.substr(at + 7, open - at - 7);
        add(module, name);
        const HostKernel *kernel = host_kernel(name);
        if (!complete || !kernel) continue;
        std::vector<int> bytes = argument_bytes(text.substr(open, close - open));
        bool equal = (int)bytes.size() == kernel->count;
        for (int i = 0; equal && i < kernel->count; i++) equal = bytes[i] == kernel->arguments[i].bytes;
        if (!equal) violation(SUCCESS, "cuModuleLoadData: %s takes other arguments on the host", name.c_str());
    }
    return SUCCESS;
}

// The names of an ELF's sections of code: ".text.adam".
void load_cubin(Module *module, const char *image) {
    uint64_t headers;
    uint16_t size, count;
    memcpy(&headers, image + 0x28, sizeof headers);
    memcpy(&size, image + 0x3a, sizeof size);
    memcpy(&count, image + 0x3c, sizeof count);
    std::string text(image, headers + (uint64_t)size * count);
    for (const HostKernel &kernel : host_kernels()) {
        std::string section = std::string(".text.") + kernel.name;
        if (text.find(section.c_str(), 0, section.size() + 1) != std::string::npos) add(module, kernel.name);
    }
}

struct alignas(MAP_BYTES) Value {
    uint64_t words[MOST_ARGUMENT_BYTES / 8];
};

struct Launch {
    const HostKernel *kernel;
    unsigned across, down;
    int threads, shared;
    std::vector<Value> values;

    CUresult check() const {
        for (int i = 0; i < kernel->count; i++) {
            const uint64_t *words = values[i].words;
            if (kernel->arguments[i].bytes == MAP_BYTES) {
                const uint64_t *noted = words + EMULATED_MAP_BYTES / 8;
                size_t bytes = (noted[2] - 1) * noted[3] + noted[1] * 2;
                if (CUresult code = check_device(noted[0], bytes, kernel->name)) return code;
            } else if (kernel->arguments[i].pointer && !(kernel->cluster && words[0] == 0)) {
                // Those that only CUDA has take null for what is missing.
                if (CUresult code = check_device(words[0], 1, kernel->name)) return code;
            }
        }
        return SUCCESS;
    }

    CUresult run() {
        if (CUresult code = check()) return code;
        counts.launches++;
        counts.of_kernel[kernel->name]++;
        if (settings.fail_launch > 0 && --settings.fail_launch == 0) return lost = (CUresult)settings.fail_code;
        std::vector<void *> addresses;
        for (Value &value : values) addresses.push_back(&value);
        if (kernel->cluster) run_emulated(*kernel, addresses.data(), across, down, threads, shared);
        else run_groups(*kernel, addresses.data(), across, GROUP_SIZE);
        check_redzones(kernel->name);
        return SUCCESS;
    }
};

// Reads memory that may not be there.
bool read(void *to, void *from, size_t bytes) {
    iovec target{to, bytes}, source{from, bytes};
    return process_vm_readv(getpid(), &target, 1, &source, 1, 0) == (ssize_t)bytes;
}

CUresult launch(Function *function, const unsigned *grid, const unsigned *block, unsigned shared, Stream *stream,
                void **arguments) {
    if (!functions.count(function)) return violation(INVALID_HANDLE, "a launch of no kernel, or of one that was unloaded");
    const HostKernel *kernel = function->kernel;
    const char *name = kernel->name;
    unsigned most_down = kernel->cluster ? 0xffff : 1;
    if (grid[0] < 1 || grid[0] > 0x7fffffff || grid[1] < 1 || grid[1] > most_down || grid[2] != 1)
        return violation(INVALID_VALUE, "%s: a grid of %u x %u x %u groups", name, grid[0], grid[1], grid[2]);
    bool size = kernel->cluster ? block[0] % 32 == 0 && block[0] >= 32 && block[0] <= 1024 : block[0] == GROUP_SIZE;
    if (!size || block[1] != 1 || block[2] != 1)
        return violation(INVALID_VALUE, "%s: groups of %u x %u x %u", name, block[0], block[1], block[2]);
    if (shared > (unsigned)(kernel->cluster ? function->shared_bytes : 0))
        return violation(INVALID_VALUE, "%s: %u bytes of shared memory", name, shared);
    if (!arguments) return violation(INVALID_VALUE, "%s: no arguments", name);
    Launch one{kernel, grid[0], grid[1], (int)block[0], (int)shared, {}};
    for (int i = 0; i < kernel->count; i++) {
        Value value = {};
        if (kernel->arguments[i].bytes > MOST_ARGUMENT_BYTES) return violation(INVALID_VALUE, "%s: argument %d", name, i);
        if (!read(&value, arguments[i], kernel->arguments[i].bytes))
            return violation(INVALID_VALUE, "%s: argument %d cannot be read", name, i);
        one.values.push_back(value);
    }
    if (CUresult code = one.check()) return code;
    return issue(stream, [one]() mutable { return one.run(); });
}
}  // namespace

std::vector<HostKernel> &host_kernels() {
    static std::vector<HostKernel> kernels;
    return kernels;
}

std::string open_modules() {
    return modules.empty() ? "" : std::to_string(modules.size()) + " modules\n";
}

void forget_modules() {
    for (Module *module : modules) delete module;
    modules.clear();
    functions.clear();
}

API cuModuleLoadData(Module **module, const void *image) {
    ENTER();
    const char *text = (const char *)image;
    bool cubin = memcmp(text, "\177ELF", 4) == 0;
    if (cubin && (settings.refuse_cubin || settings.capability != 90)) return INVALID_IMAGE;
    std::unique_ptr<Module> loaded(new Module);
    if (cubin) load_cubin(loaded.get(), text);
    else if (CUresult code = load_ptx(loaded.get(), text)) return code;
    *module = loaded.release();
    modules.insert(*module);
    return SUCCESS;
}

API cuModuleUnload(Module *module) {
    ENTER();
    if (CUresult code = drain_all()) return code;
    if (modules.erase(module) == 0) return violation(INVALID_HANDLE, "cuModuleUnload: no module, or unloaded twice");
    for (auto &entry : module->functions) functions.erase(entry.second.get());
    delete module;
    return SUCCESS;
}

API cuModuleGetFunction(Function **function, Module *module, const char *name) {
    ENTER();
    if (!modules.count(module)) return violation(INVALID_HANDLE, "cuModuleGetFunction: no module");
    auto at = module->functions.find(name);
    if (at == module->functions.end()) return NOT_FOUND;
    *function = at->second.get();
    return SUCCESS;
}

API cuFuncSetAttribute(Function *function, int attribute, int value) {
    ENTER();
    if (!functions.count(function)) return violation(INVALID_HANDLE, "cuFuncSetAttribute: no kernel");
    if (attribute != 8 || value < 0 || value > MOST_SHARED_BYTES)
        return violation(INVALID_VALUE, "cuFuncSetAttribute: %d for attribute %d", value, attribute);
    function->shared_bytes = value;
    return SUCCESS;
}

API cuLaunchKernel(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, Stream *stream, void **arguments, void **extra) {
    ENTER();
    if (extra) return violation(INVALID_VALUE, "cuLaunchKernel: extra options");
    unsigned grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
    return launch(function, grid, block, shared, stream, arguments);
}

// A map that the emulated machine reads, if it is of its one kind; behind it what was asked for, so that a test can look.
API cuTensorMapEncodeTiled(void *map, int type, unsigned rank, uint64_t address, const uint64_t *extents,
                           const uint64_t *strides, const unsigned *box, const unsigned *steps, int interleave,
                           int swizzle, int promotion, int fill) {
    ENTER();
    if ((uint64_t)map % 64 != 0) return violation(INVALID_VALUE, "cuTensorMapEncodeTiled: a map at an odd place");
    if (rank != 2 || address % 16 != 0 || strides[0] % 16 != 0 || steps[0] != 1 || steps[1] != 1 || box[0] > 256 ||
        box[1] > 256 || interleave != 0 || fill != 0)
        return violation(INVALID_VALUE, "cuTensorMapEncodeTiled: not as the documentation allows");
    if (CUresult code = check_device(address, (extents[1] - 1) * strides[0] + extents[0] * 2, "cuTensorMapEncodeTiled"))
        return code;
    memset(map, 0, MAP_BYTES);
    constexpr int BFLOAT16 = 9, SWIZZLE_128 = 3;
    if (type == BFLOAT16 && swizzle == SWIZZLE_128 &&
        !encode_emulated(map, address, extents[1], extents[0], strides[0], box[1], box[0]))
        return violation(INVALID_VALUE, "cuTensorMapEncodeTiled: boxes of %u x %u", box[1], box[0]);
    uint64_t *words = (uint64_t *)map + EMULATED_MAP_BYTES / 8;
    uint64_t noted[NOTES] = {address, extents[0], extents[1], strides[0], box[0], box[1], (uint64_t)type,
                        (uint64_t)swizzle, (uint64_t)promotion};
    std::copy(std::begin(noted), std::end(noted), words);
    return SUCCESS;
}
