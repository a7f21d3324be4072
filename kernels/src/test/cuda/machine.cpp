// Fibres, blocks and meetings: everything that is not an instruction of its own.
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "machine.h"

// Saves the registers that a call keeps and the stack pointer at *from, and goes on with those saved at `to` (System V
// ABI for x86-64). swapcontext would do, with two system calls and the sanitizer's own work each time.
extern "C" void emu_switch(void **from, void *to);
asm(R"(
.text
.globl emu_switch
emu_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
)");

namespace emu {

Index thread_index, block_index, grid_size, block_size;
Fibre *self;
std::vector<Fibre> fibres;
std::vector<Block> blocks;
Meeting cluster_meeting;
int shared_size, threads_of_block;
std::vector<std::function<void()>> deliveries;

static constexpr size_t STACK = 128 << 10;
static std::vector<char *> stacks;
static std::vector<int> ready;
static void *outside;
static const std::function<void()> *kernel;
static uint64_t state = 1;

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "emulation: ");
    vfprintf(stderr, format, arguments);
    if (self != nullptr)
        fprintf(stderr, " (block %u of %u, thread %d, at %s)", self->block->index.x, grid_size.x, self->thread,
                self->at);
    fprintf(stderr, "\n");
    fflush(nullptr);
    _exit(1);  // on a fibre's stack
}

void seed(uint64_t value) { state = value * 2 + 1; }

uint64_t lot(uint64_t below) {  // xorshift64* (Vigna 2016)
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 0x2545f4914f6cdd1dULL >> 33) % below;
}

void poison(void *p, size_t bytes) { memset(p, 0xff, bytes); }

void wake(int fibre) { ready.push_back(fibre); }

static void deliver_one() {
    size_t i = lot(deliveries.size());
    std::function<void()> delivery = std::move(deliveries[i]);
    deliveries[i] = std::move(deliveries.back());
    deliveries.pop_back();
    delivery();
}

static void enter(Fibre &next, void **from) {
    self = &next;
    thread_index = {(unsigned)next.thread, 0, 0};
    block_index = next.block->index;
    emu_switch(from, next.stack);
}

// Goes on with a fibre drawn by lot, or back to launch() when all are done.
static void next(Fibre *from) {
    if (!deliveries.empty() && lot(64) == 0) deliver_one();
    while (ready.empty() && !deliveries.empty()) deliver_one();
    if (ready.empty()) {
        for (Fibre &f : fibres)
            if (!f.done) {
                fprintf(stderr, "emulation: block %u thread %d waits at %s\n", f.block->index.x, f.thread, f.at);
            }
        fail("no thread can go on");
    }
    size_t i = lot(ready.size());
    Fibre &chosen = fibres[(size_t)ready[i]];
    ready[i] = ready.back();
    ready.pop_back();
    if (&chosen != from) enter(chosen, &from->stack);
}

void sleep(const char *at) {
    self->at = at;
    next(self);
}

void yield() {
    ready.push_back(self->number);
    next(self);
}

static int running;

static void main_of_fibre() {
    (*kernel)();
    self->at = "the end";
    if (!self->copies.empty() || !self->groups.empty()) fail("a thread ends before its copies have arrived");
    if (!self->stores.empty()) fail("a thread ends before its stores have read shared memory");
    self->done = true;
    self->block->live--;
    if (--running == 0) emu_switch(&self->stack, outside);
    next(self);
    abort();
}

void meet(Meeting &meeting, int count, const char *what, const std::function<void()> &last) {
    if (meeting.arrived > 0 && strcmp(meeting.what, what) != 0)
        fail("%s meets threads at %s: they have taken different ways", what, meeting.what);
    meeting.what = what;
    if (++meeting.arrived < count) {
        meeting.waiting.push_back(self->number);
        sleep(what);
        return;
    }
    last();
    meeting.arrived = 0;
    for (int fibre : meeting.waiting) wake(fibre);
    meeting.waiting.clear();
}

