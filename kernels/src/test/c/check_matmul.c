#include "check.h"

static void one(int64_t m, int64_t n, int64_t k) {
    int32_t ta = random_int(0, 1), tb = random_int(0, 1), type = random_int(0, 2), act = random_int(0, 4);
    int64_t pad = random_int(0, 3), lda = (ta ? m : k) + pad, ldb = (tb ? k : n) + pad, ldc = n + pad, ldr = n + 2 * pad;
    int64_t size_a = (ta ? k : m) * lda, size_b = (tb ? n : k) * ldb;
    float *a = random_floats(size_a);
    void *b = type == L4M_F32 ? (void *)random_floats(size_b) : random_halves(size_b, type);
    float *bias = random_int(0, 1) ? random_floats(n) : NULL;
    float *residual = random_int(0, 1) ? random_floats(m * ldr) : NULL;
    float *start = random_floats(m * ldc), *expected = copy_of(start, m * ldc * 4);
    l4m_isa_select(L4M_ISA_REF);
    require(l4m_matmul(pool, ta, tb, m, n, k, a, lda, b, ldb, type, bias, residual, ldr, act, expected, ldc) == 0, "matmul ref");
    EACH_ISA(isa) {
        char what[200];
        snprintf(what, sizeof what, "matmul isa %d ta %d tb %d type %d act %d bias %d residual %d: %ldx%ldx%ld", isa, ta, tb, type, act,
                 bias != NULL, residual != NULL, (long)m, (long)n, (long)k);
        float *c = copy_of(start, m * ldc * 4);
        require(l4m_matmul(pool, ta, tb, m, n, k, a, lda, b, ldb, type, bias, residual, ldr, act, c, ldc) == 0, what);
        require_close(what, expected, c, m * ldc);
        free(c);
    }
    free(a), free(b), free(bias), free(residual), free(start), free(expected);
}

void check_matmul(void) {
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 63, 64, 65, 97, 130};
    const int count = sizeof sizes / sizeof *sizes;
    for (int i = 0; i < 1500; i++)
        one(sizes[random_int(0, count - 1)], sizes[random_int(0, count - 1)], sizes[random_int(0, count - 1)]);
    for (int i = 0; i < 6; i++) {
        one(700, 67, 131);
        one(33, 150, 1537);
        one(3, 1100, 517);
        one(2100, 1, 64);
    }
}
