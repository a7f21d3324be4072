// A device's memory: poisoned where nothing was written, between zones that nothing may write to; what was given back
// stays for a while, poisoned too. And the host's pinned memory.
#include "standin.h"

#include <cstdlib>
#include <cstring>
#include <map>

namespace {
constexpr size_t ZONE = 4096;
constexpr size_t QUARANTINE = 64 << 20;
// As floats, not numbers.
constexpr unsigned char UNWRITTEN = 0xff, RETURNED = 0xfe, AROUND = 0xa5;

struct Block {
    unsigned char *raw;
    size_t bytes;
};

std::map<uint64_t, Block> blocks;
std::deque<std::pair<uint64_t, Block>> returned;
size_t used, returned_bytes;
std::map<uint64_t, size_t> pinned;

bool is_filled(const unsigned char *p, size_t bytes, unsigned char value) {
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != value) return false;
    return true;
}

void check_zones(const Block &block, const char *after) {
    if (!is_filled(block.raw, ZONE, AROUND)) violation(SUCCESS, "%s: something was written before a block", after);
    if (!is_filled(block.raw + ZONE + block.bytes, ZONE, AROUND))
        violation(SUCCESS, "%s: something was written behind a block of %zu bytes", after, block.bytes);
    memset(block.raw, AROUND, ZONE);
    memset(block.raw + ZONE + block.bytes, AROUND, ZONE);
}

void evict() {
    Block block = returned.front().second;
    returned.pop_front();
    returned_bytes -= block.bytes;
    if (!is_filled(block.raw + ZONE, block.bytes, RETURNED))
        violation(SUCCESS, "a block of %zu bytes was written to after it was freed", block.bytes);
    free(block.raw);
}

template <class Map>
auto holder(Map &map, uint64_t address) {
    auto at = map.upper_bound(address);
    return at == map.begin() ? map.end() : --at;
}
}  // namespace

CUresult check_device(uint64_t address, size_t bytes, const char *use) {
    auto at = holder(blocks, address);
    if (at != blocks.end() && address - at->first <= at->second.bytes && bytes <= at->second.bytes - (address - at->first))
        return SUCCESS;
    for (auto &old : returned)
        if (address >= old.first && address < old.first + old.second.bytes)
            return violation(INVALID_VALUE, "%s: memory that was freed", use);
    return violation(INVALID_VALUE, "%s: %zu bytes that are not in one block of the device", use, bytes);
}

CUresult check_pinned(const void *address, size_t bytes, const char *use) {
    uint64_t number = (uint64_t)address;
    auto at = holder(pinned, number);
    if (at != pinned.end() && number - at->first <= at->second && bytes <= at->second - (number - at->first)) return SUCCESS;
    return violation(INVALID_VALUE, "%s: %zu bytes that are not in one block of pinned memory", use, bytes);
}

void check_redzones(const char *after) {
    for (auto &entry : blocks) {
        const Block &block = entry.second;
        // Near the block after each kernel, all of it when it is freed.
        if (!is_filled(block.raw + ZONE - 64, 64, AROUND) || !is_filled(block.raw + ZONE + block.bytes, 64, AROUND))
            check_zones(block, after);
    }
}

std::string open_memory() {
    std::string text;
    for (auto &entry : blocks) text += "device memory, " + std::to_string(entry.second.bytes) + " bytes\n";
    for (auto &entry : pinned) text += "pinned memory, " + std::to_string(entry.second) + " bytes\n";
    return text;
}

void forget_memory() {
    while (!blocks.empty()) {
        free(blocks.begin()->second.raw);
        blocks.erase(blocks.begin());
    }
    while (!returned.empty()) evict();
    for (auto &entry : pinned) free((void *)entry.first);
    pinned.clear();
    used = 0;
}

