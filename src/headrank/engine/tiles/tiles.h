/* Causal attention on a CPU, tile by tile: 64 query rows by 64 keys at a time, so that logits, their softmax and the
   mixture of values never leave the processor's caches. The softmax is kept up to date tile after tile (Milakov and
   Gimelshein 2018; Dao et al. 2022).

   This file is included once for each width of vector registers: LANES floats a register, at most CHUNK registers side
   by side. Matrices are made of cells of four bytes: a float, or (PAIRS) two bfloat16 whose products are added up in
   float. The functions take addresses and strides, hold no state, and let other threads run meanwhile. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Each builds on those before it. */
#include "products.h"
#include "layouts.h"
#include "forward.h"
#include "backward.h"

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
   are contiguous (heads, tokens, width); to_v may be 0. */
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

/* PAIRS says whether bfloat16 is supported. */
static PyObject *module(void) {
    PyObject *made = PyModule_Create(&definition);
#ifdef PAIRS
    if (made && PyModule_AddObjectRef(made, "PAIRS", Py_True) < 0) Py_CLEAR(made);
#endif
    return made;
}
