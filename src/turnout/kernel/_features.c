/* Counting what a text holds, and its task; features/surface.py, ngrams.py and task.py. */

#include "_native.h"

static uint8_t is_word_end[256];  /* a blank follows it as a rule */
static float logs_of_counts[256]; /* log(1 + n) */

void
fill_feature_tables(void)
{
    for (int byte = 0; byte < 256; byte++) {
        is_word_end[byte] = byte && strchr(".,;:!?\")\r", byte);
        logs_of_counts[byte] = log1pf((float)byte);
    }
}

/* ---- Sorting ----------------------------------------------------------------------------------------------------- */

#define MAX_DIGIT_BITS 9

/* Sort fewer than 2^32 numbers by radix, in so many passes of so many bits; returns which array holds the result. */
static uint32_t *
sort(uint32_t *values, uint32_t *spare, size_t n, int passes, int digit_bits)
{
    uint32_t last = ((uint32_t)1 << digit_bits) - 1;
    for (int shift = 0; shift < passes * digit_bits; shift += digit_bits) {
        uint32_t place[1 << MAX_DIGIT_BITS] = {0}, sum = 0;
        for (size_t at = 0; at < n; at++)
            place[values[at] >> shift & last]++;
        for (uint32_t digit = 0; digit <= last; digit++) {
            uint32_t count = place[digit];
            place[digit] = sum;
            sum += count;
        }
        for (size_t at = 0; at < n; at++)
            spare[place[values[at] >> shift & last]++] = values[at];
        uint32_t *swapped = values;
        values = spare;
        spare = swapped;
    }
    return values;
}

/* ---- Surface ----------------------------------------------------------------------------------------------------- */

/* Add up the groups of all words; returns the largest number among them, or -1 where a kind is unknown. */
static float
add_groups(const uint8_t *words, size_t n, const float *table, size_t n_kinds, float *sums, size_t width)
{
    float largest = 0.0f;
    memset(sums, 0, width * sizeof *sums);
    for (size_t at = 0; at < n; at++) {
        float value = read_float(words + at * RECORD_BYTES + 4);
        uint32_t kind = read_u32(words + at * RECORD_BYTES + 8);
        if (kind >= n_kinds)
            return -1.0f;
        largest = value > largest ? value : largest;
        const float *row = table + kind * width;
        for (size_t group = 0; group < width; group++)
            sums[group] += row[group];
    }
    return largest;
}

#define FEW_WORDS 512

/* How many different words there are among few. */
static Py_ssize_t
count_distinct_of_few(const uint8_t *words, size_t n)
{
    uint32_t met[2 * FEW_WORDS] = {0}; /* an open hash table; 0 is a free place */
    size_t last = 4;
    while (last < 2 * n)
        last *= 2;
    last--;
    Py_ssize_t distinct = 0;
    int met_zero = 0;
    for (size_t at = 0; at < n; at++) {
        uint32_t hash = read_u32(words + at * RECORD_BYTES);
        size_t place = hash & last;
        if (!hash) {
            distinct += !met_zero;
            met_zero = 1;
            continue;
        }
        while (met[place] && met[place] != hash)
            place = (place + 1) & last;
        distinct += !met[place];
        met[place] = hash;
    }
    return distinct;
}

/* How many different words there are; -1 without memory. */
static Py_ssize_t
count_distinct(const uint8_t *words, size_t n)
{
    if (n <= FEW_WORDS)
        return count_distinct_of_few(words, n);
    uint32_t *hashes = PyMem_Malloc((2 * n + 1) * sizeof *hashes);
    if (!hashes) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t at = 0; at < n; at++)
        hashes[at] = read_u32(words + at * RECORD_BYTES);
    const uint32_t *sorted = sort(hashes, hashes + n, n, 4, 8);
    Py_ssize_t distinct = n > 0;
    for (size_t at = 1; at < n; at++)
        distinct += sorted[at] != sorted[at - 1];
    PyMem_Free(hashes);
    return distinct;
}

typedef struct {
    Py_ssize_t sentences, urls, dotted;
} Marks;