unsigned char *at_shared(u32 address, int bytes, Block **block) {
    Block *owner = self->block;
    if (u32 rank = address >> RANK_SHIFT) {
        if (rank > blocks.size()) fail("no block %u in the cluster", rank - 1);
        owner = &blocks[rank - 1];
        address &= (1u << RANK_SHIFT) - 1;
        if (owner->live == 0) fail("the shared memory of block %u of the cluster, which has ended", rank - 1);
    }
    if (address < SHARED_START || address + (u32)bytes > SHARED_START + (u32)shared_size)
        fail("shared address %u of %d bytes is outside", address, bytes);
    if (block != nullptr) *block = owner;
    return owner->shared + (address - SHARED_START);
}

void launch(Index grid, int threads, int shared_bytes, int cluster, const std::function<void()> &body) {
    if (threads % 32 != 0 || threads > 1024 || grid.x * grid.y * grid.z == 0 || grid.x % (unsigned)cluster != 0 ||
        shared_bytes > 227 << 10)
        fail("a launch of %u x %u x %u blocks of %d threads, %d bytes, cluster %d", grid.x, grid.y, grid.z, threads,
             shared_bytes, cluster);
    grid_size = grid;
    block_size = {(unsigned)threads, 1, 1};
    shared_size = shared_bytes;
    threads_of_block = threads;
    kernel = &body;
    size_t count = (size_t)threads * (size_t)cluster;
    while (stacks.size() < count) stacks.push_back((char *)aligned_alloc(64, STACK));
    unsigned total = grid.x * grid.y * grid.z;
    for (unsigned first = 0; first < total; first += (unsigned)cluster) {
        blocks.assign((size_t)cluster, Block());
        fibres = std::vector<Fibre>(count);
        ready.clear();
        cluster_meeting = Meeting();
        for (int r = 0; r < cluster; r++) {
            Block &block = blocks[(size_t)r];
            unsigned number = first + (unsigned)r;
            block.index = {number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y};
            block.rank = r;
            // Exactly as large as asked for, so that the address sanitizer sees the first byte behind.
            if (posix_memalign((void **)&block.shared, 1024, (size_t)(shared_bytes > 0 ? shared_bytes : 1)) != 0)
                abort();
            poison(block.shared, (size_t)shared_bytes);
            block.warps.resize((size_t)threads / 32);
            block.warpgroups.resize((size_t)(threads + 127) / 128);
            block.live = threads;
            for (int t = 0; t < threads; t++) {
                int number_of_fibre = r * threads + t;
                Fibre &f = fibres[(size_t)number_of_fibre];
                f.block = &block;
                f.number = number_of_fibre;
                f.thread = t;
                // As emu_switch leaves a stack: six registers, then where to go on.
                void **top = (void **)(stacks[(size_t)number_of_fibre] + STACK) - 8;
                memset(top, 0, 8 * sizeof(void *));
                top[6] = (void *)main_of_fibre;
                f.stack = top;
                ready.push_back(number_of_fibre);
            }
        }
        running = (int)count;
        size_t i = lot(ready.size());
        Fibre &begin = fibres[(size_t)ready[i]];
        ready[i] = ready.back();
        ready.pop_back();
        enter(begin, &outside);
        self = nullptr;
        if (!deliveries.empty()) fail("a block ends before its loads have arrived");
        for (Block &block : blocks) {
            for (Warp &w : block.warps)
                if (!w.open.empty() || !w.groups.empty()) fail("a block ends before its products are done");
            free(block.shared);
        }
    }
}

}  // namespace emu

using namespace emu;

void __syncthreads() {
    meet(self->block->barriers[0], threads_of_block, "__syncthreads", [] {});
}
void __syncwarp() {
    meet(warp().meeting, 32, "__syncwarp", [] {});
}
int atomicCAS(int *p, int expected, int desired) {
    int old = *p;
    if (old == expected) *p = desired;
    return old;
}
unsigned char *shared_memory() { return self->block->shared; }
u32 shared_address(const void *p) {
    const unsigned char *at = (const unsigned char *)p;
    if (at < self->block->shared || at > self->block->shared + shared_size) fail("not an address in shared memory");
    return SHARED_START + (u32)(at - self->block->shared);
}
