// Hopper's instructions: mbarriers, the tensor copy engine (TMA), clusters, warpgroup products (wgmma).
#include "machine.h"

using namespace emu;

void barrier_sync(int id, int threads) {
    if (id < 1 || id > 15 || threads % 32 != 0) fail("bar.sync %d, %d", id, threads);
    meet(self->block->barriers[id], threads, "bar.sync", [] {});
}

// ---- mbarriers

static constexpr uint64_t MARK = 0x6d62617272696572;

static Barrier &barrier_at(u32 address, Block **owner = nullptr) {
    Block *block;
    unsigned char *place = at_shared(address, 8, &block);
    u32 offset = address & ((1u << RANK_SHIFT) - 1);
    auto found = block->mbarriers.find(offset);
    if (address % 8 != 0 || found == block->mbarriers.end()) fail("no mbarrier at %u", address);
    if (memcmp(place, &MARK, 8) != 0) fail("the mbarrier at %u was written over", address);
    if (owner != nullptr) *owner = block;
    return found->second;
}

// A phase ends when all arrivals and all announced bytes are there.
static void settle(Barrier &barrier) {
    if (barrier.pending != 0 || barrier.bytes != 0) return;
    barrier.phase++;
    barrier.pending = barrier.arrivals;
    for (int fibre : barrier.waiting) wake(fibre);
    barrier.waiting.clear();
}

static void arrive(Barrier &barrier) {
    if (--barrier.pending < 0) fail("an mbarrier gets more arrivals than it was made for");
    settle(barrier);
}

void mbarrier_init(u32 address, int arrivals) {
    unsigned char *place = at_shared(address, 8);
    memcpy(place, &MARK, 8);
    if (address % 8 != 0 || arrivals < 1 || self->block->mbarriers.count(address) != 0)
        fail("mbarrier.init at %u for %d", address, arrivals);
    Barrier &barrier = self->block->mbarriers[address];
    barrier.arrivals = barrier.pending = arrivals;
}

void mbarrier_fence_init() {
    for (auto &entry : self->block->mbarriers) entry.second.visible = true;
}

void mbarrier_arrive(u32 address) { arrive(barrier_at(address)); }

void mbarrier_arrive_at(u32 address, u32 rank) {
    Barrier &barrier = barrier_at((rank + 1) << RANK_SHIFT | address);
    if (!barrier.visible) fail("an mbarrier is used by another block before mbarrier_fence_init");
    arrive(barrier);
}

void mbarrier_arrive_expect(u32 address, int bytes) {
    Barrier &barrier = barrier_at(address);
    barrier.bytes += bytes;
    arrive(barrier);
}

void mbarrier_wait(u32 address, int parity) {
    Barrier *barrier = &barrier_at(address);
    if (parity != 0 && parity != 1) fail("parity %d", parity);
    yield();
    while (barrier->phase % 2 == parity) {
        barrier->waiting.push_back(self->number);
        sleep("mbarrier_wait");
    }
}

// ---- Tensor maps and the copy engine

namespace {
struct Map {
    uint64_t mark;
    const unsigned char *matrix;
    int64_t rows, columns, row_bytes;
    int32_t box_rows, box_columns;
};
static_assert(sizeof(Map) <= sizeof(TensorMap), "fits");

const Map &map_of(const TensorMap *map) {
    const Map *inside = (const Map *)map;
    if ((uintptr_t)map % 64 != 0 || inside->mark != MARK) fail("not a tensor map");
    return *inside;
}

// Where the engine puts element (row, column) of a box: boxes lie row by row, and in the 128-byte swizzle bits 4 to 6
// of the address are exclusive-ored with bits 7 to 9 (PTX ISA, "Swizzling modes").
u32 swizzled(u32 address) { return address ^ (address >> 7 & 7) << 4; }

// Each element of a box: its place in shared memory, and in the matrix or null outside of it. The swizzle moves whole
// chunks of 16 bytes.
template <typename Visit>
void each_element(const Map &map, u32 start, int x, int y, Visit visit) {
    for (int r = 0; r < map.box_rows; r++)
        for (int chunk = 0; chunk < map.box_columns / 8; chunk++) {
            unsigned char *place = at_shared(swizzled(start + (u32)((r * map.box_columns + chunk * 8) * 2)), 16);
            for (int i = 0; i < 8; i++) {
                int64_t row = (int64_t)y + r, column = (int64_t)x + chunk * 8 + i;
                bool inside = row >= 0 && row < map.rows && column >= 0 && column < map.columns;
                visit(place + 2 * i, inside ? (unsigned char *)map.matrix + row * map.row_bytes + column * 2 : nullptr);
            }
        }
}

void check_box(const Map &map, u32 start) {
    // 128 would do for the engine; but then the pattern would not begin with the box.
    if (start % 1024 != 0) fail("a box with 128-byte swizzle at %u, not a multiple of 1024", start);
    at_shared(start, map.box_rows * map.box_columns * 2);
}
}  // namespace

