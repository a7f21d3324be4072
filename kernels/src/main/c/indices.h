// Checks of everything in the data that serves as an index.
#ifndef L4M_INDICES_H
#define L4M_INDICES_H

#include "l4m.h"

static inline int l4m_check_ids(const int32_t *ids, int64_t count, int64_t stride, int64_t limit) {
    int bad = 0;
    for (int64_t i = 0; i < count; i++) bad |= ids[i * stride] < 0 || ids[i * stride] >= limit;
    return bad ? L4M_ID_OUT_OF_RANGE : L4M_OK;
}

// offsets[parts + 1] runs from 0 to total without falling.
static inline int l4m_check_offsets(const int32_t *offsets, int64_t parts, int64_t total) {
    int bad = offsets[0] != 0 || offsets[parts] != total;
    for (int64_t i = 0; i < parts; i++) bad |= offsets[i] > offsets[i + 1];
    return bad ? L4M_ID_OUT_OF_RANGE : L4M_OK;
}

static inline int l4m_check_groups(int64_t rows, int64_t groups, const int32_t *order, const int32_t *offsets) {
    int code = l4m_check_offsets(offsets, groups, rows);
    return code != L4M_OK ? code : l4m_check_ids(order, rows, 1, rows);
}

// The keys of sequence s are the rows [begins[s], ends[s]), at least as many as its queries.
static inline int l4m_check_keys(const int32_t *offsets, const int32_t *begins, const int32_t *ends,
                                 int64_t sequences, int64_t keys) {
    int bad = 0;
    for (int64_t s = 0; s < sequences; s++)
        bad |= begins[s] < 0 || ends[s] > keys || (int64_t)ends[s] - begins[s] < offsets[s + 1] - offsets[s];
    return bad ? L4M_ID_OUT_OF_RANGE : L4M_OK;
}

// count rows, strictly ascending in [0, size).
static inline int l4m_check_rows(const int32_t *rows, int64_t count, int64_t capacity, int64_t size) {
    if (count < 0 || count > capacity) return L4M_ID_OUT_OF_RANGE;
    int bad = l4m_check_ids(rows, count, 1, size);
    for (int64_t i = 1; i < count; i++) bad |= rows[i - 1] >= rows[i];
    return bad ? L4M_ID_OUT_OF_RANGE : L4M_OK;
}

#endif
