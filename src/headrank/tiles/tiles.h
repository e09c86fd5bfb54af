/* Causal attention on a processor, tile by tile: 64 query rows by 64 keys at a time, so that logits, their softmax and
   the mixture of values never leave the processor's caches. The softmax is kept up to date tile after tile (Milakov and
   Gimelshein 2018; Dao et al. 2022).

   This file is included once for each width of vector registers: LANES floats a register, at most CHUNK registers
   abreast. Matrices are made of cells of four bytes: a float, or (PAIRS) two bfloat16 whose products are added up in
   float. The functions take addresses and strides, hold no state, and let other threads run meanwhile. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TILE 64
#define GROUP 4
#define WIDEST 256
#define INLINE static inline __attribute__((always_inline))

typedef float vector __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t integers __attribute__((vector_size(4 * LANES), aligned(4)));
typedef Py_ssize_t size;

INLINE vector load(const float *from) { return *(const vector *)from; }
INLINE void store(float *to, vector x) { *(vector *)to = x; }
INLINE size padded(size width) { return (width + 15) / 16 * 16; }
INLINE size tiles(size tokens) { return (tokens + TILE - 1) / TILE; }
INLINE size least(size a, size b) { return a < b ? a : b; }

/* larger(x, y) is x where one of them is no number, so that none is hidden. */
#if LANES == 16
INLINE vector all(float x) { return (vector)_mm512_set1_ps(x); }
INLINE vector larger(vector x, vector y) { return (vector)_mm512_max_ps((__m512)y, (__m512)x); }
INLINE float largest(vector x) { return _mm512_reduce_max_ps((__m512)x); }
INLINE float total(vector x) { return _mm512_reduce_add_ps((__m512)x); }
#else
INLINE vector all(float x) { return (vector)_mm256_set1_ps(x); }
INLINE vector larger(vector x, vector y) { return (vector)_mm256_max_ps((__m256)y, (__m256)x); }
INLINE float largest(vector x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}
INLINE float total(vector x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
#endif

/* 2^x to a unit or two in the last place, exactly zero for x up to -127; for x below 128. */
INLINE vector power(vector x) {
    const vector magic = all(12582912.0f); /* 1.5 * 2^23: what is added to it is rounded to a whole number */
    x = larger(x, all(-127.0f));
    vector whole = (x + magic) - magic, f = x - whole, sum = all(1.5403530e-4f);
    sum = sum * f + 1.3333558e-3f;
    sum = sum * f + 9.6181291e-3f;
    sum = sum * f + 5.5504109e-2f;
    sum = sum * f + 2.4022651e-1f;
    sum = sum * f + 6.9314718e-1f;
    sum = sum * f + 1.0f;
    integers exponent = (__builtin_convertvector(whole, integers) + 127) << 23;
    return sum * (vector)exponent;
}

INLINE vector multiply_add(vector sum, const float *a, vector b, const int pairs) {
#ifdef PAIRS
    if (pairs) return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)all(*a), (__m512bh)b);
#endif
    return sum + *a * b;
}

/* GROUP rows of C (added to it, or in its place) = A B, for so many registers of its columns. */
INLINE void product(const float *a, size row, size step, const float *b, size pitch, size inner, float *c,
                    const int registers, const int add, const int pairs) {
    vector sum[GROUP][CHUNK];
    for (int i = 0; i < GROUP; i++)
        for (int j = 0; j < registers; j++) sum[i][j] = add ? load(c + i * pitch + j * LANES) : all(0);
    for (size k = 0; k < inner; k++, a += step, b += pitch)
        for (int j = 0; j < registers; j++) {
            vector right = load(b + j * LANES);
            for (int i = 0; i < GROUP; i++) sum[i][j] = multiply_add(sum[i][j], a + i * row, right, pairs);
        }
    for (int i = 0; i < GROUP; i++)
        for (int j = 0; j < registers; j++) store(c + i * pitch + j * LANES, sum[i][j]);
}

/* GROUP rows of C = A B, or C += A B: A has cell (i, k) at a[i * row + k * step], B and C have rows of pitch cells. Of
   the columns as many are done as asked for, in whole registers. */