/* Count the bytes of each value; and ends of sentences, addresses, and points before a small letter. */
static Marks
count_bytes(const uint8_t *text, size_t size, uint32_t *seen)
{
    Marks marks = {0, 0, 0};
    for (size_t at = 0; at < size; at++)
        seen[text[at]]++;
    for (size_t at = 0; at + 1 < size; at++) {
        uint8_t byte = text[at], next = text[at + 1];
        marks.sentences += ((byte == '.') | (byte == '!') | (byte == '?')) &
                           ((next == ' ') | (next == '\t') | (next == '\n') | (next == '\r'));
        marks.dotted += (byte == '.') & (next >= 'a') & (next <= 'z');
    }
    uint8_t last = size ? text[size - 1] : 0;
    marks.sentences += last == '.' || last == '!' || last == '?';
    for (size_t at = 2; (seen[':'] || seen[0xE3] || seen[0xEF]) && at < size; at++) {
        uint8_t byte = text[at - 2], next = text[at - 1], third = text[at];
        marks.urls += byte == ':' && next == '/' && third == '/';
        /* full stop, exclamation and question mark of full width */
        marks.sentences += (byte == 0xE3 && next == 0x80 && third == 0x82) ||
                           (byte == 0xEF && next == 0xBC && (third == 0x81 || third == 0x9F));
    }
    return marks;
}

static void
put_logs(float *out, const float *counts, size_t n)
{
    for (size_t at = 0; at < n; at++)
        out[at] = counts[at] >= 0.0f && counts[at] < 256.0f && counts[at] == (float)(int)counts[at]
                      ? logs_of_counts[(int)counts[at]]
                      : log1pf(counts[at]);
}

/* Blocks of the vector, and the languages among the groups. */
enum { BYTES, ASKS, GROUPS, CLASSES, N_BLOCKS };
#define SHARES 2 /* the first classes of words enter as shares */
#define LAST 4   /* the last groups are handed back: numbers, decimals, long words, characters */

/* count_surface(text, words, words asked, class of each byte, groups of each kind, layout, out vector), where the layout
   is the beginnings of the blocks of the vector, their lengths, and beginning and end of the languages among the groups.
   -> (ends of sentences, addresses, points before a small letter, different words, largest number, languages met more
   than once, numbers, decimals, long words, characters) */
