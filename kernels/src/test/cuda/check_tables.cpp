// Lookups, and the step of a looked-up table.
#include <algorithm>

#include "check.h"

// As in embedding_concat.cu.
struct Table {
    const float *values;
    int rows, width;
    i64 at;
};
struct Tables {
    Table of[64];
};
extern "C" void embedding_concat(int where, i64 count, int fields, Tables tables, const int *ids, i64 ids_ld,
                                 i64 first, float *out, i64 ld, int *fault);
extern "C" void segment_adam(i64 size, i64 width, int lazy, float beta1, float rest1, float log1, float beta2,
                             float rest2, float log2, float epsilon, float decay, float *p, float *m, float *v,
                             i64 count, const u64 *keys, const int *rows, const int *starts, const int *total,
                             const float *dy, i64 dy_stride, i64 dy_at, const u64 *state, const int *fault);

namespace {
void run_concat(int count, const std::vector<int> &widths, int gap, bool bad) {
    int fields = (int)widths.size();
    std::vector<Floats> data;
    Tables tables = {};
    // Other tables' ids stand before and behind.
    int before = (int)pick(0, 2), ids_ld = before + fields + (int)pick(0, 2);
    Array<int> ids((int64_t)count * ids_ld);
    for (i64 i = 0; i < ids.count; i++) ids[i] = -7;
    auto place = [&](i64 i, int f) { return i * ids_ld + before + f; };
    i64 ld = 0;
    for (int f = 0; f < fields; f++) {
        i64 rows = pick(1, 9);
        data.push_back(random_f32(rows * widths[(size_t)f]));
        tables.of[f] = {data.back()->data, (int)rows, widths[(size_t)f], ld};
        for (int i = 0; i < count; i++) ids[place(i, f)] = (int)pick(0, rows - 1);
        ld += widths[(size_t)f];
    }
    ld += gap;
    i64 wrong = bad ? place(pick(0, count - 1), (int)pick(0, fields - 1)) : -1;
    if (bad) ids[wrong] = pick(0, 1) ? -1 : 9;
    Array<float> out((i64)count * ld);
    int fault[3] = {0, 0, 0};
    emu::launch({(unsigned)((count * fields + 7) / 8), 1, 1}, 256, 0, 1,
                [&] { embedding_concat(7, count, fields, tables, ids.data, ids_ld, before, out.data, ld, fault); });
    if (bad ? fault[0] != 7 || fault[1] != wrong || fault[2] != ids[wrong] : fault[0] != 0)
        emu::fail("embedding_concat noted fault %d, %d, %d", fault[0], fault[1], fault[2]);
    Comparison comparison;
    for (i64 i = 0; i < count; i++)
        for (int f = 0; f < fields; f++)
            for (i64 j = 0; j < widths[(size_t)f] && place(i, f) != wrong; j++)
                comparison.add((*data[(size_t)f])[ids[place(i, f)] * widths[(size_t)f] + j],
                               out[i * ld + tables.of[f].at + j]);
    comparison.finish(0, "embedding_concat: %d rows, %d fields%s", count, fields, bad ? ", an id out of range" : "");
}

// `skew`: so many of the positions have the same id.
void run_adam(int size, int width, int count, int skew, bool lazy) {
    Array<u64> keys(count);
    Array<int> rows(count), starts(count);
    i64 stride = width + pick(0, 5), at = stride - width;
    Floats dy = random_f32(std::max<i64>(count, 1) * stride);
    int hot = (int)pick(0, size - 1), total = 0;
    for (int i = 0; i < count; i++) keys[i] = (u64)(i < skew ? hot : pick(0, size - 1)) << 32 | (u64)i;
    std::sort(keys.data, keys.data + count);
    for (int i = 0; i < count; i++)
        if (i == 0 || keys[i] >> 32 != keys[i - 1] >> 32) {
            rows[total] = (int)(keys[i] >> 32);
            starts[total++] = i;
        }
    i64 cells = (i64)size * width;
    Floats p = random_f32(cells), m = random_f32(cells), v = random_f32(cells);
    for (i64 i = 0; i < cells; i++) (*v)[i] = std::fabs((*v)[i]);
    std::vector<double> gradient((size_t)cells, 0), old_p(p->data, p->data + cells), old_m(m->data, m->data + cells),
        old_v(v->data, v->data + cells);
    std::vector<bool> touched((size_t)size, false);
    for (int i = 0; i < count; i++) {
        i64 row = (i64)(keys[i] >> 32), position = (i64)(keys[i] & 0xffffffff);
        touched[(size_t)row] = true;
        for (i64 j = 0; j < width; j++) gradient[(size_t)(row * width + j)] += (*dy)[position * stride + at + j];
    }
    double rate = 0.01, step = (double)pick(1, 1000), beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0.01;
    double state[2] = {rate, step};
    int fault = 0, units = lazy ? count : size;
    if (units > 0)
        emu::launch({(unsigned)((units + 7) / 8), 1, 1}, 256, 1088, 1, [&] {
            segment_adam(size, width, lazy, (float)beta1, (float)(1 - beta1), (float)std::log(beta1), (float)beta2,
                         (float)(1 - beta2), (float)std::log(beta2), (float)epsilon, (float)decay, p->data, m->data,
                         v->data, count, keys.data, rows.data, starts.data, &total, dy->data, stride, at, (u64 *)state,
                         &fault);
        });
    Comparison comparison[3];
    double first = 1 - std::pow(beta1, step), second = 1 - std::pow(beta2, step);
    for (i64 i = 0; i < cells; i++) {
        double new_p = old_p[(size_t)i], new_m = old_m[(size_t)i], new_v = old_v[(size_t)i];
        if (!lazy || touched[(size_t)(i / width)]) {
            double g = gradient[(size_t)i] + decay * new_p;
            new_m = beta1 * new_m + (1 - beta1) * g;
            new_v = beta2 * new_v + (1 - beta2) * g * g;
            new_p -= lazy ? rate * std::sqrt(second) / first * new_m / (std::sqrt(new_v) + epsilon)
                          : rate / first * new_m / (std::sqrt(new_v / second) + epsilon);
        }
        comparison[0].add(new_p - old_p[(size_t)i], (double)(*p)[i] - old_p[(size_t)i]);
        comparison[1].add(new_m, (*m)[i]);
        comparison[2].add(new_v, (*v)[i]);
    }
    // A step is small beside its parameter, in F32.
    const double bounds[] = {1e-8, 1e-11, 1e-11};
    for (int i = 0; i < 3; i++)
        comparison[i].finish(bounds[i], "segment_adam: %c, %d x %d, %d positions%s", "pmv"[i], size, width, count,
                             lazy ? ", lazy" : "");
}
}  // namespace

void check_tables() {
    run_concat(1, {1}, 0, false);
    run_concat(13, {8, 16, 4}, 0, false);
    run_concat(33, {5, 64, 130, 1}, 3, false);
    run_concat(9, {16, 3}, 0, true);
    for (bool lazy : {false, true}) {
        run_adam(1, 1, 1, 0, lazy);
        run_adam(10, 16, 0, 0, lazy);
        run_adam(50, 33, 40, 0, lazy);
        run_adam(20, 8, 300, 150, lazy);
        run_adam(3, 70, 500, 100, lazy);
        run_adam(9, 32, 33, 33, lazy);
    }
}
