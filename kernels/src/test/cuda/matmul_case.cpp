#include "matmul_case.h"

std::vector<Extents> ragged_extents(bool unaligned) {
    std::vector<Extents> extents = {
        {128, 128, 64, 8}, {1, 1, 1, 8},    {127, 129, 65, 8}, {130, 256, 191, 8}, {257, 131, 320, 8},
        {64, 64, 8, 8},    {3, 300, 72, 8}, {300, 5, 129, 8},  {65, 97, 0, 8},     {129, 193, 448, 16},
    };
    if (unaligned)
        for (Extents e : std::vector<Extents>{{1, 1, 1, 1}, {127, 129, 65, 1}, {31, 17, 257, 1}, {140, 133, 7, 1}})
            extents.push_back(e);
    return extents;
}

static i64 row_of(i64 width, int align) {
    return align == 1 ? width + 2 * pick(0, 3) + (width % 2 == 0)
                      : (width + align - 1) / align * align + align * pick(0, 2);
}

MatmulCase::MatmulCase(const Extents &e, bool gated, bool half) : m(e.m), n(e.n), k(e.k) {
    lda = row_of(k, e.align);
    ldw = row_of(k, e.align);
    type = half ? RESULT_BF16 : (int)pick(RESULT_F32, RESULT_BF16);
    activation = (int)pick(ACT_NONE, ACT_GELU_TANH);
    ldc = row_of(n, e.align);
    ldr = row_of(n, e.align);
    // The last row ends with its last element.
    auto cells = [](i64 rows, i64 stride, i64 width) { return (rows - 1) * stride + width; };
    int shift = e.align == 1 ? 2 : 0;
    a = random_bf16(cells(m, lda, k), shift);
    w = random_bf16(cells(n, ldw, k), shift);
    if (gated) w_up = random_bf16(cells(n, ldw, k), shift);
    c_float = std::make_unique<Array<float>>(cells(m, ldc, n));
    c_half = std::make_unique<Array<bf16>>(cells(m, ldc, n), shift);
    if (gated) return;
    if (pick(0, 1)) bias = random_f32(n);
    if (pick(0, 1) && type == RESULT_F32) residual_float = random_f32(cells(m, ldr, n));
    if (pick(0, 1) && type == RESULT_BF16) residual_half = random_bf16(cells(m, ldr, n));
}

static std::vector<double> widened(const Halves &matrix) {
    std::vector<double> values((size_t)(matrix ? matrix->count : 0));
    for (size_t i = 0; i < values.size(); i++) values[i] = value((*matrix)[(i64)i]);
    return values;
}

void MatmulCase::compare(const char *kernel) const {
    Comparison comparison;
    std::vector<double> left = widened(a), right = widened(w), up = widened(w_up);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            auto dot = [&](const std::vector<double> &b) {
                const double *a_row = left.data() + i * lda, *b_row = b.data() + j * ldw;
                double sum = 0;
                for (int p = 0; p < k; p++) sum += a_row[p] * b_row[p];
                return sum;
            };
            double expected = dot(right);
            if (bias) expected += (*bias)[j];
            if (residual_float) expected += (*residual_float)[i * ldr + j];
            if (residual_half) expected += value((*residual_half)[i * ldr + j]);
            expected = activation_of(activation, expected);
            if (w_up) expected *= dot(up);
            comparison.add(expected, type == RESULT_F32 ? (*c_float)[i * ldc + j] : value((*c_half)[i * ldc + j]));
        }
    // Between the rows nothing is written.
    for (int i = 0; i < m - 1; i++)
        for (i64 j = n; j < ldc; j++) {
            u32 bits = 0;
            if (type == RESULT_F32) memcpy(&bits, &(*c_float)[i * ldc + j], 4);
            else bits = (*c_half)[i * ldc + j] | 0xffff0000u;
            if (bits != 0xffffffff) emu::fail("%s wrote between the rows of c", kernel);
        }
    comparison.finish(type == RESULT_F32 ? F32_BOUND : BF16_BOUND, "%s: %d x %d x %d%s%s%s, activation %d, type %d",
                      kernel, m, n, k, w_up ? ", gated" : "", bias ? ", bias" : "", residual() ? ", residual" : "",
                      activation, type);
}