bool emu::encode(TensorMap *map, const void *matrix, int64_t rows, int64_t columns, int64_t row_bytes, int box_rows,
                 int box_columns) {
    if ((uintptr_t)matrix % 16 != 0 || row_bytes % 16 != 0 || row_bytes < columns * 2 || rows < 1 || columns < 1 ||
        box_rows < 1 || box_rows > 256 || box_columns % 8 != 0 || box_columns < 8 || box_columns * 2 > 128)
        return false;
    Map inside = {MARK, (const unsigned char *)matrix, rows, columns, row_bytes, box_rows, box_columns};
    memcpy(map, &inside, sizeof inside);
    return true;
}

static void load(u32 to, const TensorMap *tensor_map, u32 address, int x, int y, unsigned targets) {
    Map map = map_of(tensor_map);
    check_box(map, to);
    std::vector<Block *> to_blocks;
    for (size_t r = 0; r < blocks.size(); r++)
        if (targets >> r & 1) to_blocks.push_back(&blocks[r]);
    if (to_blocks.empty() || targets >> blocks.size() != 0) fail("a load for blocks %x of the cluster", targets);
    for (Block *block : to_blocks) {
        u32 base = (u32)(block->rank + 1) << RANK_SHIFT;
        if (!barrier_at(base | address).visible) fail("the copy engine uses an mbarrier before mbarrier_fence_init");
        poison(at_shared(base | to, map.box_rows * map.box_columns * 2), (size_t)(map.box_rows * map.box_columns * 2));
        deliveries.push_back([=] {
            each_element(map, base | to, x, y, [](unsigned char *place, const unsigned char *element) {
                place[0] = element != nullptr ? element[0] : 0;
                place[1] = element != nullptr ? element[1] : 0;
            });
            Barrier &barrier = barrier_at(base | address);
            barrier.bytes -= map.box_rows * map.box_columns * 2;
            settle(barrier);
        });
    }
}

void tma_load(u32 to, const TensorMap *map, u32 barrier, int x, int y) {
    load(to, map, barrier, x, y, 1u << self->block->rank);
}
void tma_load_multicast(u32 to, const TensorMap *map, u32 barrier, int x, int y, u16 targets) {
    load(to, map, barrier, x, y, targets);
}

// Read when this thread waits, so that who overwrites the tile before is found out; kept to compare.
void tma_store(const TensorMap *tensor_map, u32 from, int x, int y) {
    Map map = map_of(tensor_map);
    check_box(map, from);
    size_t bytes = (size_t)(map.box_rows * map.box_columns * 2);
    const unsigned char *place = at_shared(from, (int)bytes);
    std::vector<unsigned char> seen(place, place + bytes);
    self->stores.push_back([=] {
        if (memcmp(place, seen.data(), bytes) != 0) fail("a tile was changed before the copy engine had read it");
        each_element(map, from, x, y, [](const unsigned char *place, unsigned char *element) {
            if (element == nullptr) return;
            element[0] = place[0];
            element[1] = place[1];
        });
    });
}

void tma_store_commit() { self->stores_committed = (int)self->stores.size(); }

void tma_store_wait_read() {
    self->at = "cp.async.bulk.wait_group.read";
    yield();
    for (int i = 0; i < self->stores_committed; i++) self->stores[(size_t)i]();
    self->stores.erase(self->stores.begin(), self->stores.begin() + self->stores_committed);
    self->stores_committed = 0;
}

// ---- Clusters

u32 cluster_rank() { return (u32)self->block->rank; }
void cluster_sync() {
    meet(cluster_meeting, threads_of_block * (int)blocks.size(), "barrier.cluster", [] {});
}

// ---- Warpgroup products

