// What the parts of the emulation share: fibres, blocks, and meetings of threads.
#ifndef MACHINE_H
#define MACHINE_H

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "../../main/cuda/mma.cuh"

namespace emu {

struct Block;

// Where a number of threads wait for each other.
struct Meeting {
    const char *what = nullptr;
    int arrived = 0;
    std::vector<int> waiting;
};

struct Copy {
    unsigned char *to;
    const void *from;
    int bytes;
};

// A product of a warpgroup in flight: what it read, so that a change before its end is noticed, and its results.
struct Chunk {
    const unsigned char *place;
    unsigned char seen[16];
};
struct Product {
    std::vector<Chunk> chunks;
};
struct Share {
    std::shared_ptr<Product> product;
    std::vector<std::pair<float *, std::vector<float>>> sums;
};

struct Fibre {
    void *stack = nullptr;  // where its registers are saved
    Block *block = nullptr;
    int number = 0;  // in the launch's fibres
    int thread = 0;  // in its block
    const char *at = "start";
    bool done = false;
    const void *operands = nullptr;
    std::vector<Copy> copies;
    std::deque<std::vector<Copy>> groups;
    std::vector<std::function<void()>> stores;
    int stores_committed = 0;
    bool fenced = false;
};

// An mbarrier; its eight bytes in shared memory hold a mark that nobody may touch.
struct Barrier {
    int arrivals, pending, phase = 0;
    int64_t bytes = 0;
    bool visible = false;
    std::vector<int> waiting;
};

struct Warp {
    Meeting meeting;
    std::vector<Share> open;
    std::deque<std::vector<Share>> groups;
};

struct Block {
    Index index;
    int rank;
    unsigned char *shared;
    std::vector<Warp> warps;
    std::vector<Meeting> warpgroups;
    std::map<int, Meeting> barriers;
    std::map<u32, Barrier> mbarriers;
    int live = 0;
};

extern Fibre *self;
extern std::vector<Fibre> fibres;
extern std::vector<Block> blocks;
extern Meeting cluster_meeting;
extern int shared_size, threads_of_block;
// What the copy engine has still to deliver.
extern std::vector<std::function<void()>> deliveries;

uint64_t lot(uint64_t below);
void wake(int fibre);
// Gives the processor away; this fibre goes on once somebody wakes it.
void sleep(const char *at);
// Lets others go first.
void yield();
// All `count` threads of a meeting arrive, the last one runs `last`.
void meet(Meeting &meeting, int count, const char *what, const std::function<void()> &last);

// The address in some block of the cluster, `bytes` of it checked; shared addresses begin at SHARED_START.
constexpr u32 SHARED_START = 1024, RANK_SHIFT = 24;
unsigned char *at_shared(u32 address, int bytes, Block **block = nullptr);
void poison(void *p, size_t bytes);

inline int lane() { return self->thread % 32; }
inline Warp &warp() { return self->block->warps[self->thread / 32]; }
// The fibre of a lane of this warp, of a thread of this warpgroup.
inline Fibre &lane_fibre(int i) { return *(self - lane() + i); }
inline Fibre &group_fibre(int i) { return *(self - self->thread % 128 + i); }

}  // namespace emu

#endif
