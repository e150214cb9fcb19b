/* The inner loops of features and predictor for one request: the module, and the predictor's part of it.

   The Python or NumPy code beside each call is the definition; what is here gives the same integers, and floats that
   differ by rounding only. tests/kernel holds both to that.

   Arguments are buffers; results go into buffers that the caller made. Every call checks their sizes, and each index in
   them before it is used, so that no array, whatever it holds, makes it read or write outside. */

#include "_native.h"

/* Raised whenever the meaning of a function changes: turnout.kernel refuses a library left over from before. */
#define REVISION 2

/* ---- The predictor: predictor/linear.py, trees.py, model.py, calibration.py, expense.py -------------------------- */

/* ngram_scores(idf, weights, intercept, buckets, counts, out scores) -> share of n-grams never seen */
static NATIVE(ngram_scores)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "fffqqF", args, n_args) < 0)
        return NULL;
    const float *idf = buffers.view[0].buf, *weights = buffers.view[1].buf, *intercept = buffers.view[2].buf;
    const int64_t *buckets = buffers.view[3].buf, *counts = buffers.view[4].buf;
    float *out = buffers.view[5].buf;
    size_t n_rows = (size_t)buffers.size[0], width = (size_t)buffers.size[5];
    Py_ssize_t n = buffers.size[3], known = 0;
    if (buffers.size[2] != buffers.size[5] || !is_matrix(buffers.size[1], buffers.size[0], buffers.size[5]) ||
        buffers.size[4] != n)
        return refuse(&buffers, "the n-gram arrays do not fit each other");
    double *sums = PyMem_Calloc(width + 1, sizeof *sums), square = 0.0;
    if (!sums) {
        release(&buffers);
        return PyErr_NoMemory();
    }
    for (Py_ssize_t at = 0; at < n; at++) {
        if ((uint64_t)buckets[at] >= n_rows) {
            PyMem_Free(sums);
            return refuse(&buffers, "a bucket is out of range");
        }
        PREFETCH(idf + buckets[at]);
        PREFETCH(weights + (size_t)buckets[at] * width);
    }
    for (Py_ssize_t at = 0; at < n; at++) {
        double value = idf[buckets[at]];
        if (value == 0.0)
            continue;
        known++;
        if (counts[at] > 1)
            value *= 1.0 + log((double)counts[at]);
        square += value * value;
        const float *row = weights + (size_t)buckets[at] * width;
        for (size_t column = 0; column < width; column++)
            sums[column] += value * row[column];
    }
    double length = square > 0.0 ? sqrt(square) : 1.0;
    for (size_t column = 0; column < width; column++)
        out[column] = (float)(sums[column] / length + intercept[column]);
    PyMem_Free(sums);
    release(&buffers);
    return PyFloat_FromDouble(n ? 1.0 - (double)known / (double)n : 1.0);
}

#define TESTS 7
#define LEAVES 8

/* walk_trees(feature, threshold, leaves, baseline, vector, out outputs) */
static NATIVE(walk_trees)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "iffffF", args, n_args) < 0)
        return NULL;
    const int32_t *feature = buffers.view[0].buf;
    const float *threshold = buffers.view[1].buf, *leaves = buffers.view[2].buf, *baseline = buffers.view[3].buf;
    const float *vector = buffers.view[4].buf;
    float *out = buffers.view[5].buf;
    size_t n_outputs = (size_t)buffers.size[3], n_trees = (size_t)buffers.size[0] / TESTS;
    size_t n_features = (size_t)buffers.size[4];
    if (buffers.size[5] != buffers.size[3] || !n_outputs || n_trees % n_outputs || buffers.size[0] % TESTS ||
        buffers.size[1] != buffers.size[0] || !is_matrix(buffers.size[2], (Py_ssize_t)n_trees, LEAVES))
        return refuse(&buffers, "the trees' arrays do not fit each other");
    for (size_t output = 0; output < n_outputs; output++) {
        double sum = 0.0;
        for (size_t tree = 0; tree < n_trees / n_outputs; tree++) {
            /* Of the 7 tests, the first is on the first level, the two after it on the second, four on the third. */
            size_t at = 0;
            for (int level = 0; level < 3; level++) {
                uint32_t column = (uint32_t)feature[at];
                if (column >= n_features)
                    return refuse(&buffers, "a tree tests a feature that there is not");
                at = 2 * at + 1 + (vector[column] > threshold[at]);
            }
            sum += leaves[at - TESTS];
            feature += TESTS;
            threshold += TESTS;
            leaves += LEAVES;
        }
        out[output] = (float)(sum + baseline[output]);
    }
    release(&buffers);
    Py_RETURN_NONE;
}

