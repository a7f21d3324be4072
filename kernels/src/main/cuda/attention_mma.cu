// Packed attention on tensor cores (sm_80): softmax(mask(scale q k^T)) v within each sequence, no padding, grouped
// heads, windows before and after a token, soft cap, and keys that many sequences share and that are stored once: a list
// of rows says where each key lies. Over the portable kernel, one work item to a key: a block takes 64 queries of one head, a warp 16 of them; both
// products run by mma.sync, the softmax runs along (Milakov and Gimelshein 2018), the weights go from the fragments of
// the first product to those of the second without leaving the registers (Dao 2023), and keys and values come by
// cp.async, values while scores are made, the next keys while values are summed. Other head dimensions than 64 and 128
// are left to the portable kernel.
//
// Launch of attention_64 and attention_128: (tokens / 64 + sequences, heads) blocks of 128 threads, 24,576 or 49,152
// bytes of shared memory. Blocks that find no queries end at once.
// q [tokens, heads, dim] in rows of ldq elements, k and v [keys, kv_heads, dim] in rows of ldk, all BF16, rows at
// multiples of 16 bytes; offsets [sequences + 1]; sequence s sees the keys [begins[s], ends[s]), or its own where begins
// is null; its queries stand at the end of them. Key i is row rows[i] of k and v, or row i where rows is null.
// out [tokens, heads, dim] without gaps, F32 (type 0) or BF16 (1). A query that sees nothing gets zeros.
//
// ptxas 13.0, sm_80: attention_128 215 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_80: attention_64 158 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: attention_128 225 registers, 0 bytes of stack, 0 bytes spilled
// ptxas 13.0, sm_90a: attention_64 163 registers, 0 bytes of stack, 0 bytes spilled
// Not yet measured on a GPU.
#include "epilogue.cuh"

#define QUERIES 64
#define KEYS 64
#define THREADS 128

struct Attention {
    int sequences, heads, kv_heads;
    float scale;
    int before, after;
    float cap;
    const bf16 *q, *k, *v;
    i64 ldq, ldk;
    const int *offsets, *begins, *ends, *rows;
    void *out;
    int type;
};

// As chunk_at, for rows of dim values.
template <int dim>
DEVICE u32 place(int row, int chunk) {
    return (u32)(row * dim * 2 + ((chunk ^ (row & 7)) << 4));
}

// Rows [64, dim]; row_of(r) is the start of row r, or null for zeros.
template <int dim, typename RowOf>
DEVICE void load_rows(u32 to, RowOf row_of, const void *valid) {
#pragma unroll
    for (int i = 0; i < 64 * dim / 8 / THREADS; i++) {
        int e = (int)threadIdx.x + i * THREADS, row = e / (dim / 8), chunk = e % (dim / 8);
        const bf16 *from = row_of(row);
        copy_async(to + place<dim>(row, chunk), from != nullptr ? from + chunk * 8 : valid, from != nullptr ? 16 : 0);
    }
}

// Block b's sequence s: blocks from offsets[s] / 64 + s on belong to s, which are enough for its queries, as
// floor(end / 64) - floor(begin / 64) + 1 >= ceil((end - begin) / 64).
DEVICE int sequence_of(const int *offsets, int sequences, int block) {
    int low = 0, high = sequences;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (offsets[middle] / QUERIES + middle <= block) low = middle;
        else high = middle;
    }
    return low;
}

