// The engine under matmul and grouped matmul: one rectangle of C on one thread.
#ifndef L4M_GEMM_H
#define L4M_GEMM_H

#include "vec.h"

// A quantised B is transposed, k in whole blocks.
// C[i, j] = act(sum_p op(A)[i, p] op(B)[p, j] + bias[j] + residual[i, j]); the residual may be C itself.
// Index maps, NULL for plain matrices: rows_a maps row i of an untransposed A, rows_c row i of C and of
// residual; inner_a maps p in a transposed A, inner_b p in an untransposed B (sums over gathered rows).
// gate, laid out like C: C is zero where it is not positive, the gradient of a ReLU that had it for output.
// sums[i] = sum_p op(A)[i, p], which costs little while A is packed.
typedef struct {
    const float *a;
    int64_t lda;
    int32_t trans_a;
    const void *b;
    int64_t ldb;
    int32_t trans_b;
    int32_t b_type;
    float *c;
    int64_t ldc;
    const float *bias;
    const float *residual;
    int64_t ldr;
    int32_t activation;
    const float *gate;
    float *sums;
    int64_t k;
    const int32_t *rows_a;
    const int32_t *rows_c;
    const int32_t *inner_a;
    const int32_t *inner_b;
    const void *panels;
    int64_t panel_columns;
} gemm;

// Rows that share one packed block of A.
#define GEMM_MAX_ROWS 512
#define GEMM_MAX_COLS 1024
// The same where B is packed already: whole tiles of every instruction set, and few enough for A to stay in L2.
#define GEMM_PANEL_ROWS 168
// At most this many rows go through the unpacked path, which reads B once and at the speed of memory.
#define GEMM_SMALL_ROWS 8

// Bytes of scratch that gemm_rect needs for up to `rows` rows, and how many more for a quantised B.
size_t ISA(gemm_scratch)(int64_t rows, int64_t k);
size_t ISA(gemm_scratch_quantised)(int64_t k);
void ISA(gemm_rect)(const gemm *g, int64_t i0, int64_t i1, int64_t j0, int64_t j1, void *scratch);

// The unpacked path. x holds m <= GEMM_SMALL_ROWS pointers to rows of k values; the big matrix is
// [n, k] (by_row) or [k, n] with leading dimension ld, not quantised. Writes sums to out[i * out_ld + j - j0].
void ISA(gemm_small)(const float *const *x, int64_t m, const void *big, int64_t ld, int32_t by_row, int32_t type,
                     int64_t k, int64_t j0, int64_t j1, float *out, int64_t out_ld);

// Into how many rectangles to cut each of `copies` products m x n, so that all together keep the threads equally busy:
// about `wanted` at most, large enough that packing is cheap, small enough that C stays in L2.
void ISA(gemm_grid)(int64_t m, int64_t n, int64_t copies, int64_t wanted, int64_t threads, int64_t *row_chunks,
                    int64_t *col_chunks);
// The rectangle number `chunk` of such a grid.
void ISA(gemm_grid_rect)(const gemm *g, int64_t m, int64_t n, int64_t row_chunks, int64_t col_chunks,
                         int64_t chunk, void *scratch);

// B packed once and for all, in the same panels: those of an inner block one after the other, then the next
// block's. F16 and BF16 stay as they are. Bytes of all panels; packing of column panel number `panel` of B [k, n].
size_t ISA(gemm_panel_bytes)(int64_t n, int64_t k, int32_t type);
int64_t ISA(gemm_panel_width)(void);
void ISA(gemm_pack)(const gemm *g, int64_t n, int64_t panel, void *panels);
// gemm_grid where B is packed: rows are cut first, since only A is packed again for each rectangle.
void ISA(gemm_panel_grid)(int64_t m, int64_t n, int64_t k, int64_t wanted, int64_t *row_chunks, int64_t *col_chunks);

// dst = act(src + add + bias + residual) over n values, zero where the gate is not positive; pointers may be NULL
// but for src and dst.
void ISA(gemm_epilogue)(const float *src, const float *add, const float *bias, const float *residual,
                        int32_t activation, const float *gate, int64_t n, float *dst);

#endif
