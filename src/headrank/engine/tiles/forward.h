/* From queries, keys and values to attention's output. */

/* One row of a tile's logits becomes its weights; what the row has added up so far is scaled down if a logit exceeds
   its greatest so far. Powers of up to 2^8 are tolerated, so that most tiles scale nothing. */
INLINE void soften(float *row, size seen, float scale, float *top, float *sums, float *mixed, size columns,
                   const int pairs) {
    vector x[TILE / LANES], highest;
    for (int j = 0; j < TILE / LANES; j++) x[j] = load(row + j * LANES) * scale;
    if (seen < TILE) {
        float lanes[TILE];
        for (int j = 0; j < TILE / LANES; j++) store(lanes + j * LANES, x[j]);
        for (size j = seen; j < TILE; j++) lanes[j] = -INFINITY;
        for (int j = 0; j < TILE / LANES; j++) x[j] = load(lanes + j * LANES);
    }
    highest = x[0];
    for (int j = 1; j < TILE / LANES; j++) highest = larger(highest, x[j]);
    float found = largest(highest);
    if (found > *top + 8) {
        vector factor = power(all(*top - found));
        store(sums, load(sums) * factor);
        for (size c = 0; c < columns; c += LANES) store(mixed + c, load(mixed + c) * factor);
        *top = found;
    }
    vector sum = load(sums);
    for (int j = 0; j < TILE / LANES; j++) {
        x[j] = power(x[j] - *top);
        sum += x[j];
    }
    store(sums, sum);
#ifdef PAIRS
    if (pairs) {
        for (int j = 0; j < TILE / LANES; j++)
            _mm256_storeu_si256((__m256i *)row + j, (__m256i)_mm512_cvtneps_pbh((__m512)x[j]));
        return;
    }
#endif
    for (int j = 0; j < TILE / LANES; j++) store(row + j * LANES, x[j]);
}

typedef struct {
    float query[TILE * WIDEST], logits[TILE * TILE], mixed[TILE * WIDEST];
    float top[TILE], sums[TILE * LANES];
} Forward;

/* TILE rows of one head. keys: transposed; values: lined up or paired up, of the head's key head. */
INLINE void attend(const Shape *s, Forward *w, const float *q, const float *keys, const float *values, char *out,
                   float *logsum, size first, const int pairs) {
    size columns = padded(s->width), rows = least(TILE, s->rows - first);
    size cells = pairs ? s->width / 2 : s->width, cells_padded = pairs ? columns / 2 : columns;
    size behind = pairs ? TILE / 2 : TILE;
    line_up(q + first * s->q_row, s->q_row, rows, TILE, cells, cells_padded, w->query);
    memset(w->mixed, 0, TILE * columns * sizeof(float));
    memset(w->sums, 0, sizeof(w->sums));
    for (int i = 0; i < TILE; i++) w->top[i] = -INFINITY;
    for (size tile = 0; tile < tiles_seen(s, first + rows - 1); tile++) {
        const float *own_keys = keys + tile * TILE * cells_padded, *own_values = values + tile * behind * columns;
        size seen = seen_of(s, first, tile);
        for (size i = 0; i < rows; i += GROUP)
            multiply(w->query + i * cells_padded, cells_padded, 1, own_keys, TILE, cells_padded, w->logits + i * TILE,
                     TILE, 0, pairs);
        for (size i = 0; i < rows; i++)
            soften(w->logits + i * TILE, within(seen + i), s->scale, w->top + i, w->sums + i * LANES,
                   w->mixed + i * columns, columns, pairs);
        for (size i = 0; i < rows; i += GROUP) {
            size inner = within(seen + i + GROUP - 1);
            multiply(w->logits + i * TILE, TILE, 1, own_values, columns, pairs ? (inner + 1) / 2 : inner,
                     w->mixed + i * columns, columns, 1, pairs);
        }
    }
    for (size i = 0; i < rows; i++) {
        float sum = total(load(w->sums + i * LANES)), *row = w->mixed + i * columns;
        for (size c = 0; c < columns; c += LANES) store(row + c, load(row + c) / sum);
        if (logsum) logsum[first + i] = w->top[i] + log2f(sum);
        float *to = (float *)out + (first + i) * s->out_row;
#ifdef PAIRS
        if (pairs)
            for (size c = 0; c < columns; c += 16)
                _mm256_storeu_si256((__m256i *)(row + c / 2),
                                    (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(row + c)));
#endif
        memcpy(to, row, cells * sizeof(float));
    }
}
