/* How keys, values and rows lie in tiles, and which of them a row sees. */

/* Keys of one head by tiles of TILE, each transposed: cell (c, key) at [c * TILE + key]; zeros after the last key. */
static void turn(const float *from, size row, size keys, size cells, size cells_padded, float *to) {
    memset(to, 0, tiles(keys) * TILE * cells_padded * sizeof(float));
    for (size key = 0; key < keys; key++) {
        float *tile = to + key / TILE * TILE * cells_padded + key % TILE;
        for (size c = 0; c < cells; c++) memcpy(tile + c * TILE, from + key * row + c, sizeof(float));
    }
}

/* Rows as they are, one after the other, with zeros after the last cell and the last row. */
static void line_up(const float *from, size row, size rows, size rows_padded, size cells, size cells_padded,
                    float *to) {
    memset(to, 0, rows_padded * cells_padded * sizeof(float));
    for (size i = 0; i < rows; i++) memcpy(to + i * cells_padded, from + i * row, cells * sizeof(float));
}

/* Rows of bfloat16 two by two: cell (i, c) holds column c of rows 2i and 2i + 1. */
static void pair_up(const uint16_t *from, size row, size rows, size rows_padded, size width, size width_padded,
                    float *to) {
    uint16_t *cell = (uint16_t *)to;
    memset(to, 0, rows_padded / 2 * width_padded * sizeof(float));
    for (size i = 0; i < rows; i++)
        for (size c = 0; c < width; c++) cell[(i / 2 * width_padded + c) * 2 + i % 2] = from[i * row + c];
}

/* Shapes, and strides in cells, of q (heads, rows, width), k and v (heads / shared, keys, width) and out (rows, heads,
   width). Row r sees the keys up to keys - rows + r. */
typedef struct {
    size heads, shared, rows, keys, width;
    size q_head, q_row, k_head, k_row, v_head, v_row, out_head, out_row;
    float scale; /* of logits in powers of two: the usual one times log2(e) */
} Shape;

INLINE size last_seen(const Shape *s, size row) { return s->keys - s->rows + row; }
/* How many tiles the row sees at least in part, and how many keys from a tile's start on (may be more than TILE). */
INLINE size tiles_seen(const Shape *s, size row) { return tiles(last_seen(s, row) + 1); }
INLINE size seen_of(const Shape *s, size row, size tile) { return last_seen(s, row) + 1 - tile * TILE; }
INLINE size within(size seen) { return seen < 0 ? 0 : least(seen, TILE); }
