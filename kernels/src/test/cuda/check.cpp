#include "check.h"

#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t draw() {  // splitmix64 (Steele et al. 2014)
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

int64_t pick(int64_t low, int64_t high) { return low + (int64_t)(draw() % (uint64_t)(high - low + 1)); }
double uniform() { return (double)(draw() >> 11) * 0x1p-52 - 1; }

Halves random_bf16(int64_t n, int shift) {
    auto values = std::make_unique<Array<bf16>>(n, shift);
    for (int64_t i = 0; i < n; i++) (*values)[i] = (bf16)pack_bf16((float)uniform(), 0);
    return values;
}
Floats random_f32(int64_t n) {
    auto values = std::make_unique<Array<float>>(n);
    for (int64_t i = 0; i < n; i++) (*values)[i] = (float)uniform();
    return values;
}
double value(bf16 x) { return float_of_bfloat(x); }

double activation_of(int kind, double x) {
    switch (kind) {
        case ACT_RELU: return x < 0 ? 0 : x;
        case ACT_SIGMOID: return 1 / (1 + std::exp(-x));
        case ACT_SILU: return x / (1 + std::exp(-x));
        case ACT_TANH: return std::tanh(x);
        case ACT_GELU: return x / 2 * std::erfc(-x / std::sqrt(2));
        case ACT_GELU_TANH: return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
        default: return x;
    }
}

struct Worst {
    int cases = 0;
    double error = 0, bound = 0;
};
static std::map<std::string, Worst> table;

void Comparison::add(double expected, double actual) {
    if (!std::isfinite(actual)) finite = false;
    error += (expected - actual) * (expected - actual);
    norm += expected * expected;
    count++;
}

void Comparison::finish(double bound, const char *format, ...) {
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    double nmse = error == 0 ? 0 : error / (norm > 0 ? norm : 1);
    if (!finite || !(nmse <= bound)) {
        fprintf(stderr, "%s: %lld values, normalised mean squared error %.3g, at most %.3g%s\n", what, (long long)count,
                nmse, bound, finite ? "" : ", not all finite");
        exit(1);
    }
    Worst &worst = table[std::string(what).substr(0, std::string(what).find(':'))];
    worst.cases++;
    worst.error = std::max(worst.error, nmse);
    worst.bound = std::max(worst.bound, bound);
}

int main(int count, char **arguments) {
    struct {
        const char *name;
        void (*run)();
    } parts[] = {
        {"emulation", check_emulation}, {"matmul", check_matmul},       {"hopper", check_matmul_hopper},
        {"attention", check_attention}, {"quantised", check_quantised}, {"rows", check_rows},
        {"tables", check_tables},
    };
    auto start = std::chrono::steady_clock::now();
    for (const auto &part : parts) {
        if (count > 1 && std::string(arguments[1]) != part.name) continue;
        emu::seed(count > 2 ? strtoull(arguments[2], nullptr, 10) : 1);
        part.run();
        double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        fprintf(stderr, "  %s done after %.1f s\n", part.name, seconds);
    }
    printf("| kernel | cases | worst error (NMSE) | bound |\n| --- | --- | --- | --- |\n");
    for (const auto &entry : table)
        printf("| %s | %d | %.2g | %.1e |\n", entry.first.c_str(), entry.second.cases, entry.second.error,
               entry.second.bound);
}