INLINE void multiply(const float *a, size row, size step, const float *b, size pitch, size inner, float *c,
                     size columns, const int add, const int pairs) {
    for (size j = 0, registers; j < columns; j += registers * LANES) {
        registers = least(CHUNK, (columns - j + LANES - 1) / LANES);
        switch (registers) {
            case 1: product(a, row, step, b + j, pitch, inner, c + j, 1, add, pairs); break;
            case 2: product(a, row, step, b + j, pitch, inner, c + j, 2, add, pairs); break;
#if CHUNK == 4
            case 3: product(a, row, step, b + j, pitch, inner, c + j, 3, add, pairs); break;
            case 4: product(a, row, step, b + j, pitch, inner, c + j, 4, add, pairs); break;
#endif
        }
    }
}

/* Keys of one head by tiles of TILE, each turned over: cell (c, key) at [c * TILE + key]; zeros behind the last key. */
static void turn(const float *from, size row, size keys, size cells, size cells_padded, float *to) {
    memset(to, 0, tiles(keys) * TILE * cells_padded * sizeof(float));
    for (size key = 0; key < keys; key++) {
        float *tile = to + key / TILE * TILE * cells_padded + key % TILE;
        for (size c = 0; c < cells; c++) memcpy(tile + c * TILE, from + key * row + c, sizeof(float));
    }
}

/* Rows as they are, one behind the other, with zeros behind the last cell and the last row. */
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
/* How many tiles the row sees something of, and how much of one (all of it, or more, if it reaches further). */
INLINE size tiles_seen(const Shape *s, size row) { return tiles(last_seen(s, row) + 1); }
INLINE size seen_of(const Shape *s, size row, size tile) { return last_seen(s, row) + 1 - tile * TILE; }
INLINE size within(size seen) { return seen < 0 ? 0 : least(seen, TILE); }

/* One row of a tile's logits becomes its weights; what the row has gathered before is scaled down where a logit beyond
   its greatest has come. Powers of up to 2^8 are let pass, so that most tiles scale nothing. */
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

/* TILE rows of one head. keys: turned over; values: lined up or paired up, of the head's key head. */
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

typedef struct {
    float query[TILE * WIDEST], slope[TILE * WIDEST], to_query[TILE * WIDEST];
    float weights[TILE * TILE], slopes[TILE * TILE];
    float own[TILE]; /* per row the sum of output times its gradient */
} Backward;

/* One row of a tile: logits become weights, and their gradients, as those of the weights, those of the logits. */
INLINE void slope_of(float *weights, float *slopes, size seen, float scale, float logsum, float own) {
    const float natural = scale * 0.6931471805599453f; /* back from powers of two */
    for (int j = 0; j < TILE; j += LANES) store(weights + j, power(load(weights + j) * scale - logsum));
    for (int j = 0; j < TILE; j += LANES) store(slopes + j, load(weights + j) * (load(slopes + j) - own) * natural);
    for (size j = seen; j < TILE; j++) weights[j] = slopes[j] = 0;
}

/* Gradients of one key head and the query heads that share it, in floats. grad and out: (rows, heads, width), by the
   strides of out; logsum as attend gives it. Scratch: keys turned over and lined up, values turned over, and the
   gradients of both lined up, each of
   padded(width) columns and whole tiles of rows. */
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
                for (size c = 0; c < s->width; c++) w->own[i] += result[c] * w->slope[i * columns + c];
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
                    multiply(weights, 1, TILE, w->slope + begin * columns, columns, rest, to_values + at + j * columns,
                             columns, 1, 0);
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
        memcpy(to_v + to, to_values + i * columns, s->width * sizeof(float));
    }
}

#define SHAPE "(nnnnnnnnnnnnnf)"
#define SHAPE_OF(s)                                                                                                \
    &s.heads, &s.shared, &s.rows, &s.keys, &s.width, &s.q_head, &s.q_row, &s.k_head, &s.k_row, &s.v_head, &s.v_row, \
        &s.out_head, &s.out_row, &s.scale