NATIVE(count_surface)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "bbbbfiF", args, n_args) < 0)
        return NULL;
    const uint8_t *words = buffers.view[1].buf, *asked = buffers.view[2].buf, *class_of = buffers.view[3].buf;
    const float *table = buffers.view[4].buf;
    const int32_t *starts = buffers.view[5].buf, *lengths = starts + N_BLOCKS;
    float *vector = buffers.view[6].buf;
    size_t size = (size_t)buffers.size[0], n_words = (size_t)buffers.size[1] / RECORD_BYTES;
    size_t n_asked = (size_t)buffers.size[2] / RECORD_BYTES;
    if (buffers.size[1] % RECORD_BYTES || buffers.size[2] % RECORD_BYTES || buffers.size[3] != 256)
        return refuse(&buffers, "expected whole records of words and a class for each of 256 bytes");
    if (buffers.size[5] != 2 * N_BLOCKS + 3)
        return refuse(&buffers, "this is no layout");
    int32_t first_language = starts[2 * N_BLOCKS], languages_end = starts[2 * N_BLOCKS + 1];
    int32_t width = starts[2 * N_BLOCKS + 2];
    for (int block = 0; block < N_BLOCKS; block++)
        if (starts[block] < 0 || lengths[block] < 0 || starts[block] > buffers.size[6] ||
            lengths[block] > buffers.size[6] - starts[block])
            return refuse(&buffers, "the layout does not fit the vector");
    if (width < LAST || buffers.size[4] % width || lengths[ASKS] > width || lengths[CLASSES] < SHARES ||
        lengths[GROUPS] > width - lengths[CLASSES] || first_language < 0 || languages_end > width)
        return refuse(&buffers, "the layout does not fit the groups");
    size_t n_kinds = (size_t)(buffers.size[4] / width);
    float *sums = PyMem_Malloc((size_t)width * sizeof *sums);
    if (!sums) {
        release(&buffers);
        return PyErr_NoMemory();
    }

    uint32_t seen[256] = {0};
    Marks marks = count_bytes(buffers.view[0].buf, size, seen);
    uint64_t members[256] = {0};
    for (int byte = 0; byte < 256; byte++)
        members[class_of[byte]] += seen[byte];
    for (int32_t class = 0; class < lengths[BYTES]; class++)
        vector[starts[BYTES] + class] =
            class < 256 ? (float)((double)members[class] * (1.0 / (size ? (double)size : 1.0))) : 0.0f;

    float largest = add_groups(asked, n_asked, table, n_kinds, sums, (size_t)width);
    put_logs(vector + starts[ASKS], sums, (size_t)lengths[ASKS]);
    if (largest >= 0.0f && (asked != words || n_asked != n_words))
        largest = add_groups(words, n_words, table, n_kinds, sums, (size_t)width);
    const float *classes = sums + lengths[GROUPS], *rest = sums + width - LAST;
    put_logs(vector + starts[GROUPS], sums, (size_t)lengths[GROUPS]);
    put_logs(vector + starts[CLASSES], classes, (size_t)lengths[CLASSES]);
    for (int share = 0; share < SHARES; share++)
        vector[starts[CLASSES] + share] = (float)((double)classes[share] / (n_words ? (double)n_words : 1.0));
    int languages = 0;
    for (int32_t language = first_language; language < languages_end; language++)
        languages += sums[language] > 1.0f;
    double numbers = rest[0], decimals = rest[1], long_words = rest[2], characters = rest[3];
    Py_ssize_t distinct = largest < 0.0f ? 0 : count_distinct(words, n_words);
    PyMem_Free(sums);
    if (largest < 0.0f)
        return refuse(&buffers, "a word is of an unknown kind");
    release(&buffers);
    return distinct < 0 ? NULL
                        : Py_BuildValue("nnnndidddd", marks.sentences, marks.urls, marks.dotted, distinct,
                                        (double)largest, languages, numbers, decimals, long_words, characters);
}

/* ---- Hashed n-grams ---------------------------------------------------------------------------------------------- */

#define BUCKET_BITS 18
#define PAIR 0x9E3779B9u
#define MIX 2654435761u

/* ngram_buckets(hashes, out buckets, out counts) -> how many; hashes may stand apart, as the field of a record does */
NATIVE(ngram_buckets)
{
    (void)module;
    Buffers buffers;
    Py_buffer hashes;
    if (n_args != 3) {
        PyErr_SetString(PyExc_TypeError, "expected hashes, buckets and counts");
        return NULL;
    }
    if (hold(&buffers, "QQ", args + 1, 2) < 0)
        return NULL;
    if (PyObject_GetBuffer(args[0], &hashes, PyBUF_STRIDED_RO) < 0) {
        release(&buffers);
        return NULL;
    }
    int fits = hashes.ndim == 1 && hashes.itemsize == 4;
    size_t n = fits ? (size_t)hashes.shape[0] : 0, total = n ? 2 * n - 1 : 0;
    fits = fits && n < 1 << 30 && buffers.size[0] >= (Py_ssize_t)total && buffers.size[1] >= (Py_ssize_t)total;
    uint32_t *every = fits ? PyMem_Malloc((2 * total + 1) * sizeof *every) : NULL;
    if (!every) {
        PyBuffer_Release(&hashes);
        if (!fits)
            return refuse(&buffers, "expected hashes of 4 bytes and room for all words and pairs");
        release(&buffers);
        return PyErr_NoMemory();
    }
    const uint8_t *from = hashes.buf;
    for (size_t at = 0; at < n; at++)
        every[at] = read_u32(from + (Py_ssize_t)at * hashes.strides[0]);
    PyBuffer_Release(&hashes);
    for (size_t at = 0; at + 1 < n; at++)
        every[n + at] = (every[at] * PAIR) ^ every[at + 1];
    for (size_t at = 0; at < total; at++)
        every[at] = (every[at] * MIX) >> (32 - BUCKET_BITS);
    const uint32_t *sorted = sort(every, every + total, total, 2, BUCKET_BITS / 2);
    int64_t *buckets = buffers.view[0].buf, *counts = buffers.view[1].buf;
    size_t distinct = 0;
    for (size_t at = 0; at < total; at++) {
        if (at && sorted[at] == sorted[at - 1])
            counts[distinct - 1]++;
        else {
            buckets[distinct] = sorted[at];
            counts[distinct++] = 1;
        }
    }
    PyMem_Free(every);
    release(&buffers);
    return PyLong_FromSize_t(distinct);
}

