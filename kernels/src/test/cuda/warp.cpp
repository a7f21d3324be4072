// The warp's instructions since sm_80: shuffles, ldmatrix, mma.sync m16n8k16, cp.async.
#include "machine.h"

using namespace emu;

static float value_of(u32 pair, int half) { return float_of_bfloat(pair >> 16 * half & 0xffff); }

u32 pack_bf16(float low, float high) {
    u32 both = 0;
    for (int half = 0; half < 2; half++) {
        float value = half ? high : low;
        u32 bits;
        memcpy(&bits, &value, 4);
        u32 rounded = value != value ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        both |= rounded << 16 * half;
    }
    return both;
}

struct ShuffleOperands {
    float value, *result;
    int mask;
};

float shuffle_xor(float value, int mask) {
    float result;
    ShuffleOperands operands = {value, &result, mask};
    self->operands = &operands;
    meet(warp().meeting, 32, "shuffle_xor", [] {
        for (int i = 0; i < 32; i++) {
            const ShuffleOperands *o = (const ShuffleOperands *)lane_fibre(i).operands;
            *o->result = ((const ShuffleOperands *)lane_fibre(i ^ o->mask).operands)->value;
        }
    });
    return result;
}

namespace emu {

// Figures "Matrix Fragments for mma.m16n8k16 with floating point type": with g = lane / 4 and t = lane % 4
//   A  register r: row g, plus 8 for odd r; columns 2 t and 2 t + 1, plus 8 from r = 2 on
//   B  register r: rows 2 t and 2 t + 1, plus 8 for r = 1; column g
//   D  value i: row g, plus 8 from i = 2 on; column 2 t + i % 2
struct MmaOperands {
    float *d;
    const u32 *a, *b;
};

void mma(float *d, const u32 *a, const u32 *b) {
    MmaOperands operands = {d, a, b};
    self->operands = &operands;
    meet(warp().meeting, 32, "mma.sync", [] {
        float left[16][16], right[16][8];
        for (int i = 0; i < 32; i++) {
            const MmaOperands *o = (const MmaOperands *)lane_fibre(i).operands;
            int g = i / 4, t = i % 4;
            for (int r = 0; r < 4; r++)
                for (int half = 0; half < 2; half++)
                    left[g + (r % 2) * 8][2 * t + half + (r / 2) * 8] = value_of(o->a[r], half);
            for (int r = 0; r < 2; r++)
                for (int half = 0; half < 2; half++) right[2 * t + half + 8 * r][g] = value_of(o->b[r], half);
        }
        for (int i = 0; i < 32; i++) {
            const MmaOperands *o = (const MmaOperands *)lane_fibre(i).operands;
            for (int v = 0; v < 4; v++) {
                int row = i / 4 + (v / 2) * 8, column = 2 * (i % 4) + v % 2;
                double sum = o->d[v];
                for (int k = 0; k < 16; k++) sum += (double)left[row][k] * right[k][column];
                o->d[v] = (float)sum;
            }
        }
    });
}

// Lane 8 i + j names row j of matrix i, 16 bytes. Register i of lane l gets elements 2 (l % 4) and the next of row
// l / 4 of matrix i; transposed: of column l / 4.
struct LoadOperands {
    u32 *r, row;
    bool transposed;
};

void ldmatrix(u32 *r, u32 row, bool transposed) {
    LoadOperands operands = {r, row, transposed};
    self->operands = &operands;
    meet(warp().meeting, 32, transposed ? "ldmatrix.trans" : "ldmatrix", [] {
        u16 matrices[4][8][8];
        for (int i = 0; i < 32; i++) {
            const LoadOperands *o = (const LoadOperands *)lane_fibre(i).operands;
            if (o->row % 16 != 0) fail("ldmatrix of a row at %u, not a multiple of 16", o->row);
            memcpy(matrices[i / 8][i % 8], at_shared(o->row, 16), 16);
        }
        for (int i = 0; i < 32; i++) {
            const LoadOperands *o = (const LoadOperands *)lane_fibre(i).operands;
            int major = i / 4, minor = 2 * (i % 4);
            for (int m = 0; m < 4; m++)
                o->r[m] = o->transposed ? matrices[m][minor][major] | (u32)matrices[m][minor + 1][major] << 16
                                        : matrices[m][major][minor] | (u32)matrices[m][major][minor + 1] << 16;
        }
    });
}

void copy_async_wait_groups(int pending) {
    self->at = "cp.async.wait_group";
    yield();
    while ((int)self->groups.size() > pending) {
        for (const Copy &copy : self->groups.front()) {
            memset(copy.to, 0, 16);
            memcpy(copy.to, copy.from, (size_t)copy.bytes);
        }
        self->groups.pop_front();
    }
}

}  // namespace emu

// The place is NaN from now until this thread waits: whoever still reads what stood there is found out too.
void copy_async(u32 to, const void *from, int bytes) {
    if (to % 16 != 0 || bytes < 0 || bytes > 16 || (bytes > 0 && (uintptr_t)from % 16 != 0))
        fail("cp.async of %d bytes from %p to %u", bytes, from, to);
    unsigned char *place = at_shared(to, 16);
    poison(place, 16);
    self->copies.push_back({place, from, bytes});
}

void copy_async_commit() {
    self->groups.push_back(std::move(self->copies));
    self->copies.clear();
}