API cuMemAlloc_v2(uint64_t *address, size_t bytes) {
    ENTER();
    if (CUresult code = not_capturing("cuMemAlloc")) return code;
    if (bytes == 0) return violation(INVALID_VALUE, "cuMemAlloc of nothing");
    counts.allocations++;
    if (settings.fail_allocation > 0 && --settings.fail_allocation == 0) return OUT_OF_MEMORY;
    if (bytes > (size_t)settings.memory - used) return OUT_OF_MEMORY;
    Block block{(unsigned char *)aligned_alloc(4096, (bytes + 2 * ZONE + 4095) / 4096 * 4096), bytes};
    if (!block.raw) return OUT_OF_MEMORY;
    memset(block.raw, AROUND, ZONE);
    memset(block.raw + ZONE, UNWRITTEN, bytes);
    memset(block.raw + ZONE + bytes, AROUND, ZONE);
    *address = (uint64_t)(block.raw + ZONE);
    blocks[*address] = block;
    used += bytes;
    return SUCCESS;
}

API cuMemFree_v2(uint64_t address) {
    ENTER();
    if (CUresult code = not_capturing("cuMemFree")) return code;
    if (CUresult code = drain_all()) return code;
    auto at = blocks.find(address);
    if (at == blocks.end()) {
        for (auto &old : returned)
            if (old.first == address) return violation(INVALID_VALUE, "cuMemFree: freed twice");
        return violation(INVALID_VALUE, "cuMemFree: not the address of a block");
    }
    check_zones(at->second, "cuMemFree");
    memset((void *)address, RETURNED, at->second.bytes);
    used -= at->second.bytes;
    returned_bytes += at->second.bytes;
    returned.emplace_back(address, at->second);
    blocks.erase(at);
    while (returned_bytes > QUARANTINE) evict();
    return SUCCESS;
}

API cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
    ENTER();
    *free_bytes = settings.memory - used;
    *total = settings.memory;
    return SUCCESS;
}

API cuMemHostAlloc(void **address, size_t bytes, unsigned) {
    ENTER();
    if (CUresult code = not_capturing("cuMemHostAlloc")) return code;
    *address = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*address) return OUT_OF_MEMORY;
    memset(*address, UNWRITTEN, bytes);
    pinned[(uint64_t)*address] = bytes;
    return SUCCESS;
}

API cuMemFreeHost(void *address) {
    ENTER();
    if (CUresult code = not_capturing("cuMemFreeHost")) return code;
    if (CUresult code = drain_all()) return code;
    if (pinned.erase((uint64_t)address) == 0) return violation(INVALID_VALUE, "cuMemFreeHost: not pinned memory");
    free(address);
    return SUCCESS;
}

API cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, Stream *stream) {
    ENTER();
    auto check = [=]() -> CUresult {
        CUresult code = check_device(to, bytes, "cuMemcpyHtoDAsync");
        return code ? code : check_pinned(from, bytes, "cuMemcpyHtoDAsync");
    };
    if (CUresult code = check()) return code;
    return issue(stream, [=] {
        if (CUresult code = check()) return code;
        memcpy((void *)to, from, bytes);
        return (CUresult)SUCCESS;
    });
}

API cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, Stream *stream) {
    ENTER();
    auto check = [=]() -> CUresult {
        CUresult code = check_device(from, bytes, "cuMemcpyDtoHAsync");
        return code ? code : check_pinned(to, bytes, "cuMemcpyDtoHAsync");
    };
    if (CUresult code = check()) return code;
    return issue(stream, [=] {
        if (CUresult code = check()) return code;
        memcpy(to, (const void *)from, bytes);
        return (CUresult)SUCCESS;
    });
}

API cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, Stream *stream) {
    ENTER();
    if (CUresult code = check_device(to, bytes, "cuMemsetD8Async")) return code;
    return issue(stream, [=] {
        if (CUresult code = check_device(to, bytes, "cuMemsetD8Async")) return code;
        memset((void *)to, value, bytes);
        return (CUresult)SUCCESS;
    });
}