/* ---- The task ---------------------------------------------------------------------------------------------------- */

/* Sums are taken in float64, in which those of int8 weights and idf of half precision are exact: the order in which they
   are added changes nothing, here or in NumPy, and trees that test a score go the same way everywhere. */

#define LANES 12     /* int8 weights of a row, the last ones unused */
#define ROW_BYTES 16 /* then the idf as float32 */
#define GRAM_BITS 16
#define BLOCK 256

static void
add_row(const uint8_t *row, double *sums, double *square)
{
    double idf = read_float(row + LANES);
    for (int lane = 0; lane < LANES; lane++)
        sums[lane] += idf * (int8_t)row[lane];
    *square += idf * idf;
}

static void
add_logits(double *outputs, Py_ssize_t width, const double *sums, double square, const float *scale)
{
    double length = square > 0.0 ? sqrt(square) : 1.0;
    for (Py_ssize_t lane = 0; lane < width; lane++)
        outputs[lane] += sums[lane] * scale[lane] / length;
}

/* The text of which 4-grams are taken: lower case, words one blank apart. Returns its length. */
static size_t
join_words(uint8_t *joined, const uint8_t *text, Py_ssize_t size)
{
    size_t used = 0;
    joined[used++] = ' ';
    for (Py_ssize_t at = 0; at < size; at++) {
        joined[used] = byte_class[text[at]] ? lower_case[text[at]] : ' ';
        used += !is_word_end[text[at]];
    }
    joined[used++] = ' ';
    return used;
}

static void
add_grams(const uint8_t *text, size_t size, const uint8_t *rows, double *sums, double *square)
{
    uint64_t met[(1 << GRAM_BITS) / 64] = {0};
    for (size_t at = 0; at + 4 <= size;) {
        uint16_t block[BLOCK];
        size_t distinct = 0;
        for (; at + 4 <= size && distinct < BLOCK; at++) {
            uint32_t gram = (uint32_t)text[at] | (uint32_t)text[at + 1] << 8 | (uint32_t)text[at + 2] << 16 |
                            (uint32_t)text[at + 3] << 24;
            uint32_t bucket = (gram * MIX) >> (32 - GRAM_BITS);
            block[distinct] = (uint16_t)bucket;
            distinct += !(met[bucket / 64] >> bucket % 64 & 1);
            met[bucket / 64] |= (uint64_t)1 << bucket % 64;
            PREFETCH(rows + (size_t)bucket * ROW_BYTES);
        }
        for (size_t row = 0; row < distinct; row++)
            add_row(rows + (size_t)block[row] * ROW_BYTES, sums, square);
    }
}

/* task_outputs(buckets of words, rows of words, text, rows of 4-grams, scale, bias, surface, its mean and standard
   deviation, its weights, out outputs) */