/* blend_scores(n-gram scores, trees' outputs, offset, n-gram gain, tree gain, to outputs, to scores, out scores) */
static NATIVE(blend_scores)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "fffffffF", args, n_args) < 0)
        return NULL;
    const float *linear = buffers.view[0].buf, *trees = buffers.view[1].buf, *offset = buffers.view[2].buf;
    const float *ngram_gain = buffers.view[3].buf, *tree_gain = buffers.view[4].buf;
    const float *to_outputs = buffers.view[5].buf, *to_scores = buffers.view[6].buf;
    float *scores = buffers.view[7].buf;
    Py_ssize_t n_candidates = buffers.size[0], n_outputs = buffers.size[1];
    if (buffers.size[2] != n_outputs || buffers.size[3] != n_outputs || buffers.size[4] != n_outputs ||
        !is_matrix(buffers.size[5], n_candidates, n_outputs) || !is_matrix(buffers.size[6], n_outputs, n_candidates) ||
        buffers.size[7] != n_candidates)
        return refuse(&buffers, "the blend's arrays do not fit each other");
    double *sums = PyMem_Calloc((size_t)n_candidates + 1, sizeof *sums);
    if (!sums) {
        release(&buffers);
        return PyErr_NoMemory();
    }
    for (Py_ssize_t output = 0; output < n_outputs; output++) {
        double part = 0.0;
        for (Py_ssize_t candidate = 0; candidate < n_candidates; candidate++)
            part += (double)linear[candidate] * to_outputs[candidate * n_outputs + output];
        double blended = offset[output] + ngram_gain[output] * part + (double)tree_gain[output] * trees[output];
        for (Py_ssize_t candidate = 0; candidate < n_candidates; candidate++)
            sums[candidate] += blended * to_scores[output * n_candidates + candidate];
    }
    for (Py_ssize_t candidate = 0; candidate < n_candidates; candidate++)
        scores[candidate] = (float)sums[candidate];
    PyMem_Free(sums);
    release(&buffers);
    Py_RETURN_NONE;
}

/* apply_curves(scores, knots, widths, slopes, values, bounds, out probabilities); bounds: share of the straight line,
   floor, ceiling */
static NATIVE(apply_curves)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "fffffdD", args, n_args) < 0)
        return NULL;
    const float *scores = buffers.view[0].buf, *knots = buffers.view[1].buf, *widths = buffers.view[2].buf;
    const float *slopes = buffers.view[3].buf, *values = buffers.view[4].buf;
    const double *bounds = buffers.view[5].buf;
    double *out = buffers.view[6].buf;
    Py_ssize_t n = buffers.size[0], n_knots = n ? buffers.size[1] / n : 0;
    if (buffers.size[6] != n || buffers.size[5] != 3 || !is_matrix(buffers.size[1], n, n_knots) || n_knots < 1 ||
        !is_matrix(buffers.size[2], n, n_knots - 1) || buffers.size[3] != buffers.size[2] ||
        buffers.size[4] != buffers.size[1])
        return refuse(&buffers, "the curves' arrays do not fit each other");
    for (Py_ssize_t at = 0; at < n; at++) {
        double curve = values[at * n_knots];
        for (Py_ssize_t segment = 0; segment + 1 < n_knots; segment++) {
            Py_ssize_t place = at * (n_knots - 1) + segment;
            double reached = (double)scores[at] - knots[at * n_knots + segment];
            curve += slopes[place] * bounded(reached, 0.0, widths[place]);
        }
        out[at] = bounded((1.0 - bounds[0]) * curve + bounds[0] * scores[at], bounds[1], bounds[2]);
    }
    release(&buffers);
    Py_RETURN_NONE;
}

