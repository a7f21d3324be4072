// Products with weights in blocks, and with a matrix for each group of rows.
#include <algorithm>
#include <numeric>

#include "check.h"

#define QUANTISED(name)                                                                                               \
    extern "C" void name(int m, int n, int k, const bf16 *a, i64 lda, const u8 *w, const u8 *w_up, const float *bias, \
                         const void *residual, i64 ldr, int activation, int type, void *c, i64 ldc)
QUANTISED(matmul_q8_0);
QUANTISED(matmul_q4_0);
extern "C" void grouped_matmul(int groups, int n, int k, const bf16 *x, i64 ldx, const bf16 *w, int trans_w,
                               const int *order, const int *offsets, const float *bias, int activation, int type,
                               void *y, const int *fault);

namespace {
// Blocks of 34 or 18 bytes, scales of any sign and size up to 1/64, also subnormal ones.
std::unique_ptr<Array<u8>> random_blocks(int64_t count, int bytes) {
    auto blocks = std::make_unique<Array<u8>>(count * bytes, 2);
    for (int64_t b = 0; b < count; b++) {
        for (int i = 0; i < bytes; i++) (*blocks)[b * bytes + i] = (u8)pick(0, 255);
        (*blocks)[b * bytes + 1] = (u8)(pick(0, 0x23) | pick(0, 1) << 7);
    }
    return blocks;
}

double element(const Array<u8> &blocks, int bytes, int64_t at) {
    int64_t b = at / 32 * bytes;
    int i = (int)(at % 32), bits = blocks[b] | blocks[b + 1] << 8;
    double mantissa = bits & 0x3ff;
    int exponent = bits >> 10 & 31;
    double scale = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    if (bits & 0x8000) scale = -scale;
    if (bytes == 34) return scale * (int8_t)blocks[b + 2 + i];
    return scale * ((blocks[b + 2 + i % 16] >> (i < 16 ? 0 : 4) & 15) - 8);
}

void run(int bytes, int m, int n, int k, bool gated) {
    i64 lda = k + pick(0, 8), ldc = n + pick(0, 3);
    int activation = (int)pick(ACT_NONE, ACT_GELU_TANH);
    Halves a = random_bf16((m - 1) * lda + k);
    auto w = random_blocks((int64_t)n * k / 32, bytes), up = random_blocks((int64_t)n * k / 32, bytes);
    Floats bias = gated ? nullptr : random_f32(n), residual = gated ? nullptr : random_f32((m - 1) * ldc + n);
    auto c = std::make_unique<Array<float>>((m - 1) * ldc + n);
    int width = gated ? 64 : 128;
    emu::launch({(unsigned)((m + 127) / 128 * ((n + width - 1) / width)), 1, 1}, 256, 65536, 1, [&] {
        (bytes == 34 ? matmul_q8_0 : matmul_q4_0)(m, n, k, a->data, lda, w->data, gated ? up->data : nullptr,
                                                  gated ? nullptr : bias->data, gated ? nullptr : residual->data, ldc,
                                                  activation, RESULT_F32, c->data, ldc);
    });
    Comparison comparison;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            auto dot = [&](const Array<u8> &b) {
                double sum = 0;
                for (int p = 0; p < k; p++) sum += value((*a)[i * lda + p]) * element(b, bytes, (int64_t)j * k + p);
                return sum;
            };
            double expected = dot(*w);
            if (!gated) expected += (*bias)[j] + (double)(*residual)[i * ldc + j];
            expected = activation_of(activation, expected);
            if (gated) expected *= dot(*up);
            comparison.add(expected, (*c)[i * ldc + j]);
        }
    // Weights are rounded to BF16.
    comparison.finish(BF16_BOUND, "matmul_%s: %d x %d x %d%s, activation %d", bytes == 34 ? "q8_0" : "q4_0", m, n, k,
                      gated ? ", gated" : "", activation);
}

void run_grouped(const std::vector<int> &sizes, int n, int k, bool trans_w) {
    int groups = (int)sizes.size(), rows = std::accumulate(sizes.begin(), sizes.end(), 0), type = (int)pick(0, 1);
    int activation = (int)pick(ACT_NONE, ACT_GELU_TANH);
    Ints order = std::make_unique<Array<int>>(rows), offsets = std::make_unique<Array<int>>(groups + 1);
    std::iota(order->data, order->data + rows, 0);
    for (int i = rows - 1; i > 0; i--) std::swap((*order)[i], (*order)[pick(0, i)]);
    (*offsets)[0] = 0;
    for (int g = 0; g < groups; g++) (*offsets)[g + 1] = (*offsets)[g] + sizes[(size_t)g];
    i64 ldx = k + pick(0, 1) * 8;
    Halves x = random_bf16((rows - 1) * ldx + k), w = random_bf16((int64_t)groups * n * k);
    Floats bias = pick(0, 1) ? random_f32(groups * n) : nullptr;
    Halves half = std::make_unique<Array<bf16>>((int64_t)rows * n);
    Floats single = std::make_unique<Array<float>>((int64_t)rows * n);
    int fault = 0;
    emu::launch({(unsigned)((rows / 128 + groups) * ((n + 127) / 128)), 1, 1}, 256, 98304, 1, [&] {
        grouped_matmul(groups, n, k, x->data, ldx, w->data, trans_w, order->data, offsets->data,
                       bias ? bias->data : nullptr, activation, type,
                       type == RESULT_F32 ? (void *)single->data : half->data, &fault);
    });
    Comparison comparison;
    for (int g = 0; g < groups; g++)
        for (int i = (*offsets)[g]; i < (*offsets)[g + 1]; i++)
            for (int j = 0; j < n; j++) {
                i64 row = (*order)[i];
                double sum = bias ? (*bias)[g * n + j] : 0;
                for (int p = 0; p < k; p++)
                    sum += value((*x)[row * ldx + p]) * value((*w)[(i64)g * n * k + (trans_w ? j * k + p : p * n + j)]);
                comparison.add(activation_of(activation, sum),
                               type == RESULT_F32 ? (*single)[row * n + j] : value((*half)[row * n + j]));
            }
    comparison.finish(type == RESULT_F32 ? F32_BOUND : BF16_BOUND,
                      "grouped_matmul: %d rows, %d groups, %d x %d%s, activation %d", rows, groups, n, k,
                      trans_w ? ", transposed" : "", activation);
}
}  // namespace

void check_quantised() {
    for (int bytes : {34, 18}) {
        run(bytes, 1, 1, 32, false);
        run(bytes, 129, 131, 96, false);
        run(bytes, 17, 200, 320, false);
        run(bytes, 40, 64, 128, false);
        run(bytes, 3, 5, 0, false);
        run(bytes, 33, 100, 160, true);
    }
    for (bool trans_w : {false, true}) {
        run_grouped({1}, 1, 1, trans_w);
        run_grouped({0, 130, 1, 0, 128, 5, 0}, 32, 64, trans_w);
        run_grouped({7, 0, 260}, 130, 72, trans_w);
        run_grouped({20, 50, 3, 11}, 16, 17, trans_w);
        run_grouped({65, 64}, 37, 200, trans_w);
        run_grouped({4, 4}, 8, 0, trans_w);
    }
}
