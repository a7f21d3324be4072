// Products of 8-bit integers: weights with a scale for each column of B, quantised once; activations with a scale
// and a zero point for each row of A, quantised as they come (dynamic quantisation). Integer sums run over the whole
// of k, so that they are exact and scales are applied once for each element of C.
#include "int8.h"
#include "gemm.h"
#include "kernels.h"
#include "panels.h"
#include "quant.h"
#include "rows.h"
#include "tile.h"
#include "vmath.h"

// Packed rows of A that are multiplied with one panel after the other: they stay in L2.
#define KEPT_BYTES (384 * 1024)
// Weights that are read at a time, whole blocks of every type.
#define READ 256

// NR columns of B: sums, scales, and lanes [k / GROUP, NR].
typedef struct {
    int32_t sums[NR];
    float scales[NR];
    int32_t lanes[];
} panel;

static int64_t groups_of(int64_t k) { return l4m_ceil_div(k, GROUP); }
static int64_t panel_size(int64_t k) { return (int64_t)sizeof(panel) + groups_of(k) * NR * 4; }

int ISA(int8_panel_bytes)(int64_t n, int64_t k, int64_t *bytes) {
    *bytes += (int64_t)sizeof(panel_header) + l4m_ceil_div(n, NR) * panel_size(k);
    return L4M_OK;
}

typedef struct {
    const void *b;
    int64_t ldb, n, k;
    int32_t trans_b, type;
    char *panels;
} packing;

// Values [p, p + count) of column j, count <= READ, and zeros up to a whole vector.
static void read_column(const packing *w, int64_t j, int64_t p, int64_t count, float *to) {
    for (int64_t i = count; i < l4m_round_up(count, VL); i++) to[i] = 0;
    if (!w->trans_b) {
        for (int64_t i = 0; i < count; i++) to[i] = l4m_load(w->b, (p + i) * w->ldb + j, w->type);
    } else if (l4m_is_quantised(w->type)) {
        ISA(dequantise)(l4m_at(w->b, j * w->ldb + p, w->type), w->type, count, to);
    } else {
        const void *from = l4m_at(w->b, j * w->ldb + p, w->type);
        for (int64_t i = 0; i < count; i += VL) vstore(to + i, vload_any(l4m_at(from, i, w->type), count - i, w->type));
    }
}

// NaN if one of the values that were added up, each times zero, is infinite or NaN.
static float unless_bad(vf zeros, float value) { return vsum(zeros) == 0 ? value : NAN; }

static void pack_column(const packing *w, int64_t j, panel *to) {
    float x[READ], inverse;
    vf largest = vzero(), zeros = vzero();
    for (int64_t p = 0; p < w->k; p += READ) {
        int64_t count = l4m_min(READ, w->k - p);
        read_column(w, j, p, count, x);
        for (int64_t i = 0; i < count; i += VL) {
            vf y = vload(x + i);
            zeros = vfma(y, vzero(), zeros);
            largest = vmax(vabs(y), largest);
        }
    }
    float scale = int8_scale(unless_bad(zeros, vmaxval(largest)), INT8_WEIGHT_LEVELS, &inverse);
    int8_weight *lanes = (int8_weight *)to->lanes + j % NR * GROUP;
    int32_t sum = 0;
    for (int64_t p = 0; p < w->k && inverse != 0; p += READ) {
        int64_t count = l4m_min(READ, w->k - p);
        read_column(w, j, p, count, x);
        for (int64_t i = 0; i < count; i++) {
            int32_t q = (int32_t)__builtin_rintf(x[i] * inverse);
            lanes[(p + i) / GROUP * GROUP * NR + (p + i) % GROUP] = (int8_weight)q;
            sum += q;
        }
    }
    to->sums[j % NR] = sum;
    to->scales[j % NR] = scale;
}

static void pack_range(const void *context, int64_t begin, int64_t end) {
    const packing *w = context;
    for (int64_t q = begin; q < end; q++)
        for (int64_t j = q * NR; j < l4m_min(w->n, (q + 1) * NR); j++)
            pack_column(w, j, (panel *)(w->panels + q * panel_size(w->k)));
}

int ISA(pack_int8)(l4m_pool *pool, int32_t trans_b, int64_t n, int64_t k, const void *b, int64_t ldb, int32_t type,
                   void *packed) {
    if (k > INT8_MAX_K || (l4m_is_quantised(type) && !trans_b)) return L4M_BAD_ARGUMENT;
    panel_header *header = packed;
    *header = (panel_header){.width = NR, .type = INT8_PANELS + GROUP, .n = n, .k = k};
    packing w = {.b = b, .ldb = ldb, .n = n, .k = k, .trans_b = trans_b, .type = type, .panels = (char *)(header + 1)};
    return l4m_ranges(pool, l4m_ceil_div(n, NR), 8.0 * (double)(k * NR), pack_range, &w);
}