/* shift_scores(scores, bounds, out probabilities); bounds: floor, ceiling */
static NATIVE(shift_scores)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "fdD", args, n_args) < 0)
        return NULL;
    const float *scores = buffers.view[0].buf;
    const double *bounds = buffers.view[1].buf;
    double *out = buffers.view[2].buf;
    Py_ssize_t n = buffers.size[0];
    if (buffers.size[1] != 2 || buffers.size[2] != n || !n)
        return refuse(&buffers, "expected scores, two bounds and as many probabilities");
    double lowest = scores[0], highest = scores[0];
    for (Py_ssize_t at = 1; at < n; at++) {
        lowest = scores[at] < lowest ? scores[at] : lowest;
        highest = scores[at] > highest ? scores[at] : highest;
    }
    double over = highest > bounds[1] ? highest - bounds[1] : 0.0, under = lowest < bounds[0] ? bounds[0] - lowest : 0.0;
    for (Py_ssize_t at = 0; at < n; at++)
        out[at] = bounded(scores[at] - over + under, bounds[0], bounds[1]);
    release(&buffers);
    Py_RETURN_NONE;
}

/* expect(standardised features, weights, intercept, low, high, out expected) */
static NATIVE(expect)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "fffffF", args, n_args) < 0)
        return NULL;
    const float *standard = buffers.view[0].buf, *weights = buffers.view[1].buf, *intercept = buffers.view[2].buf;
    const float *low = buffers.view[3].buf, *high = buffers.view[4].buf;
    float *out = buffers.view[5].buf;
    size_t n_features = (size_t)buffers.size[0], n = (size_t)buffers.size[5];
    if (!is_matrix(buffers.size[1], buffers.size[0], buffers.size[5]) || buffers.size[2] != buffers.size[5] ||
        buffers.size[3] != buffers.size[5] || buffers.size[4] != buffers.size[5])
        return refuse(&buffers, "the expense arrays do not fit each other");
    double *sums = PyMem_Calloc(n + 1, sizeof *sums);
    if (!sums) {
        release(&buffers);
        return PyErr_NoMemory();
    }
    for (size_t at = 0; at < n_features; at++)
        for (size_t column = 0; column < n; column++)
            sums[column] += (double)standard[at] * weights[at * n + column];
    for (size_t column = 0; column < n; column++)
        out[column] = (float)bounded(exp(sums[column] + intercept[column]), low[column], high[column]);
    PyMem_Free(sums);
    release(&buffers);
    Py_RETURN_NONE;
}

/* standardise(vector, mean, standard deviation, out standardised) */
static NATIVE(standardise)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "fffF", args, n_args) < 0)
        return NULL;
    const float *vector = buffers.view[0].buf, *mean = buffers.view[1].buf, *deviation = buffers.view[2].buf;
    float *out = buffers.view[3].buf;
    Py_ssize_t n = buffers.size[0];
    if (buffers.size[1] != n || buffers.size[2] != n || buffers.size[3] != n)
        return refuse(&buffers, "the features' arrays do not fit each other");
    for (Py_ssize_t at = 0; at < n; at++) {
        float standard = (vector[at] - mean[at]) / deviation[at];
        out[at] = standard > CLIP ? CLIP : standard < -CLIP ? -CLIP : standard;
    }
    release(&buffers);
    Py_RETURN_NONE;
}

/* ---- The module -------------------------------------------------------------------------------------------------- */

#define FUNCTION(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}

static PyMethodDef functions[] = {
    FUNCTION(make_lexicon),
    FUNCTION(read_words),
    FUNCTION(sort_lines),
    FUNCTION(sift_secrets),
    FUNCTION(listed_words),
    FUNCTION(count_surface),
    FUNCTION(ngram_buckets),
    FUNCTION(task_outputs),
    FUNCTION(task_scores),
    FUNCTION(ngram_scores),
    FUNCTION(walk_trees),
    FUNCTION(blend_scores),
    FUNCTION(apply_curves),
    FUNCTION(shift_scores),
    FUNCTION(standardise),
    FUNCTION(expect),
    {NULL, NULL, 0, NULL},
};

static int
set_up(PyObject *module)
{
    fill_text_tables();
    fill_feature_tables();
    return PyModule_AddIntConstant(module, "REVISION", REVISION);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)set_up}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "turnout.kernel._native", .m_methods = functions, .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
