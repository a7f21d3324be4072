// What attention and its gradient share: blocks of queries, and the rows of one block.
#ifndef L4M_ATTENTION_H
#define L4M_ATTENTION_H

#include "vec.h"

// The queries of all heads that read one key head are rows of one product; about this many at a time in the gradient.
#define ATTENTION_ROWS 128

typedef struct {
    l4m_pool *pool;
    int64_t heads, kv_heads, head_dim, sequences, longest;
    // Of a block of queries at most.
    int64_t rows;
    int64_t before, after;
    float scale, cap;
    const float *q, *k, *v, *dout;
    const int32_t *offsets;
    float *out, *dq, *dk, *dv;
    const struct query_block *blocks;
} attention_job;

// Queries [q0, q1) of one sequence, whose keys are the rows [start, end); the first query stands at `position`
// among them.
typedef struct query_block {
    int32_t start, end, q0, q1, position;
} query_block;

// The keys [from, to) that a query at position p of a sequence of `keys` sees.
typedef struct {
    int64_t from, to;
} visible_keys;

static inline visible_keys attention_visible(const attention_job *w, int64_t p, int64_t keys) {
    return (visible_keys){l4m_max(0, p - w->before), l4m_min(keys, p + w->after + 1)};
}

static inline int64_t attention_block_tokens(int64_t group) { return l4m_min(64, l4m_max(1, ATTENTION_ROWS / group)); }

// Rows that a block has at most.
#define ATTENTION_ROWS_MAX(group) (attention_block_tokens(group) * (group))

// Row (token, head in group) of a block to its row in [tokens * heads, head_dim].
static inline int64_t attention_map(const attention_job *w, int64_t kv_head, int64_t q0, int64_t q1, int32_t *map) {
    int64_t group = w->heads / w->kv_heads, n = 0;
    for (int64_t t = q0; t < q1; t++)
        for (int64_t h = 0; h < group; h++) map[n++] = (int32_t)(t * w->heads + kv_head * group + h);
    return n;
}

// s = cap tanh(scale s / cap) over n scores.
void ISA(attention_cap)(float *s, int64_t n, float scale, float cap);

#endif