typedef struct {
    const float *a;
    int64_t lda;
    const char *panels;
    const float *bias, *residual;
    int64_t ldr;
    int32_t activation;
    float *c;
    int64_t ldc;
    int64_t m, n, k;
    l4m_pool *pool;
    // A as tiles of `rows` rows, `stride` lanes apart, and for each row its scale and what its elements are above
    // their values.
    int64_t rows, tiles, stride;
    int32_t *packed, *above;
    float *scales;
    int64_t row_chunks, col_chunks;
} product;

// One row of A as k elements; the lane that k does not fill is anything, since it is zeros in B.
static float quantise_row(const float *x, int64_t k, char *to, int32_t *above) {
    vf low = vzero(), high = vzero(), zeros = vzero();
    for (int64_t p = 0; p < k; p += VL) {
        vf y = vload_any(x + p, k - p, L4M_F32);
        zeros = vfma(y, vzero(), zeros);
        low = vmin(y, low);
        high = vmax(y, high);
    }
    float below = vmaxval(-low), inverse;
    float scale = int8_scale(unless_bad(zeros, vmaxval(high) + below), INT8_STEPS, &inverse);
    float zero = __builtin_rintf(below * inverse);
    // The whole range may round to a step more than there are.
    vf most = vset1(INT8_STEPS - zero), by = vset1(inverse), added = vset1(GROUP == 4 ? zero : 0);
    for (int64_t p = 0; p < k; p += VL) {
        // Not multiplied by 0: that makes no integers of what is not finite.
        vf y = inverse == 0 ? vzero() : vload_any(x + p, k - p, L4M_F32);
        vi_store_elements(to + p * (4 / GROUP), vmin(vround(y * by), most) + added);
    }
    *above = GROUP == 4 ? (int32_t)zero : 0;
    return scale;
}

static void quantise_chunk(void *context, int64_t chunk, int thread) {
    const product *w = context;
    int64_t groups = groups_of(w->k), ld = groups + VL, count = l4m_min(w->rows, w->m - chunk * w->rows);
    int32_t *rows = l4m_pool_scratch(w->pool, thread);
    for (int64_t i = 0; i < count; i++) {
        int64_t r = chunk * w->rows + i;
        w->scales[r] = quantise_row(w->a + r * w->lda, w->k, (char *)(rows + i * ld), w->above + r);
    }
    // Lanes are moved like floats.
    pack_transposed(rows, ld, NULL, 0, count, 0, groups, L4M_F32, (float *)(w->packed + chunk * w->stride), count);
}

// What is added to scaled sums on their way to C; NULL where nothing is.
typedef struct {
    const float *bias, *residual;
    int64_t ldr;
} addends;

// c[mr, NR] = scales a b + addends, all sums in registers.
INLINE void tile_body(const int mr, int64_t groups, const int32_t *restrict a, const panel *restrict b,
                      const float *scales, const int32_t *above, float *c, int64_t ldc, const addends *plus) {
    vi acc[MR][NV];
    const int32_t *lanes = b->lanes;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) {
        vi less = vi_set1(-above[i]);
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) acc[i][v] = vi_mul(less, vi_load(b->sums + v * VL));
    }
    for (int64_t g = 0; g < groups; g++) {
        vi bv[NV];
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) bv[v] = vi_load(lanes + v * VL);
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            vi av = vi_set1(a[i]);
#pragma GCC unroll 4
            for (int v = 0; v < NV; v++) acc[i][v] = vi_dot(acc[i][v], av, bv[v]);
        }
        a += mr;
        lanes += NR;
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) {
        vf row = vset1(scales[i]);
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) {
            vf x = vi_float(acc[i][v]) * (row * vload(b->scales + v * VL));
            if (plus->bias) x += vload(plus->bias + v * VL);
            if (plus->residual) x += vload(plus->residual + i * plus->ldr + v * VL);
            vstore(c + i * ldc + v * VL, x);
        }
    }
}

typedef void (*tile_fn)(int64_t, const int32_t *, const panel *, const float *, const int32_t *, float *, int64_t,
                        const addends *);

#define TILE(n)                                                                                             \
    static void tile_##n(int64_t groups, const int32_t *a, const panel *b, const float *scales,             \
                         const int32_t *above, float *c, int64_t ldc, const addends *plus) {                \
        tile_body(n, groups, a, b, scales, above, c, ldc, plus);                                            \
    }
EACH_TILE(TILE)

#define ENTRY(n) tile_##n,
static const tile_fn tiles[MR + 1] = {NULL, EACH_TILE(ENTRY)};