template <int dim>
DEVICE void attend(const Attention &x) {
    int s = sequence_of(x.offsets, x.sequences, (int)blockIdx.x);
    int begin = x.offsets[s], end = x.offsets[s + 1];
    int first = begin + ((int)blockIdx.x - begin / QUERIES - s) * QUERIES;
    if (first >= end) return;
    int count = end - first < QUERIES ? end - first : QUERIES, head = (int)blockIdx.y;
    int key_begin = x.begins != nullptr ? x.begins[s] : begin, key_end = x.begins != nullptr ? x.ends[s] : end;
    int keys = key_end - key_begin, position = keys - (end - first);  // of the first query
    i64 kv_at = (i64)(head / (x.heads / x.kv_heads)) * dim;

    // Keys that any of the queries sees, from a multiple of KEYS on.
    int last = position + count - 1;
    int from = (position > x.before ? position - x.before : 0) / KEYS * KEYS;
    int to = x.after < keys - last ? last + x.after + 1 : keys;

    u32 q_tile = shared_address(shared_memory()), k_tile = q_tile + QUERIES * dim * 2, v_tile = k_tile + KEYS * dim * 2;
    auto load_keys = [&](u32 tile, int key, const bf16 *from_rows) {
        load_rows<dim>(
            tile,
            [&](int r) -> const bf16 * {
                int at = key + r;
                if (at >= to) return nullptr;
                return from_rows + (i64)(x.rows != nullptr ? x.rows[key_begin + at] : key_begin + at) * x.ldk + kv_at;
            },
            x.q);
    };
    load_rows<dim>(
        q_tile, [&](int r) { return r < count ? x.q + (first + r) * x.ldq + (i64)head * dim : nullptr; }, x.q);
    load_keys(k_tile, from, x.k);
    copy_async_commit();

    // This thread's rows of the warp's 16 are g and g + 8; of each eight columns it has 2 t and 2 t + 1.
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, g = lane / 4, t = lane % 4;
    float sums[dim / 8][4] = {}, most[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};
    int lower[2], upper[2];
    for (int below = 0; below < 2; below++) {
        int p = position + warp * 16 + g + 8 * below;
        lower[below] = p > x.before ? p - x.before : 0;
        upper[below] = x.after < keys - p ? p + x.after + 1 : keys;
    }
    for (int key = from; key < to; key += KEYS) {
        load_keys(v_tile, key, x.v);
        copy_async_commit();
        copy_async_wait<1>();
        __syncthreads();
        float scores[KEYS / 8][4] = {};
#pragma unroll
        for (int c = 0; c < dim / 16; c++) {
            u32 left[4];
            ldmatrix4(left, q_tile + place<dim>(warp * 16 + lane % 16, c * 2 + lane / 16));
#pragma unroll
            for (int n = 0; n < KEYS / 16; n++) {
                u32 right[4];
                ldmatrix4(right, k_tile + place<dim>(n * 16 + lane % 8 + lane / 16 * 8, c * 2 + lane / 8 % 2));
                mma_bf16(scores[2 * n], left, right[0], right[1]);
                mma_bf16(scores[2 * n + 1], left, right[2], right[3]);
            }
        }
        // All have read the keys; the next ones arrive meanwhile.
        __syncthreads();
        if (key + KEYS < to) load_keys(k_tile, key + KEYS, x.k);
        copy_async_commit();

        // In powers of two.
        float top[2] = {most[0], most[1]};
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int at = key + n * 8 + t * 2 + i % 2, below = i / 2;
                float score = scores[n][i] * x.scale;
                // cap * tanh(score / cap)
                if (x.cap > 0.0f)
                    score = x.cap - 2.0f * x.cap * reciprocal_fast(1.0f + exp2_fast(2.88539008f * score / x.cap));
                score = at >= lower[below] && at < upper[below] ? score * 1.44269504f : -INFINITY;
                scores[n][i] = score;
                top[below] = fmaxf(top[below], score);
            }
#pragma unroll
        for (int below = 0; below < 2; below++) {
            top[below] = fmaxf(top[below], shuffle_xor(top[below], 1));
            top[below] = fmaxf(top[below], shuffle_xor(top[below], 2));
            // A row that has seen nothing yet must not subtract infinity from infinity.
            float base = top[below] == -INFINITY ? 0.0f : top[below], kept = exp2_fast(most[below] - base);
            most[below] = top[below];
            total[below] *= kept;
#pragma unroll
            for (int j = 0; j < dim / 8; j++) {
                sums[j][below * 2] *= kept;
                sums[j][below * 2 + 1] *= kept;
            }
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    float weight = exp2_fast(scores[n][below * 2 + i] - base);
                    scores[n][below * 2 + i] = weight;
                    total[below] += weight;
                }
        }
        copy_async_wait<1>();
        __syncthreads();
#pragma unroll
        for (int c = 0; c < KEYS / 16; c++) {
            // The fragment that the sums of two blocks of eight columns make is the one that the product takes.
            u32 left[4] = {pack_bf16(scores[2 * c][0], scores[2 * c][1]), pack_bf16(scores[2 * c][2], scores[2 * c][3]),
                           pack_bf16(scores[2 * c + 1][0], scores[2 * c + 1][1]),
                           pack_bf16(scores[2 * c + 1][2], scores[2 * c + 1][3])};
#pragma unroll
            for (int n = 0; n < dim / 16; n++) {
                u32 right[4];
                ldmatrix4_transposed(right, v_tile + place<dim>(c * 16 + lane % 16, n * 2 + lane / 16));
                mma_bf16(sums[2 * n], left, right[0], right[1]);
                mma_bf16(sums[2 * n + 1], left, right[2], right[3]);
            }
        }
        // All have read the values.
        __syncthreads();
    }
    copy_async_wait<0>();
#pragma unroll
    for (int below = 0; below < 2; below++) {
        total[below] += shuffle_xor(total[below], 1);
        total[below] += shuffle_xor(total[below], 2);
        int row = warp * 16 + g + 8 * below;
        if (row >= count) continue;
        float inverse = total[below] > 0.0f ? 1.0f / total[below] : 0.0f;
        Epilogue e = {end, x.heads * dim, ACT_NONE, x.type, nullptr, nullptr, 0, x.out, (i64)x.heads * dim};
#pragma unroll
        for (int j = 0; j < dim / 8; j++)
            store2(e, first + row, head * dim + j * 8 + t * 2, sums[j][below * 2] * inverse,
                   sums[j][below * 2 + 1] * inverse);
    }
}

#define ATTENTION(dim)                                                                                                 \
    extern "C" __global__ void __launch_bounds__(THREADS) attention_##dim(                                             \
        int sequences, int heads, int kv_heads, float scale, int before, int after, float cap, const bf16 *q, i64 ldq, \
        const bf16 *k, const bf16 *v, i64 ldk, const int *offsets, const int *begins, const int *ends,                 \
        const int *rows, void *out, int type, const int *fault) {                                                      \
        if (fault[0] != 0) return;                                                                                     \
        attend<dim>(Attention{sequences, heads, kv_heads, scale,   before, after, cap,  q,   k,                        \
                              v,         ldq,   ldk,      offsets, begins, ends,  rows, out, type});                   \
    }

ATTENTION(64)
ATTENTION(128)
