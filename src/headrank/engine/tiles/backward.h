/* From the gradient of attention's output to those of queries, keys and values; logits are computed again. */

typedef struct {
    float query[TILE * WIDEST], slope[TILE * WIDEST], to_query[TILE * WIDEST];
    float weights[TILE * TILE], slopes[TILE * TILE];
    float own[TILE]; /* per row the sum of output times its gradient */
} Backward;

/* One row of a tile: logits become weights, and the gradients of the weights become those of the logits. */
INLINE void slope_of(float *weights, float *slopes, size seen, float scale, float logsum, float own) {
    const float natural = scale * 0.6931471805599453f; /* back from powers of two */
    for (int j = 0; j < TILE; j += LANES) store(weights + j, power(load(weights + j) * scale - logsum));
    for (int j = 0; j < TILE; j += LANES) store(slopes + j, load(weights + j) * (load(slopes + j) - own) * natural);
    for (size j = seen; j < TILE; j++) weights[j] = slopes[j] = 0;
}

/* Gradients of one key head and the query heads that share it, in floats. grad and out: (rows, heads, width), by the
   strides of out; logsum as attend gives it; to_v may be 0. Scratch: keys transposed and lined up, values transposed,
   and the gradients of both lined up, each of padded(width) columns and whole tiles of rows. */
static void attend_backward(const Shape *s, Backward *w, float *scratch, size key_head, const float *q,
                            const float *k, const float *v, const float *out, const float *grad,
                            const float *logsum, float *to_q, float *to_k, float *to_v) {
    size columns = padded(s->width), all_keys = tiles(s->keys) * TILE, part = all_keys * columns;
    float *turned = scratch, *lined = turned + part, *values = lined + part, *to_keys = values + part,
          *to_values = to_keys + part;
    k += key_head * s->k_head;
    v += key_head * s->v_head;
    turn(k, s->k_row, s->keys, s->width, columns, turned);
    line_up(k, s->k_row, s->keys, all_keys, s->width, columns, lined);
    turn(v, s->v_row, s->keys, s->width, columns, values);
    memset(to_keys, 0, 2 * part * sizeof(float));
    for (size head = key_head * s->shared; head < (key_head + 1) * s->shared; head++)
        for (size first = 0; first < s->rows; first += TILE) {
            size rows = least(TILE, s->rows - first), place = head * s->out_head + first * s->out_row;
            line_up(q + head * s->q_head + first * s->q_row, s->q_row, rows, TILE, s->width, columns, w->query);
            line_up(grad + place, s->out_row, rows, TILE, s->width, columns, w->slope);
            memset(w->to_query, 0, TILE * columns * sizeof(float));
            memset(w->own, 0, sizeof(w->own));
            for (size i = 0; i < rows; i++) {
                const float *result = out + place + i * s->out_row;
                size c = 0;
                vector sum = all(0);
                for (; c + LANES <= s->width; c += LANES) sum += load(result + c) * load(w->slope + i * columns + c);
                w->own[i] = total(sum);
                for (; c < s->width; c++) w->own[i] += result[c] * w->slope[i * columns + c];
            }
            for (size tile = 0; tile < tiles_seen(s, first + rows - 1); tile++) {
                size at = tile * TILE * columns, seen = seen_of(s, first, tile);
                for (size i = 0; i < TILE; i += GROUP) {
                    size keys = within(seen + i + GROUP - 1), at_query = i * columns, at_key = i * TILE;
                    multiply(w->query + at_query, columns, 1, turned + at, TILE, columns, w->weights + at_key, TILE, 0,
                             0);
                    multiply(w->slope + at_query, columns, 1, values + at, TILE, columns, w->slopes + at_key, TILE, 0,
                             0);
                    for (size j = i; j < i + GROUP; j++)
                        slope_of(w->weights + j * TILE, w->slopes + j * TILE, j < rows ? within(seen + j) : 0,
                                 s->scale, j < rows ? logsum[head * s->rows + first + j] : 0, w->own[j]);
                    multiply(w->slopes + at_key, TILE, 1, lined + at, columns, keys, w->to_query + at_query, columns, 1,
                             0);
                }
                for (size j = 0; j < TILE; j += GROUP) {
                    /* Rows before this one see none of these keys. */
                    size begin = within(j + 1 - seen), rest = TILE - begin;
                    const float *weights = w->weights + begin * TILE + j, *slopes = w->slopes + begin * TILE + j;
                    if (to_v)
                        multiply(weights, 1, TILE, w->slope + begin * columns, columns, rest,
                                 to_values + at + j * columns, columns, 1, 0);
                    multiply(slopes, 1, TILE, w->query + begin * columns, columns, rest, to_keys + at + j * columns,
                             columns, 1, 0);
                }
            }
            for (size i = 0; i < rows; i++)
                memcpy(to_q + (head * s->rows + first + i) * s->width, w->to_query + i * columns,
                       s->width * sizeof(float));
        }
    for (size i = 0; i < s->keys; i++) {
        size to = (key_head * s->keys + i) * s->width;
        memcpy(to_k + to, to_keys + i * columns, s->width * sizeof(float));
        if (to_v) memcpy(to_v + to, to_values + i * columns, s->width * sizeof(float));
    }
}
