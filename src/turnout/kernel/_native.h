/* What the sources of the extension share: holding buffers, reading from them, classes of bytes, names of functions. */

#ifndef TURNOUT_NATIVE_H
#define TURNOUT_NATIVE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Tables are read at random: asking for all rows first lets the waits for memory overlap. */
#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

#define CLIP 4.0f /* standardised features are cut there */

#define MAX_BUFFERS 10

typedef struct {
    Py_buffer view[MAX_BUFFERS];
    Py_ssize_t size[MAX_BUFFERS]; /* in items */
    int held;
} Buffers;

static inline void
release(Buffers *buffers)
{
    while (buffers->held > 0)
        PyBuffer_Release(&buffers->view[--buffers->held]);
}

/* Release everything and raise ValueError. */
static inline PyObject *
refuse(Buffers *buffers, const char *why)
{
    release(buffers);
    PyErr_SetString(PyExc_ValueError, why);
    return NULL;
}

/* Hold the arguments, all C-contiguous and aligned, one letter of `kinds` for each: b bytes, f float32, d float64,
   i int32, q int64; in capitals one that is written to. Returns -1 with an exception set where one is not so. */
static inline int
hold(Buffers *buffers, const char *kinds, PyObject *const *args, Py_ssize_t n_args)
{
    buffers->held = 0;
    if (n_args != (Py_ssize_t)strlen(kinds)) {
        PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", (Py_ssize_t)strlen(kinds), n_args);
        return -1;
    }
    for (Py_ssize_t at = 0; at < n_args; at++) {
        char kind = kinds[at] | 0x20;
        Py_ssize_t item = kind == 'b' ? 1 : kind == 'd' || kind == 'q' ? 8 : 4;
        Py_buffer *view = &buffers->view[at];
        if (PyObject_GetBuffer(args[at], view, kinds[at] == kind ? PyBUF_ND : PyBUF_ND | PyBUF_WRITABLE) < 0) {
            release(buffers);
            return -1;
        }
        buffers->held++;
        if (item > 1 && (view->itemsize != item || (uintptr_t)view->buf % (uintptr_t)item)) {
            PyErr_Format(PyExc_TypeError, "argument %zd: expected aligned items of %zd bytes", at + 1, item);
            release(buffers);
            return -1;
        }
        buffers->size[at] = view->len / item;
    }
    return 0;
}

/* Whether a buffer of `size` items is a matrix of rows x columns. */
static inline int
is_matrix(Py_ssize_t size, Py_ssize_t rows, Py_ssize_t columns)
{
    return columns ? size % columns == 0 && size / columns == rows : size == 0;
}

static inline uint32_t
read_u32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline float
read_float(const uint8_t *from)
{
    float value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline double
bounded(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

#define RECORD_BYTES 12 /* of a word: hash, value, kind */

/* Classes of bytes; 0 for those that stand between words. */
#define START 1  /* begins a word: a-z A-Z _ */
#define DIGIT 2
#define INSIDE 4 /* may follow in a word: a letter, a digit, _ */
#define TAIL 8   /* may follow a joint: also + */
#define JOINT 16 /* ' + - */
#define POINT 32 /* . , */
#define WIDE 64  /* part of a UTF-8 sequence of several bytes */

extern uint8_t byte_class[256], lower_case[256];

#define NATIVE(name) PyObject *name(PyObject *module, PyObject *const *args, Py_ssize_t n_args)

void fill_text_tables(void);
void fill_feature_tables(void);
NATIVE(make_lexicon);
NATIVE(read_words);
NATIVE(sort_lines);
NATIVE(sift_secrets);
NATIVE(listed_words);
NATIVE(count_surface);
NATIVE(ngram_buckets);
NATIVE(task_outputs);
NATIVE(task_scores);

#endif
