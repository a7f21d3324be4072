#include "check.h"

static void matmul(int64_t m, int64_t n, int64_t k) {
    int32_t ta = random_int(0, 1), tb = random_int(0, 1), act = random_int(0, 4);
    // Half of the products have a quantised B.
    int32_t type = random_int(0, 1) ? random_int(0, 2) : random_int(L4M_Q8_0, L4M_TYPE_COUNT - 1);
    int64_t block = l4m_block_size(type), pad = random_int(0, 3);
    k = l4m_round_up(k, block);
    if (block > 1) tb = 1;
    int64_t lda = (ta ? m : k) + pad, ldb = (tb ? k : n) + pad * block, ldc = n + pad, ldr = n + 2 * pad;
    int64_t size_b = (tb ? n : k) * ldb;
    float *a = random_floats((ta ? k : m) * lda);
    void *b = random_stored(size_b, type);
    float *bias = random_int(0, 1) ? random_floats(n) : NULL, *c = random_floats(m * ldc);
    float *residual = random_int(0, 1) ? random_floats(m * ldr) : NULL;
    if (random_int(0, 4) == 0) residual = c, ldr = ldc;
    char what[160];
    snprintf(what, sizeof what, "matmul ta %d tb %d type %d act %d bias %d residual %d: %ldx%ldx%ld", ta, tb, type,
             act, bias != NULL, residual != NULL, (long)m, (long)n, (long)k);
    AGREES(what, l4m_matmul(pool, ta, tb, m, n, k, a, lda, b, ldb, type, bias, residual, ldr, act, c, ldc), {c, m * ldc});
}

// Packs B for the selected instruction set and multiplies; exactly as many bytes as it says.
static int packed(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, int32_t tb, const void *b, int64_t ldb,
                  int32_t type, const float *bias, const float *residual, int32_t act, float *c, int64_t ldc) {
    int64_t bytes = 0;
    int code = l4m_panel_bytes(n, k, type, &bytes);
    void *block = malloc((size_t)bytes + 63), *panels = (char *)block + (-(uintptr_t)block & 63);
    memset(panels, 0, (size_t)bytes);
    code = code ? code : l4m_pack_panels(pool, tb, n, k, b, ldb, type, panels);
    code = code ? code : l4m_matmul_panels(pool, m, n, k, a, lda, panels, type, bias, residual, ldc, act, c, ldc);
    free(block);
    return code;
}

static void matmul_panels(int64_t m, int64_t n, int64_t k) {
    int32_t tb = random_int(0, 1), act = random_int(0, 4), type = random_int(0, 2);
    int64_t pad = random_int(0, 3), lda = k + pad, ldb = (tb ? k : n) + pad, ldc = n + pad;
    float *a = random_floats(m * lda), *bias = random_int(0, 1) ? random_floats(n) : NULL, *c = random_floats(m * ldc);
    void *b = random_stored((tb ? n : k) * ldb, type);
    float *residual = random_int(0, 1) ? random_floats(m * ldc) : random_int(0, 1) ? c : NULL;
    char what[160];
    snprintf(what, sizeof what, "panels tb %d type %d act %d bias %d residual %d: %ldx%ldx%ld", tb, type, act, bias != NULL,
             residual != NULL, (long)m, (long)n, (long)k);
    AGREES(what, packed(m, n, k, a, lda, tb, b, ldb, type, bias, residual, act, c, ldc), {c, m * ldc});
}

static int int8_packed(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, int32_t tb, const void *b, int64_t ldb,
                       int32_t type, const float *bias, const float *residual, int32_t act, float *c, int64_t ldc) {
    int64_t bytes = 0;
    int code = l4m_int8_panel_bytes(n, k, &bytes);
    void *block = malloc((size_t)bytes + 63), *panels = (char *)block + (-(uintptr_t)block & 63);
    memset(panels, 0, (size_t)bytes);
    code = code ? code : l4m_pack_int8(pool, tb, n, k, b, ldb, type, panels);
    code = code ? code : l4m_matmul_int8(pool, m, n, k, a, lda, panels, bias, residual, ldc, act, c, ldc);
    free(block);
    return code;
}