// Tile number t of the rows and columns [j, j + NR) of C.
static void one_tile(const product *w, int64_t t, int64_t j, const panel *b) {
    int64_t i = t * w->rows, m = l4m_min(w->rows, w->m - i), n = l4m_min(NR, w->n - j);
    const int32_t *a = w->packed + t * w->stride;
    const float *bias = w->bias ? w->bias + j : NULL;
    float *c = w->c + i * w->ldc + j;
    if (n == NR) {
        addends plus = {bias, w->residual ? w->residual + i * w->ldr + j : NULL, w->ldr};
        tiles[m](groups_of(w->k), a, b, w->scales + i, w->above + i, c, w->ldc, &plus);
        for (int64_t r = 0; w->activation && r < m; r++)
            ISA(gemm_epilogue)(c + r * w->ldc, NULL, NULL, NULL, w->activation, NULL, NR, c + r * w->ldc);
        return;
    }
    static const addends none = {NULL, NULL, 0};
    float tile[MR * NR];
    tiles[m](groups_of(w->k), a, b, w->scales + i, w->above + i, tile, NR, &none);
    for (int64_t r = 0; r < m; r++)
        ISA(gemm_epilogue)
        (tile + r * NR, NULL, bias, w->residual ? w->residual + (i + r) * w->ldr + j : NULL, w->activation, NULL, n,
         c + r * w->ldc);
}

static void product_chunk(void *context, int64_t chunk, int thread) {
    (void)thread;
    const product *w = context;
    int64_t r = chunk / w->col_chunks, c = chunk % w->col_chunks, panels = l4m_ceil_div(w->n, NR);
    int64_t last = l4m_chunk_start(w->tiles, w->row_chunks, r + 1);
    int64_t step = l4m_max(1, KEPT_BYTES / (w->stride * 4));
    for (int64_t t0 = l4m_chunk_start(w->tiles, w->row_chunks, r); t0 < last; t0 += step)
        for (int64_t q = l4m_chunk_start(panels, w->col_chunks, c); q < l4m_chunk_start(panels, w->col_chunks, c + 1); q++)
            for (int64_t t = t0; t < l4m_min(t0 + step, last); t++)
                one_tile(w, t, q * NR, (const panel *)(w->panels + q * panel_size(w->k)));
}

// Rows are cut first: a panel is read once for each rectangle.
static void cut(product *w) {
    int64_t panels = l4m_ceil_div(w->n, NR);
    int64_t wanted = l4m_chunks(w->pool, w->tiles * panels, (double)(w->rows * NR) * (double)w->k / 4);
    w->row_chunks = w->col_chunks = 1;
    while (w->row_chunks * w->col_chunks < wanted) {
        if (w->tiles / w->row_chunks >= 4)
            w->row_chunks++;
        else if (panels / w->col_chunks >= 2)
            w->col_chunks++;
        else
            break;
    }
}

int ISA(matmul_int8)(l4m_pool *pool, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const void *packed,
                     const float *bias, const float *residual, int64_t ldr, int32_t activation, float *c,
                     int64_t ldc) {
    const panel_header *header = packed;
    if (header->width != NR || header->type != INT8_PANELS + GROUP || header->n != n || header->k != k)
        return L4M_BAD_ARGUMENT;
    if (m == 0 || n == 0) return L4M_OK;
    product w = {.a = a, .lda = lda, .panels = (const char *)(header + 1), .bias = bias, .residual = residual,
                 .ldr = ldr, .activation = activation, .c = c, .ldc = ldc, .m = m, .n = n, .k = k, .pool = pool};
    // Equal tiles rather than full ones and a rest.
    w.rows = l4m_ceil_div(m, l4m_ceil_div(m, MR));
    w.tiles = l4m_ceil_div(m, w.rows);
    w.stride = panel_stride(w.rows, groups_of(k));
    int64_t lanes = w.tiles * w.stride;
    int code = l4m_pool_begin(pool, (size_t)(MR * (groups_of(k) + VL)) * 4, (size_t)(lanes + 2 * m) * 4);
    if (code != L4M_OK) return code;
    w.packed = l4m_pool_shared(pool);
    w.above = w.packed + lanes;
    w.scales = (float *)(w.above + m);
    cut(&w);
    l4m_pool_run(pool, w.tiles, quantise_chunk, &w);
    l4m_pool_run(pool, w.row_chunks * w.col_chunks, product_chunk, &w);
    l4m_pool_end(pool);
    return L4M_OK;
}

// No more than stay in registers with gcc 12.
#if VL == 16
#define CHAINS 12
#else
#define CHAINS 6
#endif

int ISA(int8_peak)(l4m_pool *pool, int64_t iterations, double *operations) {
    (void)pool;
    vi sums[CHAINS], x = vi_set1(1), y = vi_set1(2);
    for (int i = 0; i < CHAINS; i++) sums[i] = vi_set1(i);
    for (int64_t n = 0; n < iterations; n++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) {
            sums[i] = vi_dot(sums[i], x, y);
            // The compiler must take it for another value, or it multiplies once for all.
#if defined(__x86_64__)
            __asm__ volatile("" : "+v"(x));
#else
            __asm__ volatile("" : "+w"(x));
#endif
        }
    }
    vf total = vzero();
    for (int i = 0; i < CHAINS; i++) total += vi_float(sums[i]);
    // Never true; keeps the sums alive.
    *operations += vsum(total) > 1e30f ? 0 : (double)iterations * CHAINS * VL * GROUP * 2;
    return L4M_OK;
}
