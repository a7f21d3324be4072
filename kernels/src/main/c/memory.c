// Large arrays in large pages, where the system gives them to those who ask: rows that lie 4 KiB apart are a page each,
// and the blocks of a product of thousands of them more pages than a processor keeps at hand.
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>

#include "l4m.h"

#define LARGE_PAGE ((int64_t)1 << 21)

int l4m_map(int64_t bytes, void **out) {
    if (bytes < 1 || bytes > INT64_MAX - 2 * LARGE_PAGE || out == NULL) return L4M_BAD_ARGUMENT;
    // A page too many, so that the array can begin at a large page's boundary; what is outside of it goes back.
    int64_t size = l4m_round_up(bytes, LARGE_PAGE), reserved = size + LARGE_PAGE;
    char *at = mmap(NULL, (size_t)reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return L4M_OUT_OF_MEMORY;
    int64_t before = (LARGE_PAGE - (int64_t)((uintptr_t)at % (uintptr_t)LARGE_PAGE)) % LARGE_PAGE;
    if (before > 0) munmap(at, (size_t)before);
    munmap(at + before + size, (size_t)(LARGE_PAGE - before));
#if defined(MADV_HUGEPAGE)
    // Only a wish: small pages do as well.
    madvise(at + before, (size_t)size, MADV_HUGEPAGE);
#endif
    *out = at + before;
    return L4M_OK;
}

int l4m_unmap(void *at, int64_t bytes) {
    if (at == NULL || bytes < 1) return L4M_BAD_ARGUMENT;
    return munmap(at, (size_t)l4m_round_up(bytes, LARGE_PAGE)) == 0 ? L4M_OK : L4M_BAD_ARGUMENT;
}