static void matmul_int8(int64_t m, int64_t n, int64_t k) {
    int32_t tb = random_int(0, 1), act = random_int(0, 4);
    int32_t type = random_int(0, 1) ? random_int(0, 2) : random_int(L4M_Q8_0, L4M_TYPE_COUNT - 1);
    int64_t block = l4m_block_size(type), pad = random_int(0, 3);
    k = l4m_round_up(k, block);
    if (block > 1) tb = 1;
    int64_t lda = k + pad, ldb = (tb ? k : n) + pad * block, ldc = n + pad;
    float *a = random_floats(m * lda), *bias = random_int(0, 1) ? random_floats(n) : NULL, *c = random_floats(m * ldc);
    void *b = random_stored((tb ? n : k) * ldb, type);
    float *residual = random_int(0, 1) ? random_floats(m * ldc) : random_int(0, 1) ? c : NULL;
    char what[160];
    snprintf(what, sizeof what, "int8 tb %d type %d act %d bias %d residual %d: %ldx%ldx%ld", tb, type, act, bias != NULL,
             residual != NULL, (long)m, (long)n, (long)k);
    AGREES(what, int8_packed(m, n, k, a, lda, tb, b, ldb, type, bias, residual, act, c, ldc), {c, m * ldc});
}

static int blocks_packed(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const void *b, int64_t ldb, int32_t type,
                         const float *bias, const float *residual, int32_t act, float *c, int64_t ldc) {
    int64_t bytes = 0;
    int code = l4m_int8_block_bytes(n, k, type, &bytes);
    void *block = malloc((size_t)bytes + 63), *panels = (char *)block + (-(uintptr_t)block & 63);
    memset(panels, 0, (size_t)bytes);
    code = code ? code : l4m_pack_int8_blocks(pool, n, k, b, ldb, type, panels);
    code = code ? code : l4m_matmul_int8_blocks(pool, m, n, k, a, lda, panels, type, bias, residual, ldc, act, c, ldc);
    free(block);
    return code;
}

static void matmul_int8_blocks(int64_t m, int64_t n, int64_t k) {
    static const int32_t types[] = {L4M_Q8_0, L4M_Q4_0, L4M_Q4_K, L4M_Q6_K};
    int32_t type = types[random_int(0, 3)], act = random_int(0, 4);
    int64_t block = l4m_block_size(type), pad = random_int(0, 3);
    k = l4m_round_up(k, block);
    int64_t lda = k + pad, ldb = k + pad * block, ldc = n + pad;
    float *a = random_floats(m * lda), *bias = random_int(0, 1) ? random_floats(n) : NULL, *c = random_floats(m * ldc);
    void *b = random_stored(n * ldb, type);
    float *residual = random_int(0, 1) ? random_floats(m * ldc) : random_int(0, 1) ? c : NULL;
    char what[160];
    snprintf(what, sizeof what, "int8 blocks type %d act %d bias %d residual %d: %ldx%ldx%ld", type, act, bias != NULL,
             residual != NULL, (long)m, (long)n, (long)k);
    AGREES(what, blocks_packed(m, n, k, a, lda, b, ldb, type, bias, residual, act, c, ldc), {c, m * ldc});
}

static void grouped(int64_t rows, int64_t n, int64_t k, int64_t groups) {
    int32_t *order, *offsets, trans = random_int(0, 1), act = random_int(0, 4);
    char what[160];
    snprintf(what, sizeof what, "grouped trans %d act %d rows %ld, n %ld, k %ld, groups %ld", trans, act, (long)rows, (long)n, (long)k,
             (long)groups);
    for (int kind = 0; kind < 3; kind++) {
        random_groups(rows, groups, &order, &offsets);
        float *x = random_floats(rows * k);
        if (kind == 0) {
            float *w = random_floats(groups * k * n), *y = random_floats(rows * n);
            float *bias = random_int(0, 1) ? random_floats(groups * n) : NULL;
            AGREES(what, l4m_grouped_matmul(pool, rows, n, k, groups, x, w, trans, order, offsets, bias, act, y), {y, rows * n});
        } else if (kind == 1) {
            float *dy = random_floats(rows * n), *dw = random_floats(groups * k * n);
            AGREES(what, l4m_grouped_weight_gradient(pool, rows, n, k, groups, x, dy, order, offsets, trans, dw), {dw, groups * k * n});
        } else {
            float *out = random_floats(groups * k);
            AGREES(what, l4m_grouped_sum(pool, rows, k, groups, x, order, offsets, trans, out), {out, groups * k});
        }
    }
}