NATIVE(task_outputs)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "qbbbffffdF", args, n_args) < 0)
        return NULL;
    const int64_t *buckets = buffers.view[0].buf;
    const uint8_t *word_rows = buffers.view[1].buf;
    const float *scale = buffers.view[4].buf, *surface = buffers.view[5].buf, *mean = buffers.view[6].buf;
    const float *deviation = buffers.view[7].buf;
    const double *weights = buffers.view[8].buf;
    float *out = buffers.view[9].buf;
    Py_ssize_t n_buckets = buffers.size[0], n_surface = buffers.size[5], width = buffers.size[9];
    size_t n_rows = (size_t)buffers.size[1] / ROW_BYTES;
    if (width > LANES || buffers.size[4] != width || buffers.size[6] != n_surface || buffers.size[7] != n_surface ||
        !is_matrix(buffers.size[8], n_surface, width) || buffers.size[1] % ROW_BYTES ||
        buffers.size[3] != (Py_ssize_t)ROW_BYTES << GRAM_BITS)
        return refuse(&buffers, "the task's arrays do not fit each other");
    for (Py_ssize_t at = 0; at < n_buckets; at++) {
        if ((uint64_t)buckets[at] >= n_rows)
            return refuse(&buffers, "a bucket is out of range");
        PREFETCH(word_rows + (size_t)buckets[at] * ROW_BYTES);
    }
    uint8_t *joined = PyMem_Malloc((size_t)buffers.size[2] + 3);
    if (!joined) {
        release(&buffers);
        return PyErr_NoMemory();
    }
    double outputs[LANES] = {0}, words[LANES] = {0}, grams[LANES] = {0}, dense[LANES] = {0};
    double word_square = 0.0, gram_square = 0.0;
    size_t size = join_words(joined, buffers.view[2].buf, buffers.size[2]);
    add_grams(joined, size, buffers.view[3].buf, grams, &gram_square);
    PyMem_Free(joined);
    for (Py_ssize_t at = 0; at < n_buckets; at++)
        add_row(word_rows + (size_t)buckets[at] * ROW_BYTES, words, &word_square);
    for (Py_ssize_t at = 0; at < n_surface; at++) {
        float standard = (surface[at] - mean[at]) / deviation[at];
        standard = standard > CLIP ? CLIP : standard < -CLIP ? -CLIP : standard;
        for (Py_ssize_t lane = 0; lane < width; lane++)
            dense[lane] += standard * weights[at * width + lane];
    }
    for (Py_ssize_t lane = 0; lane < width; lane++)
        outputs[lane] = out[lane];
    add_logits(outputs, width, words, word_square, scale);
    add_logits(outputs, width, grams, gram_square, scale);
    for (Py_ssize_t lane = 0; lane < width; lane++)
        out[lane] = (float)(outputs[lane] + dense[lane]);
    release(&buffers);
    Py_RETURN_NONE;
}

static double
normal_cdf(double value)
{
    return 0.5 * (1.0 + erf(value / sqrt(2.0)));
}

/* task_scores(outputs, constants, out scores): from logits of the types and of the tier, and the complexity, to the
   probabilities of the types, complexity, tier score, complexity score, how likely it is simple, how likely complex;
   constants are the tier's share, complexity of the fast and the strong tier, the two cuts, and the spread */
NATIVE(task_scores)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "fdD", args, n_args) < 0)
        return NULL;
    const float *outputs = buffers.view[0].buf;
    const double *constants = buffers.view[1].buf;
    double *scores = buffers.view[2].buf;
    Py_ssize_t n_types = buffers.size[0] - 2;
    if (n_types < 1 || buffers.size[1] != 6 || buffers.size[2] != n_types + 5)
        return refuse(&buffers, "the task's outputs and scores do not fit each other");
    double highest = outputs[0], total = 0.0;
    for (Py_ssize_t type = 1; type < n_types; type++)
        highest = outputs[type] > highest ? outputs[type] : highest;
    for (Py_ssize_t type = 0; type < n_types; type++)
        total += scores[type] = exp(outputs[type] - highest);
    for (Py_ssize_t type = 0; type < n_types; type++)
        scores[type] /= total;
    double share = constants[0], fast = constants[1], strong = constants[2], spread = constants[5];
    double linear = bounded(outputs[n_types + 1], 0.0, 10.0);
    double tier = 1.0 / (1.0 + exp(-bounded(outputs[n_types], -30.0, 30.0)));
    double complexity = (1.0 - share) * linear + share * (fast + (strong - fast) * tier);
    scores[n_types] = linear;
    scores[n_types + 1] = tier;
    scores[n_types + 2] = complexity;
    scores[n_types + 3] = normal_cdf((constants[3] - complexity) / spread);
    scores[n_types + 4] = 1.0 - normal_cdf((constants[4] - complexity) / spread);
    release(&buffers);
    Py_RETURN_NONE;
}
