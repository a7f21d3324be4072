#include "check.h"

extern "C" void rms_norm_residual(int width, float epsilon, const void *x, int x_type, const void *h, int h_type,
                                  void *sum, const float *weight, void *y, int y_type);
extern "C" void to_bf16(i64 rows, i64 width, const float *x, i64 ldx, bf16 *y, i64 ldy);

namespace {
struct Row {
    Halves half;
    Floats single;
    Row(int64_t n, int type, int shift = 0) {
        if (type == RESULT_BF16) half = random_bf16(n, shift);
        else single = random_f32(n);
    }
    void *data() { return half ? (void *)half->data : single->data; }
    double at(int64_t i) { return half ? value((*half)[i]) : (*single)[i]; }
};

// `apart`: the sum goes elsewhere, and h stays as it is.
void run(int rows, int width, bool with_x, bool apart, int x_type, int h_type, int y_type) {
    Row x((int64_t)rows * width, x_type), h((int64_t)rows * width, h_type), y((int64_t)rows * width, y_type),
        other((int64_t)rows * width, h_type);
    Row &sum = with_x && apart ? other : h;
    Floats weight = random_f32(width);
    std::vector<double> sums;
    for (int64_t i = 0; i < (int64_t)rows * width; i++) sums.push_back(h.at(i) + (with_x ? x.at(i) : 0));
    emu::launch({(unsigned)rows, 1, 1}, 256, 4 * width + 32, 1, [&] {
        rms_norm_residual(width, 1e-5f, with_x ? x.data() : nullptr, x_type, h.data(), h_type, sum.data(), weight->data,
                          y.data(), y_type);
    });
    Comparison stream, normalised;
    for (int64_t i = 0; i < rows; i++) {
        double square = 0;
        for (int64_t j = 0; j < width; j++) square += sums[(size_t)(i * width + j)] * sums[(size_t)(i * width + j)];
        for (int64_t j = 0; j < width; j++) {
            stream.add(sums[(size_t)(i * width + j)], sum.at(i * width + j));
            normalised.add(sums[(size_t)(i * width + j)] / std::sqrt(square / width + 1e-5f) * (*weight)[j],
                           y.at(i * width + j));
        }
    }
    stream.finish(h_type == RESULT_F32 ? F32_BOUND : BF16_BOUND, "rms_norm_residual: h, %d x %d", rows, width);
    normalised.finish(y_type == RESULT_F32 ? F32_BOUND : BF16_BOUND, "rms_norm_residual: y, %d x %d", rows, width);
}

// Of the two BF16 values around x the nearer one, of equally near ones the even one.
bf16 rounded(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bf16 toward_zero = (bf16)(bits >> 16), away = (bf16)(toward_zero + 1);
    double below = std::fabs((double)x - value(toward_zero)), above = std::fabs(value(away) - (double)x);
    return below < above || (below == above && toward_zero % 2 == 0) ? toward_zero : away;
}

void run_rounding(int rows, int width, int gap) {
    i64 ldx = width + gap, ldy = width + 2 * gap;
    Floats x = random_f32((rows - 1) * ldx + width);
    for (i64 i = 0; i < x->count; i += 3) (*x)[i] = (float)(value((bf16)pick(0x3f00, 0x4100)) * (1 + 0x1p-8));
    Halves y = std::make_unique<Array<bf16>>((rows - 1) * ldy + width);
    emu::launch({(unsigned)((rows * ((width + 7) / 8) + 255) / 256), 1, 1}, 256, 0, 1,
                [&] { to_bf16(rows, width, x->data, ldx, y->data, ldy); });
    Comparison comparison;
    for (i64 i = 0; i < rows; i++)
        for (i64 j = 0; j < width; j++) comparison.add(value(rounded((*x)[i * ldx + j])), value((*y)[i * ldy + j]));
    comparison.finish(0, "to_bf16: %d x %d, gap %d", rows, width, gap);
}
}  // namespace

void check_rows() {
    for (int width : {1, 7, 8, 64, 129})
        for (int gap : {0, 1, 8}) run_rounding(width % 5 + 1, width, gap);
    for (int width : {1, 2, 31, 128, 257, 1024, 1030, 4096})
        for (int types = 0; types < 8; types++)
            run(types % 3 + 1, width, types != 5, types % 3 != 0, types & 1, types >> 1 & 1, types >> 2);
}