static void blocks(int64_t rows, int64_t n, int64_t k, int64_t groups) {
    int32_t trans = random_int(0, 1), act = random_int(0, 4);
    char what[160];
    snprintf(what, sizeof what, "blocks trans %d act %d rows %ld, n %ld, k %ld, groups %ld", trans, act, (long)rows, (long)n, (long)k,
             (long)groups);
    float *x = random_floats(rows * groups * k), *w = random_floats(groups * k * n), *y = random_floats(rows * groups * n);
    float *bias = random_int(0, 1) ? random_floats(groups * n) : NULL;
    float *gate = random_int(0, 1) ? random_floats(rows * groups * n) : NULL;
    AGREES(what, l4m_block_matmul(pool, rows, n, k, groups, x, w, trans, bias, act, gate, y), {y, rows * groups * n});
    x = random_floats(rows * groups * k);
    float *dy = random_floats(rows * groups * n), *dw = random_floats(groups * k * n), *db = random_floats(groups * n);
    int sums = trans && random_int(0, 1);
    AGREES(what, l4m_block_weight_gradient(pool, rows, n, k, groups, x, dy, trans, dw, sums ? db : NULL),
           {dw, groups * k * n}, {db, sums ? groups * n : 0});
}

static void gathered(int64_t rows, int64_t n, int64_t k, int64_t vocabulary) {
    int32_t trans = random_int(0, 1), act = random_int(0, 4), *ids = random_ids(rows, vocabulary);
    char what[160];
    snprintf(what, sizeof what, "gathered trans %d act %d rows %ld, n %ld, k %ld", trans, act, (long)rows, (long)n, (long)k);
    float *table = random_floats(vocabulary * k), *w = random_floats(k * n), *y = random_floats(rows * n);
    float *bias = random_int(0, 1) ? random_floats(n) : NULL;
    AGREES(what, l4m_gathered_matmul(pool, rows, n, k, vocabulary, table, ids, trans, w, bias, act, y), {y, rows * n});
    table = random_floats(vocabulary * k), ids = random_ids(rows, vocabulary);
    float *dy = random_floats(rows * n), *dw = random_floats(k * n), *db = random_floats(n);
    int sums = trans && random_int(0, 1);
    AGREES(what, l4m_gathered_weight_gradient(pool, rows, n, k, vocabulary, table, ids, dy, trans, dw, sums ? db : NULL),
           {dw, k * n}, {db, sums ? n : 0});
}

static void attention(int64_t sequences, int64_t longest) {
    int64_t kv_heads = random_int(1, 3), heads = kv_heads * random_int(1, 4), d = random_int(1, 40), tokens = 0;
    int32_t *offsets = array((sequences + 1) * 4), *begins = array(sequences * 4 + 4), *ends = array(sequences * 4 + 4);
    int64_t before = random_int(0, 2) ? INT64_MAX : random_int(0, 50), after = random_int(0, 1) ? 0 : random_int(0, 1) ? INT64_MAX : before;
    offsets[0] = 0;
    for (int64_t s = 0; s < sequences; s++) {
        begins[s] = offsets[s];
        offsets[s + 1] = ends[s] = (int32_t)(tokens += random_int(0, longest));
    }
    int64_t nq = tokens * heads * d, nk = tokens * kv_heads * d;
    float *q = random_floats(nq), *k = random_floats(nk), *v = random_floats(nk), *out = random_floats(nq);
    float *dout = random_floats(nq), *dq = random_floats(nq), *dk = random_floats(nk), *dv = random_floats(nk);
    double scale = random_int(0, 1) ? 0.3 : 2.0, cap = random_int(0, 1) ? 0 : 5;
    AGREES("attention", (l4m_attention(pool, tokens, tokens, sequences, heads, kv_heads, d, scale, before, after, cap, q, k, v, offsets, begins, ends, out) ||
                         l4m_attention_gradient(pool, tokens, sequences, heads, kv_heads, d, scale, before, after, cap, q, k, v, offsets, dout, dq, dk, dv)),
           {out, nq}, {dq, nq}, {dk, nk}, {dv, nk});
}

// Queries at the end of more keys than their own, which sequences may share.
static void attention_to_other_keys(int64_t sequences, int64_t keys) {
    int64_t kv_heads = random_int(1, 3), heads = kv_heads * random_int(1, 4), d = random_int(1, 40), tokens = 0;
    int32_t *offsets = array((sequences + 1) * 4), *begins = array(sequences * 4 + 4), *ends = array(sequences * 4 + 4);
    offsets[0] = 0;
    for (int64_t s = 0; s < sequences; s++) {
        begins[s] = (int32_t)random_int(0, keys);
        ends[s] = (int32_t)random_int(begins[s], keys);
        offsets[s + 1] = (int32_t)(tokens += random_int(0, ends[s] - begins[s]));
    }
    int64_t nq = tokens * heads * d, nk = keys * kv_heads * d, before = random_int(0, 1) ? INT64_MAX : random_int(0, 50), after = random_int(0, 3);
    float *q = random_floats(nq), *k = random_floats(nk), *v = random_floats(nk), *out = random_floats(nq);
    AGREES("attention to other keys", l4m_attention(pool, tokens, keys, sequences, heads, kv_heads, d, 0.3, before, after, 0, q, k, v, offsets, begins, ends, out),
           {out, nq});
}