INLINE size next(int64_t *counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

/* pack(shape, k, v, keys, values, counter, pairs): both of all key heads into the layouts that forward reads. */
static PyObject *pack(PyObject *self, PyObject *arguments) {
    Shape s;
    size k, v, keys, values, counter, head;
    int pairs;
    if (!PyArg_ParseTuple(arguments, SHAPE "nnnnnp", SHAPE_OF(s), &k, &v, &keys, &values, &counter, &pairs))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    size columns = padded(s.width), behind = tiles(s.keys) * TILE, cells = pairs ? s.width / 2 : s.width;
    size part = behind * columns / (pairs ? 2 : 1);
    while ((head = next((int64_t *)counter)) < s.heads / s.shared) {
        const float *from = (const float *)v + head * s.v_head;
        float *to = (float *)values + head * part;
        turn((const float *)k + head * s.k_head, s.k_row, s.keys, cells, pairs ? columns / 2 : columns,
             (float *)keys + head * part);
        if (pairs)
            pair_up((const uint16_t *)from, 2 * s.v_row, s.keys, behind, s.width, columns, to);
        else
            line_up(from, s.v_row, s.keys, behind, s.width, columns, to);
    }
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* forward(shape, q, keys, values, out, logsum, counter, pairs): takes blocks of rows, the longest first, until none is
   left. logsum (heads, rows) may be 0. */
static PyObject *forward(PyObject *self, PyObject *arguments) {
    Shape s;
    size q, keys, values, out, logsum, counter, item;
    int pairs;
    if (!PyArg_ParseTuple(arguments, SHAPE "nnnnnnp", SHAPE_OF(s), &q, &keys, &values, &out, &logsum, &counter, &pairs))
        return NULL;
    Forward *work = malloc(sizeof(Forward));
    if (!work) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    size part = tiles(s.keys) * TILE * padded(s.width) / (pairs ? 2 : 1), blocks = tiles(s.rows);
    while ((item = next((int64_t *)counter)) < blocks * s.heads) {
        size head = item % s.heads, at = head / s.shared * part;
        const float *own = (const float *)q + head * s.q_head;
        char *to = (char *)((float *)out + head * s.out_head);
        float *sums = logsum ? (float *)logsum + head * s.rows : NULL;
        size first = (blocks - 1 - item / s.heads) * TILE;
        if (pairs)
            attend(&s, work, own, (const float *)keys + at, (const float *)values + at, to, sums, first, 1);
        else
            attend(&s, work, own, (const float *)keys + at, (const float *)values + at, to, sums, first, 0);
    }
    Py_END_ALLOW_THREADS
    free(work);
    Py_RETURN_NONE;
}

/* backward(shape, q, k, v, out, grad, logsum, to_q, to_k, to_v, counter): takes key heads until none is left. Gradients
   are contiguous (heads, tokens, width). */
static PyObject *backward(PyObject *self, PyObject *arguments) {
    Shape s;
    size q, k, v, out, grad, logsum, to_q, to_k, to_v, counter, head;
    if (!PyArg_ParseTuple(arguments, SHAPE "nnnnnnnnnn", SHAPE_OF(s), &q, &k, &v, &out, &grad, &logsum, &to_q, &to_k,
                          &to_v, &counter))
        return NULL;
    Backward *work = malloc(sizeof(Backward));
    float *scratch = malloc(5 * tiles(s.keys) * TILE * padded(s.width) * sizeof(float));
    if (!work || !scratch) {
        free(work);
        free(scratch);
        return PyErr_NoMemory();
    }
    Py_BEGIN_ALLOW_THREADS
    while ((head = next((int64_t *)counter)) < s.heads / s.shared)
        attend_backward(&s, work, scratch, head, (const float *)q, (const float *)k, (const float *)v,
                        (const float *)out, (const float *)grad, (const float *)logsum, (float *)to_q, (float *)to_k,
                        (float *)to_v);
    Py_END_ALLOW_THREADS
    free(work);
    free(scratch);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"pack", pack, METH_VARARGS, NULL},
    {"forward", forward, METH_VARARGS, NULL},
    {"backward", backward, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, NAME, NULL, 0, methods};

/* PAIRS tells whether bfloat16 is understood. */
static PyObject *module(void) {
    PyObject *made = PyModule_Create(&definition);
#ifdef PAIRS
    if (made && PyModule_AddObjectRef(made, "PAIRS", Py_True) < 0) Py_CLEAR(made);
#endif
    return made;
}
