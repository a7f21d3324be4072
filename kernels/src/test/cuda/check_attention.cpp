#include "check.h"

#define ATTENTION(dim)                                                                                              \
    extern "C" void attention_##dim(int sequences, int heads, int kv_heads, float scale, int before, int after,     \
                                    float cap, const bf16 *q, i64 ldq, const bf16 *k, const bf16 *v, i64 ldk,       \
                                    const int *offsets, const int *begins, const int *ends, const int *rows,        \
                                    void *out, int type, const int *fault)
ATTENTION(64);
ATTENTION(128);

namespace {
struct Mask {
    int before, after;
    double cap;
};
constexpr int ALL = INT32_MAX;

// `earlier`: keys of earlier tokens lie before those of each sequence; then, all begin with the same `prefix` rows of keys,
// which a list of rows says where to find.
void run(int dim, const std::vector<int> &lengths, int kv_heads, int share, Mask mask, bool earlier, int prefix) {
    int heads = kv_heads * share, sequences = (int)lengths.size(), type = (int)pick(0, 1);
    Ints offsets = std::make_unique<Array<int>>(sequences + 1), begins = std::make_unique<Array<int>>(sequences),
         ends = std::make_unique<Array<int>>(sequences);
    int tokens = 0, keys = 0;
    for (int s = 0; s < sequences; s++) {
        (*offsets)[s] = tokens;
        tokens += lengths[(size_t)s];
        (*begins)[s] = keys += (int)pick(0, 2);
        (*ends)[s] = keys += lengths[(size_t)s] + (int)pick(0, 90);
    }
    (*offsets)[sequences] = tokens;
    if (!earlier) keys = tokens;
    // Each sequence's list: the prefix, then its own rows; what lies between the sequences' rows is in no list.
    std::vector<int> rows;
    if (prefix > 0) {
        for (int s = 0; s < sequences; s++) {
            int begin = earlier ? (*begins)[s] : (*offsets)[s], end = earlier ? (*ends)[s] : (*offsets)[s + 1];
            (*begins)[s] = (int)rows.size();
            for (int i = 0; i < prefix; i++) rows.push_back(keys + prefix - 1 - i);
            for (int i = begin; i < end; i++) rows.push_back(i);
            (*ends)[s] = (int)rows.size();
        }
        keys += prefix;
        earlier = true;
    }
    Array<int> list((i64)rows.size());
    std::copy(rows.begin(), rows.end(), list.data);
    i64 ldq = heads * dim + 8 * pick(0, 2), ldk = kv_heads * dim + 8 * pick(0, 2);
    Halves q = random_bf16((tokens - 1) * ldq + heads * dim), k = random_bf16((keys - 1) * ldk + kv_heads * dim),
           v = random_bf16((keys - 1) * ldk + kv_heads * dim);
    Halves half = std::make_unique<Array<bf16>>(tokens * heads * dim);
    Floats single = std::make_unique<Array<float>>(tokens * heads * dim);
    double scale = mask.cap > 0 ? 1.5 : 4 / std::sqrt(dim);
    int fault = 0;
    emu::launch({(unsigned)(tokens / 64 + sequences), (unsigned)heads, 1}, 128, 3 * 64 * dim * 2, 1, [&] {
        (dim == 64 ? attention_64 : attention_128)(
            sequences, heads, kv_heads, (float)scale, mask.before, mask.after, (float)mask.cap, q->data, ldq, k->data,
            v->data, ldk, offsets->data, earlier ? begins->data : nullptr, earlier ? ends->data : nullptr,
            prefix > 0 ? list.data : nullptr, type == RESULT_F32 ? (void *)single->data : half->data, type, &fault);
    });
    Comparison comparison;
    std::vector<double> p;
    for (int s = 0; s < sequences; s++) {
        int begin = earlier ? (*begins)[s] : (*offsets)[s], end = earlier ? (*ends)[s] : (*offsets)[s + 1];
        int n = end - begin;
        for (int token = (*offsets)[s]; token < (*offsets)[s + 1]; token++)
            for (int h = 0; h < heads; h++) {
                int64_t position = n - ((*offsets)[s + 1] - token);
                int64_t from = std::max<int64_t>(0, position - mask.before);
                int64_t to = std::min<int64_t>(n, position + 1 + mask.after);
                auto at = [&](const Halves &matrix, int64_t key, int c) {
                    int64_t row = prefix > 0 ? rows[(size_t)(begin + key)] : begin + key;
                    return value((*matrix)[row * ldk + h / share * dim + c]);
                };
                p.assign((size_t)n, 0);
                double top = -INFINITY, sum = 0;
                for (int64_t j = from; j < to; j++) {
                    double dot = 0;
                    for (int c = 0; c < dim; c++) dot += value((*q)[token * ldq + h * dim + c]) * at(k, j, c);
                    p[(size_t)j] = mask.cap > 0 ? mask.cap * std::tanh(scale * dot / mask.cap) : scale * dot;
                    top = std::max(top, p[(size_t)j]);
                }
                for (int64_t j = from; j < to; j++) sum += p[(size_t)j] = std::exp(p[(size_t)j] - top);
                for (int c = 0; c < dim; c++) {
                    double expected = 0;
                    for (int64_t j = from; j < to; j++) expected += p[(size_t)j] / sum * at(v, j, c);
                    int64_t place = ((int64_t)token * heads + h) * dim + c;
                    comparison.add(expected, type == RESULT_F32 ? (*single)[place] : value((*half)[place]));
                }
            }
    }
    comparison.finish(BF16_BOUND,
                      "attention_%d: %d tokens, %d sequences, %d x %d heads, before %d, after %d, cap %g%s, prefix %d",
                      dim, tokens, sequences, kv_heads, share, mask.before, mask.after, mask.cap,
                      earlier ? ", earlier keys" : "", prefix);
}
}  // namespace

void check_attention() {
    for (int dim : {64, 128}) {
        run(dim, {1}, 1, 1, {ALL, 0, 0}, false, 0);
        run(dim, {64, 128}, 1, 1, {ALL, 0, 0}, false, 0);
        run(dim, {63, 0, 65, 1, 0, 130}, 1, 2, {ALL, 0, 0}, false, 0);
        run(dim, {0, 3, 100, 0}, 2, 2, {ALL, ALL, 0}, false, 0);
        run(dim, {150, 31}, 1, 3, {40, 0, 0}, false, 0);
        run(dim, {77, 90}, 1, 1, {0, 0, 0}, false, 0);
        run(dim, {129, 20}, 2, 1, {17, 5, 0}, false, 0);
        run(dim, {90, 7}, 1, 2, {ALL, 0, 3}, false, 0);
        run(dim, {5, 70, 1}, 1, 2, {ALL, 0, 0}, true, 0);
        run(dim, {20, 0, 67, 1}, 1, 2, {ALL, 0, 0}, false, 37);
        run(dim, {9, 66}, 2, 1, {100, 0, 5}, true, 130);
        run(dim, {40, 80}, 1, 1, {30, 0, 0}, true, 64);
    }
}