void check_matrices(void) {
    for (int i = 0; i < 1000; i++) matmul(random_size(), random_size(), random_size());
    for (int i = 0; i < 6; i++) {
        matmul(700, 67, 131);
        matmul(33, 150, 1537);
        matmul(3, 1100, 517);
        matmul(2100, 1, 64);
        matmul(300, 280, 1100);
    }
    for (int i = 0; i < 300; i++) matmul_panels(random_size(), random_size(), random_size());
    for (int i = 0; i < 6; i++) {
        matmul_panels(400, 67, 131);
        matmul_panels(33, 150, 1537);
        matmul_panels(1, 1100, 517);
    }
    for (int i = 0; i < 300; i++) matmul_int8(random_size(), random_size(), random_size());
    for (int i = 0; i < 300; i++) matmul_int8_blocks(random_size(), random_size(), random_size());
    for (int i = 0; i < 6; i++) {
        matmul_int8_blocks(400, 67, 131);
        matmul_int8_blocks(33, 150, 1537);
        matmul_int8_blocks(1, 1100, 517);
        matmul_int8(400, 67, 131);
        matmul_int8(33, 150, 1537);
        matmul_int8(1, 1100, 517);
    }
    for (int i = 0; i < 200; i++) grouped(random_size(), random_size(), random_size(), random_int(1, 12));
    for (int i = 0; i < 4; i++) {
        grouped(1300, 70, 65, 3);
        grouped(1300, 1, 65, 3);
        grouped(600, 33, 17, 500);
        grouped(40, 300, 20, 30);
    }
    for (int i = 0; i < 300; i++) blocks(random_size(), random_size(), random_size(), random_int(1, 5));
    for (int i = 0; i < 6; i++) {
        blocks(1300, 70, 65, 3);
        blocks(600, 33, 700, 1);
        blocks(70, 300, 600, 2);
        blocks(0, 20, 30, 2);
    }
    for (int i = 0; i < 300; i++) gathered(random_size(), random_size(), random_size(), random_int(1, 90));
    for (int i = 0; i < 6; i++) {
        blocks(500, 20, 300, 1);
        blocks(300, 300, 31, 1);
        gathered(300, 32, 1100, 70);
        gathered(500, 13, 290, 40);
        gathered(100, 70, 5000, 60);
        gathered(0, 20, 30, 2);
    }
    for (int i = 0; i < 60; i++) attention(random_int(0, 5), 40);
    for (int i = 0; i < 60; i++) attention_to_other_keys(random_int(0, 5), random_int(1, 90));
    attention_to_other_keys(3, 700);
    attention(2, 330);
    attention(1, 700);

    int32_t *order, *offsets;
    random_groups(10, 3, &order, &offsets);
    float *x = random_floats(30), *w = random_floats(27), *y = random_floats(30);
    order[4] = 10;
    REJECTS("a row out of range", l4m_grouped_matmul(pool, 10, 3, 3, 3, x, w, 0, order, offsets, NULL, 0, y));
    for (int gradient = 0; gradient < 2; gradient++) {
        int32_t *ids = random_ids(10, 4);
        float *table = random_floats(12), *b = random_floats(30), *c = random_floats(30);
        ids[7] = 4;
        if (gradient)
            REJECTS("an id out of range", l4m_gathered_weight_gradient(pool, 10, 3, 3, 4, table, ids, b, 0, c, NULL));
        else
            REJECTS("an id out of range", l4m_gathered_matmul(pool, 10, 3, 3, 4, table, ids, 0, b, NULL, 0, c));
    }
    random_groups(10, 3, &order, &offsets);
    x = random_floats(30), y = random_floats(27);
    offsets[1] = 11;
    REJECTS("falling offsets", l4m_grouped_weight_gradient(pool, 10, 3, 3, 3, x, x, order, offsets, 0, y));
    offsets = array(8), offsets[0] = 0, offsets[1] = 11;
    x = random_floats(10), y = random_floats(10);
    REJECTS("offsets past the tokens", l4m_attention(pool, 10, 10, 1, 1, 1, 1, 1, 9, 0, 0, x, x, x, offsets, offsets, offsets + 1, y));
    offsets = array(8), offsets[0] = 0, offsets[1] = 10;
    int32_t *begin = array(4), *end = array(4);
    x = random_floats(12), y = random_floats(10), *begin = 3, *end = 12;
    REJECTS("fewer keys than queries", l4m_attention(pool, 10, 12, 1, 1, 1, 1, 1, 9, 0, 0, x, x, x, offsets, begin, end, y));
}
