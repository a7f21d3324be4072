// Matrix products for OpenCL devices that are CPUs: no local memory, whose barriers cost more there than they save,
// but registers. B is first laid out in panels of PANEL columns; an item then makes CPU_ROWS x PANEL sums. Modes
// and places are those of matmul.kk, which this file follows.
#define PANEL 16
#define CPU_ROWS 6

// panels [batches, ceil(columns / PANEL), inner, PANEL], zeros behind the last column. In BY_INNER element k of a
// column is the one of row order[k].
KERNEL pack_panels(int mode, i64 batches, i64 columns, i64 inner, GLOBAL const float *b, i64 b_batch, i64 b_inner,
                   i64 b_column, GLOBAL const int *order, GLOBAL float *panels, GLOBAL const int *fault) {
    i64 i = GID, across = (columns + PANEL - 1) / PANEL;
    if (i >= batches * across * inner || (mode == BY_INNER && fault[0] != 0)) return;
    i64 k = i % inner, column = i / inner % across * PANEL, z = i / inner / across;
    GLOBAL const float *from = b + z * b_batch + (mode == BY_INNER ? order[k] : k) * b_inner + column * b_column;
    int count = (int)least(PANEL, columns - column);
    for (int j = 0; j < PANEL; j++) panels[i * PANEL + j] = j < count ? from[j * b_column] : 0.0f;
}

__kernel __attribute__((reqd_work_group_size(4, 1, 1))) void matmul_cpu(
    int mode, i64 items, i64 rows, i64 columns, i64 inner, i64 down, i64 across, GLOBAL const float *a, i64 a_batch,
    i64 a_row, i64 a_inner, GLOBAL const float *panels, GLOBAL float *c, i64 c_batch, i64 c_row, i64 c_at,
    GLOBAL const int *order, GLOBAL const int *offsets, GLOBAL const int *starts, int groups, int with, int activation,
    GLOBAL const float *bias, i64 bias_batch, GLOBAL const float *residual, GLOBAL const float *gate,
    GLOBAL const int *fault) {
    i64 i = get_global_id(0);
    if (i >= items || (mode != STRIDED && fault[0] != 0)) return;
    // Items next to each other share a panel.
    i64 tile = i % down, panel = i / down % across, z = i / down / across;
    i64 first = tile * CPU_ROWS, end = rows, from = 0, to = inner;
    if (mode == BY_ROWS) {
        if (tile >= starts[groups]) return;
        z = part_of(starts, groups, tile);
        first = offsets[z] + (tile - starts[z]) * CPU_ROWS;
        end = offsets[z + 1];
    } else if (mode == BY_INNER) {
        from = offsets[z];
        to = offsets[z + 1];
    }
    GLOBAL const float *packed = panels + ((mode == BY_INNER ? 0 : z) * across + panel) * inner * PANEL;
    a += z * a_batch;
    // Rows behind the last one are read as the last one and not written.
    i64 row[CPU_ROWS];
    for (int r = 0; r < CPU_ROWS; r++) {
        i64 p = least(first + r, end - 1);
        row[r] = mode == BY_ROWS ? order[p] : p;
    }
    GLOBAL const float *a0 = a + row[0] * a_row, *a1 = a + row[1] * a_row, *a2 = a + row[2] * a_row;
    GLOBAL const float *a3 = a + row[3] * a_row, *a4 = a + row[4] * a_row, *a5 = a + row[5] * a_row;
    float16 s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0;
    for (i64 k = from; k < to; k++) {
        float16 right = vload16(k, packed);
        i64 at = (mode == BY_INNER ? order[k] : k) * a_inner;
        s0 = fma((float16)(a0[at]), right, s0);
        s1 = fma((float16)(a1[at]), right, s1);
        s2 = fma((float16)(a2[at]), right, s2);
        s3 = fma((float16)(a3[at]), right, s3);
        s4 = fma((float16)(a4[at]), right, s4);
        s5 = fma((float16)(a5[at]), right, s5);
    }
    float sums[CPU_ROWS * PANEL];
    vstore16(s0, 0, sums);
    vstore16(s1, 1, sums);
    vstore16(s2, 2, sums);
    vstore16(s3, 3, sums);
    vstore16(s4, 4, sums);
    vstore16(s5, 5, sums);
    int count = (int)least(PANEL, columns - panel * PANEL);
    for (int r = 0; r < CPU_ROWS && first + r < end; r++) {
        i64 to_at = z * c_batch + row[r] * c_row + c_at + panel * PANEL;
        i64 bias_at = z * bias_batch + c_at + panel * PANEL;
        for (int j = 0; j < count; j++)
            c[to_at + j] = finished(sums[r * PANEL + j], with, activation, bias, bias_at + j, residual, gate, to_at + j);
    }
}
