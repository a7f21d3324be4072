// Products of 8-bit integers: weights with a scale for each column of B, quantised once; activations with a scale
// and a zero point for each row of A, quantised as they come (dynamic quantisation). Integer sums run over the whole
// of k, so that they are exact and scales are applied once for each element of C.
#include "int8_amx.h"
#include "kernels.h"
#include "panels.h"
#include "quant.h"
#include "rows.h"

// Weights that are read at a time, whole blocks of every type.
#define READ 256

static int64_t groups_of(int64_t k) { return l4m_ceil_div(k, GROUP); }
static int64_t panel_size(int64_t k) { return (int64_t)sizeof(int8_panel) + groups_of(k) * NR * 4; }

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

static void pack_column(const packing *w, int64_t j, int8_panel *to) {
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
            pack_column(w, j, (int8_panel *)(w->panels + q * panel_size(w->k)));
}

int ISA(pack_int8)(l4m_pool *pool, int32_t trans_b, int64_t n, int64_t k, const void *b, int64_t ldb, int32_t type,
                   void *packed) {
    if (k > INT8_MAX_K || (l4m_is_quantised(type) && !trans_b)) return L4M_BAD_ARGUMENT;
    panel_header *header = packed;
    *header = (panel_header){.width = NR, .type = INT8_PANELS + GROUP, .n = n, .k = k};
    packing w = {.b = b, .ldb = ldb, .n = n, .k = k, .trans_b = trans_b, .type = type, .panels = (char *)(header + 1)};
    return l4m_ranges(pool, l4m_ceil_div(n, NR), 8.0 * (double)(k * NR), pack_range, &w);
}

float ISA(int8_quantise_row)(const float *x, int64_t k, char *to, int32_t *above) {
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

// A tile: for each row its scale, and what its elements are above their values; then lanes [k / GROUP, rows].
static void quantise_rows(const int8_product *w, const float *x, int64_t rows, void *scratch, int32_t *tile) {
    int64_t groups = groups_of(w->k), ld = groups + VL;
    int32_t *lanes = scratch;
    for (int64_t i = 0; i < rows; i++) {
        float scale = ISA(int8_quantise_row)(x + i * w->lda, w->k, (char *)(lanes + i * ld), tile + rows + i);
        memcpy(tile + i, &scale, sizeof scale);
    }
    // Lanes are moved like floats.
    pack_transposed(lanes, ld, NULL, 0, rows, 0, groups, L4M_F32, (float *)(tile + 2 * rows), rows);
}

// c[mr, NR] = scales a b + addends, all sums in registers.
INLINE void tile_body(const int mr, int64_t k, const int32_t *restrict a, const int8_panel *restrict b, float *c,
                      int64_t ldc, const int8_addends *plus) {
    vi acc[MR][NV];
    const float *scales = (const float *)a;
    const int32_t *above = a + mr, *lanes = b->lanes;
    a += 2 * mr;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) {
        vi less = vi_set1(-above[i]);
#pragma GCC unroll 4
        for (int v = 0; v < NV; v++) acc[i][v] = vi_mul(less, vi_load(b->sums + v * VL));
    }
    for (int64_t g = 0; g < groups_of(k); g++) {
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

#define TILE(n)                                                                                                    \
    static void tile_##n(int64_t k, const int32_t *a, const void *b, float *c, int64_t ldc, const int8_addends *plus) { \
        tile_body(n, k, a, b, c, ldc, plus);                                                                       \
    }
EACH_TILE(TILE)

#define ENTRY(n) tile_##n,
static const int8_tile tiles[MR + 1] = {NULL, EACH_TILE(ENTRY)};

int ISA(matmul_int8)(l4m_pool *pool, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const void *packed,
                     const float *bias, const float *residual, int64_t ldr, int32_t activation, float *c,
                     int64_t ldc) {
    const panel_header *header = packed;
    if (header->width != NR || header->type != INT8_PANELS + GROUP || header->n != n || header->k != k)
        return L4M_BAD_ARGUMENT;
    if (m == 0 || n == 0) return L4M_OK;
    int8_product w = {.pool = pool, .m = m, .n = n, .k = k, .a = a, .lda = lda,
                      .panels = (const char *)(header + 1), .panel_bytes = panel_size(k), .bias = bias,
                      .residual = residual, .ldr = ldr, .activation = activation, .c = c, .ldc = ldc,
                      .multiply = tiles, .quantise = quantise_rows, .rows = int8_rows(m, MR)};
    w.stride = l4m_round_up(2 * w.rows + panel_stride(w.rows, groups_of(k)), 16);
#if defined(L4M_AMX) && defined(__AVX512BF16__)
    if (l4m_isa_selected() == L4M_ISA_AVX512_AMX) ISA(int8_amx)(&w);
#endif
    return ISA(int8_run)(&w, (size_t)(MR * (groups_of(k) + VL)) * 4);
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