namespace {
struct WgmmaOperands {
    float *d;
    int n, add;
    u64 a, b;
};

// Rows [rows, 16] of a descriptor (PTX ISA, "Matrix descriptor format"), K-major in the 128-byte swizzle: groups of
// eight rows of 128 bytes, `stride` bytes from group to group; the swizzle acts on the whole address.
void read_matrix(u64 descriptor, int rows, std::vector<float> &values, Product &product) {
    u32 start = (u32)(descriptor & 0x3fff) << 4, stride = (u32)(descriptor >> 32 & 0x3fff) << 4;
    if (descriptor >> 62 != 1 || (descriptor >> 49 & 7) != 0)
        fail("a matrix descriptor %llx other than 128-byte swizzle at base offset 0", descriptor);
    values.resize((size_t)rows * 16);
    float *value = values.data();
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < 2; c++) {
            // The swizzle moves whole chunks of 16 bytes.
            u32 address = start + (u32)(r / 8) * stride + (u32)(r % 8) * 128 + (u32)c * 16;
            if (address % 16 != 0) fail("a matrix at %u, not a multiple of 16", address);
            const unsigned char *place = at_shared(swizzled(address), 16);
            u16 chunk[8];
            memcpy(chunk, place, 16);
            for (int i = 0; i < 8; i++) *value++ = float_of_bfloat(chunk[i]);
            product.chunks.push_back({place, {}});
            memcpy(product.chunks.back().seen, place, 16);
        }
}
}  // namespace

void emu::wgmma_fence_sums(float *) { self->fenced = true; }

// Figure "WGMMA .m64nNk16 register fragment layout for accumulator matrix D": warp w of the warpgroup has rows 16 w to
// 16 w + 15; value 4 j + i of lane l is row l / 4, plus 8 from i = 2 on, column 8 j + 2 (l % 4) + i % 2.
void emu::wgmma_issue(float *d, int n, u64 a, u64 b, int add) {
    if (!self->fenced) fail("wgmma without a fence since its sums were last touched");
    WgmmaOperands operands = {d, n, add, a, b};
    self->operands = &operands;
    meet(self->block->warpgroups[(size_t)self->thread / 128], 128, "wgmma", [] {
        const WgmmaOperands first = *(const WgmmaOperands *)group_fibre(0).operands;
        auto product = std::make_shared<Product>();
        std::vector<float> left, right;
        read_matrix(first.a, 64, left, *product);
        read_matrix(first.b, first.n, right, *product);
        for (int w = 0; w < 4; w++) {
            Warp &warp = self->block->warps[(size_t)(self->thread / 128 * 4 + w)];
            Share share = {product, {}};
            for (int l = 0; l < 32; l++) {
                const WgmmaOperands *o = (const WgmmaOperands *)group_fibre(w * 32 + l).operands;
                if (o->n != first.n || o->a != first.a || o->b != first.b || o->add != first.add)
                    fail("the threads of a warpgroup ask for different products");
                // Sums still in flight go on from where the latest product will leave them.
                std::vector<float> sums(o->d, o->d + o->n / 2);
                auto search = [&](const std::vector<Share> &shares) {
                    for (const Share &earlier : shares)
                        if (earlier.sums[(size_t)l].first == o->d) sums = earlier.sums[(size_t)l].second;
                };
                for (const auto &group : warp.groups) search(group);
                search(warp.open);
                for (int v = 0; v < o->n / 2; v++) {
                    int row = 16 * w + l / 4 + v % 4 / 2 * 8, column = v / 4 * 8 + 2 * (l % 4) + v % 2;
                    const float *a_row = &left[(size_t)row * 16], *b_row = &right[(size_t)column * 16];
                    float sum = o->add ? sums[(size_t)v] : 0.0f;
                    for (int k = 0; k < 16; k++) sum += a_row[k] * b_row[k];
                    sums[(size_t)v] = sum;
                }
                poison(o->d, (size_t)o->n / 2 * sizeof(float));
                share.sums.emplace_back(o->d, std::move(sums));
            }
            warp.open.push_back(std::move(share));
        }
    });
}

void wgmma_commit() {
    meet(warp().meeting, 32, "wgmma.commit_group", [] {
        warp().groups.push_back(std::move(warp().open));
        warp().open.clear();
    });
}

void emu::wgmma_wait_groups(int pending) {
    self->fenced = false;
    meet(warp().meeting, 32, "wgmma.wait_group", [=] {
        while ((int)warp().groups.size() > pending) {
            for (const Share &share : warp().groups.front()) {
                for (const Chunk &chunk : share.product->chunks)
                    if (memcmp(chunk.place, chunk.seen, 16) != 0)
                        fail("shared memory was changed while a wgmma read it");
                for (const auto &sums : share.sums)
                    memcpy(sums.first, sums.second.data(), sums.second.size() * sizeof(float));
            }
            warp().groups.pop_front();
            // What is still in flight on the same sums stays out of reach.
            for (const auto &group : warp().groups)
                for (const Share &share : group)
                    for (const auto &sums : share.sums) poison(sums.first, sums.second.size() * sizeof(float));
        }
    });
}
