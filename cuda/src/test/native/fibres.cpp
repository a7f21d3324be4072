// Groups of work items on one thread. An item that comes to a barrier waits there on a stack of its own while the others
// come; one stack serves all items of kernels that have no barrier.
#include "standin.h"

#include <csetjmp>
#include <cstdlib>
#include <sys/mman.h>
#include <ucontext.h>

namespace {
constexpr int MOST_ITEMS = 64;
constexpr size_t STACK = 128 << 10;

struct Fibre {
    ucontext_t start;
    jmp_buf at;
    bool entered = false;
    bool waiting = false;
    int item = 0;
};

Fibre fibres[MOST_ITEMS];
ucontext_t unused;
jmp_buf scheduler;
Fibre *current;

const HostKernel *kernel;
void **arguments;
int64_t group;
int item;
int next_item;
int items;

// Makecontext only makes the stack: the switches after that save no signal mask, which takes a call of the system.
void to_scheduler(Fibre *fibre) {
    if (_setjmp(fibre->at) == 0) _longjmp(scheduler, 1);
}

void body() {
    Fibre *self = current;
    for (;;) {
        while (next_item < items) {
            self->item = item = next_item++;
            kernel->call(arguments);
        }
        self->waiting = false;
        to_scheduler(self);
    }
}

void resume(Fibre *fibre) {
    current = fibre;
    item = fibre->item;
    if (_setjmp(scheduler) != 0) return;
    if (fibre->entered) _longjmp(fibre->at, 1);
    fibre->entered = true;
    getcontext(&fibre->start);
    fibre->start.uc_stack.ss_sp =
        mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (fibre->start.uc_stack.ss_sp == MAP_FAILED) abort();
    fibre->start.uc_stack.ss_size = STACK;
    fibre->start.uc_link = &unused;
    makecontext(&fibre->start, body, 0);
    setcontext(&fibre->start);
}

void run_group() {
    next_item = 0;
    int waiting = 0;
    while (next_item < items) {
        Fibre *fibre = &fibres[waiting];
        resume(fibre);
        if (fibre->waiting) waiting++;
    }
    if (waiting != 0 && waiting != items)
        violation(SUCCESS, "%s: %d of %d items came to a barrier", kernel->name, waiting, items);
    int waiters = waiting;
    while (waiting != 0) {
        int again = 0;
        for (int i = 0; i < waiters; i++) {
            if (!fibres[i].waiting) continue;
            resume(&fibres[i]);
            again += fibres[i].waiting;
        }
        if (again != 0 && again != waiting)
            violation(SUCCESS, "%s: %d of %d items came to a barrier", kernel->name, again, waiting);
        waiting = again;
    }
}
}  // namespace

extern "C" int kk_local_id(void) { return item; }
extern "C" long long kk_group_id(void) { return group; }
extern "C" void kk_barrier(void) {
    Fibre *self = current;
    self->waiting = true;
    to_scheduler(self);
}

void run_groups(const HostKernel &k, void **args, int groups, int group_size) {
    kernel = &k;
    arguments = args;
    items = group_size;
    for (group = 0; group < groups; group++) run_group();
}
