/* Reading one text: words as records, lines by what they are; features/words.py and text.py. What it
   mentions and where secrets may stand; policy/mentions.py and privacy.py. */

#include "_native.h"

uint8_t byte_class[256], lower_case[256];
static uint8_t is_mark[256]; /* says something of code, logs and tables */
static uint32_t crc_table[256];

void
fill_text_tables(void)
{
    static const char plain[] = "\0\r .,'\"!?%&^\\_*+-$";
    for (int byte = 0; byte < 256; byte++) {
        int capital = byte >= 'A' && byte <= 'Z', letter = capital || (byte >= 'a' && byte <= 'z');
        int digit = byte >= '0' && byte <= '9', named = letter || byte == '_';
        uint32_t crc = (uint32_t)byte;
        byte_class[byte] = (uint8_t)((named ? START : 0) | (digit ? DIGIT : 0) | (named || digit ? INSIDE : 0) |
                                     (named || digit || byte == '+' ? TAIL : 0) |
                                     (byte == '\'' || byte == '+' || byte == '-' ? JOINT : 0) |
                                     (byte == '.' || byte == ',' ? POINT : 0) | (byte >= 0x80 ? WIDE : 0));
        lower_case[byte] = (uint8_t)(capital ? byte + 32 : byte);
        is_mark[byte] = !(letter || digit || byte >= 0x80 || memchr(plain, byte, sizeof plain - 1));
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ 0xEDB88320u : crc >> 1;
        crc_table[byte] = crc;
    }
}

static uint32_t
crc32_of(const uint8_t *text, Py_ssize_t length)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (Py_ssize_t at = 0; at < length; at++)
        crc = crc_table[(crc ^ text[at]) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

/* ---- Listed words ------------------------------------------------------------------------------------------------ */

/* A lexicon is one block of bytes, so that Python can keep it: a header; the hashes in an open hash table, close
   together because most words are not listed; what is known of the word in each place; then the words. */
typedef struct {
    uint32_t places;  /* a power of two */
    uint32_t longest; /* words of more bytes count as this long */
} Header;

typedef struct {
    uint32_t kind, offset, length;
} Entry;

typedef struct {
    const uint8_t *block, *hashes, *entries;
    size_t size, places;
    Py_ssize_t longest;
} Lexicon;

#define FREE 0u

static uint32_t
never_free(uint32_t hash)
{
    return hash == FREE ? 1u : hash;
}

/* make_lexicon(kind of each word, length of the longest) -> a lexicon */
NATIVE(make_lexicon)
{
    (void)module;
    if (n_args != 2 || !PyDict_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "expected a dict of words and a length");
        return NULL;
    }
    unsigned long longest = PyLong_AsUnsignedLong(args[1]);
    if (longest == (unsigned long)-1 && PyErr_Occurred())
        return NULL;
    Py_ssize_t n_words = PyDict_Size(args[0]), size = 0, position = 0;
    PyObject *word, *kind;
    while (PyDict_Next(args[0], &position, &word, &kind)) {
        Py_ssize_t length;
        if (!PyUnicode_AsUTF8AndSize(word, &length))
            return NULL;
        size += length;
    }
    if (longest > 1 << 20 || n_words > 1 << 20 || size > 1 << 28) {
        PyErr_SetString(PyExc_ValueError, "the lexicon is too large");
        return NULL;
    }
    Header header = {4, (uint32_t)longest};
    while (header.places < 2 * (size_t)n_words)
        header.places *= 2;
    size_t hashes = sizeof header, entries = hashes + header.places * sizeof(uint32_t);
    size_t end = entries + header.places * sizeof(Entry);
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)end + size);
    if (!made)
        return NULL;
    uint8_t *block = (uint8_t *)PyBytes_AsString(made);
    memset(block, 0, end);
    memcpy(block, &header, sizeof header);
    position = 0;
    while (PyDict_Next(args[0], &position, &word, &kind)) {
        Py_ssize_t length;
        const char *text = PyUnicode_AsUTF8AndSize(word, &length);
        unsigned long value = PyLong_AsUnsignedLong(kind);
        if (!text || (value == (unsigned long)-1 && PyErr_Occurred())) {
            Py_DECREF(made);
            return NULL;
        }
        Entry entry = {(uint32_t)value, (uint32_t)end, (uint32_t)length};
        uint32_t hash = never_free(crc32_of((const uint8_t *)text, length));
        size_t place = hash & (header.places - 1);
        while (read_u32(block + hashes + place * sizeof hash) != FREE)
            place = (place + 1) & (header.places - 1);
        memcpy(block + hashes + place * sizeof hash, &hash, sizeof hash);
        memcpy(block + entries + place * sizeof entry, &entry, sizeof entry);
        memcpy(block + end, text, (size_t)length);
        end += (size_t)length;
    }
    return made;
}

static int
open_lexicon(Lexicon *lexicon, const uint8_t *block, Py_ssize_t size)
{
    Header header;
    if ((size_t)size < sizeof header)
        return -1;
    memcpy(&header, block, sizeof header);
    lexicon->block = block;
    lexicon->size = (size_t)size;
    lexicon->places = header.places;
    lexicon->longest = header.longest;
    lexicon->hashes = block + sizeof header;
    if (!header.places || header.places & (header.places - 1) ||
        header.places > ((size_t)size - sizeof header) / (sizeof(uint32_t) + sizeof(Entry)))
        return -1;
    lexicon->entries = lexicon->hashes + lexicon->places * sizeof(uint32_t);
    return 0;
}

/* The kind of a listed word, else `otherwise`. */
static uint32_t
kind_of(const Lexicon *lexicon, const uint8_t *word, Py_ssize_t length, uint32_t hash, uint32_t otherwise)
{
    size_t last = lexicon->places - 1;
    hash = never_free(hash);
    for (size_t probes = 0, place = hash & last; probes <= last; probes++, place = (place + 1) & last) {
        uint32_t there = read_u32(lexicon->hashes + place * sizeof there);
        if (there == FREE)
            break;
        if (there != hash)
            continue;
        Entry entry;
        memcpy(&entry, lexicon->entries + place * sizeof entry, sizeof entry);
        if (entry.length == (size_t)length && entry.offset <= lexicon->size &&
            entry.length <= lexicon->size - entry.offset && !memcmp(lexicon->block + entry.offset, word, entry.length))
            return entry.kind;
    }
    return otherwise;
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t *records;
    size_t used, room; /* in bytes */
} Records;

/* Make room for more; -1 without memory. */
static int
grow(Records *records, size_t more)
{
    size_t room = records->room;
    while (more > room - records->used) {
        if (room > (size_t)PY_SSIZE_T_MAX / 2) {
            PyErr_NoMemory();
            return -1;
        }
        room *= 2;
    }
    uint8_t *grown = PyMem_Realloc(records->records, room);
    if (!grown) {
        PyErr_NoMemory();
        return -1;
    }
    records->records = grown;
    records->room = room;
    return 0;
}

static int
append_word(Records *records, uint32_t hash, float value, uint32_t kind)
{
    if (records->room - records->used < RECORD_BYTES && grow(records, RECORD_BYTES) < 0)
        return -1;
    uint8_t *record = records->records + records->used;
    memcpy(record, &hash, 4);
    memcpy(record + 4, &value, 4);
    memcpy(record + 8, &kind, 4);
    records->used += RECORD_BYTES;
    return 0;
}

/* A piece with more than ASCII is left to the memo: what is a letter there, Python knows. */
static int
append_from_memo(Records *records, PyObject *memo, const uint8_t *piece, Py_ssize_t length)
{
    PyObject *key = PyBytes_FromStringAndSize((const char *)piece, length);
    if (!key)
        return -1;
    PyObject *known = PyObject_GetItem(memo, key);
    Py_DECREF(key);
    if (!known)
        return -1;
    char *found;
    Py_ssize_t size;
    int failed = PyBytes_AsStringAndSize(known, &found, &size) < 0 ||
                 ((size_t)size > records->room - records->used && grow(records, (size_t)size) < 0);
    if (!failed) {
        memcpy(records->records + records->used, found, (size_t)size);
        records->used += (size_t)size;
    }
    Py_DECREF(known);
    return failed ? -1 : 0;
}

static const double POWERS_OF_TEN[18] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,
                                         1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17};

/* What a number is worth: 0 with two points or more than 18 characters beside its commas. Sets whether it has a point. */
static float
value_of(const uint8_t *number, Py_ssize_t length, int *has_point)
{
    uint64_t digits = 0;
    int kept = 0, points = 0, decimals = 0;
    for (Py_ssize_t at = 0; at < length; at++) {
        if (number[at] == ',')
            continue;
        if (number[at] == '.')
            points += points < 2;
        else if (kept < 18) {
            digits = 10 * digits + (uint64_t)(number[at] - '0');
            decimals += points == 1;
        }
        kept += kept < 19;
    }
    *has_point = points > 0;
    return points > 1 || kept > 18 ? 0.0f : (float)((double)digits / POWERS_OF_TEN[decimals]);
}

/* Append the ASCII words of a text, as the pattern WORD of words.py cuts them; `text` takes the lower case of what is
   read. Words, their ends and hashes are found in one pass: most of the time goes into guessing where words end. */
static int
append_words(Records *records, const Lexicon *lexicon, PyObject *memo, const uint8_t *raw, Py_ssize_t size, uint8_t *text)
{
    Py_ssize_t piece = 0;
    size_t before = 0;
    for (Py_ssize_t at = 0; at < size;) {
        uint8_t class = byte_class[raw[at]];
        if (!(class & (START | DIGIT | WIDE))) {
            at++;
            if (!class) {
                piece = at;
                before = records->used;
            }
            continue;
        }
        if (class & WIDE) { /* the whole piece, what was read of it included */
            records->used = before;
            for (at = piece; at < size && byte_class[raw[at]]; at++)
                text[at] = lower_case[raw[at]];
            if (append_from_memo(records, memo, text + piece, at - piece) < 0)
                return -1;
            continue;
        }
        Py_ssize_t begin = at;
        uint32_t crc = 0xFFFFFFFFu;
        uint8_t follows = class & START ? INSIDE : DIGIT;
        uint8_t joint = class & START ? JOINT : POINT;
        uint8_t tail = class & START ? TAIL : DIGIT;
        for (;; follows = tail) {
            do {
                text[at] = lower_case[raw[at]];
                crc = crc_table[(crc ^ text[at]) & 0xFF] ^ (crc >> 8);
                at++;
            } while (at < size && byte_class[raw[at]] & follows);
            if (at + 1 >= size || !(byte_class[raw[at]] & joint) || !(byte_class[raw[at + 1]] & tail))
                break;
        }
        uint32_t kind = (uint32_t)(at - begin < lexicon->longest ? at - begin : lexicon->longest);
        float value = 0.0f;
        if (class & START)
            kind = kind_of(lexicon, text + begin, at - begin, ~crc, kind);
        else {
            int has_point;
            value = value_of(text + begin, at - begin, &has_point);
            kind += (uint32_t)(lexicon->longest + 1) * (has_point ? 2u : 1u);
        }
        if (append_word(records, ~crc, value, kind) < 0)
            return -1;
    }
    return 0;
}

/* read_words(text, lexicon, memo) -> records of the words */
NATIVE(read_words)
{
    (void)module;
    Buffers buffers;
    Lexicon lexicon;
    if (n_args != 3) {
        PyErr_SetString(PyExc_TypeError, "expected a text, a lexicon and a memo");
        return NULL;
    }
    if (hold(&buffers, "bb", args, 2) < 0)
        return NULL;
    if (open_lexicon(&lexicon, buffers.view[1].buf, buffers.size[1]) < 0)
        return refuse(&buffers, "this is no lexicon");
    Py_ssize_t size = buffers.size[0];
    Records records = {PyMem_Malloc(4096), 0, 4096};
    uint8_t *text = PyMem_Malloc((size_t)size + 1);
    PyObject *made = NULL;
    if (!records.records || !text)
        PyErr_NoMemory();
    else if (!append_words(&records, &lexicon, args[2], buffers.view[0].buf, size, text))
        made = PyBytes_FromStringAndSize((char *)records.records, (Py_ssize_t)records.used);
    PyMem_Free(text);
    PyMem_Free(records.records);
    release(&buffers);
    return made;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* What a line is; where it is unclear, text.py decides. */
#define BLANK ' '
#define PROSE 'p'
#define FENCE '`'
#define CODE 'c'
#define UNCLEAR '?'

/* Kinds of the words that text.py lists: a line of prose has none of the first kind at its beginning, a line with marks
   has none of the second either, nor of the third where it ends as the head of a block does. */
#define OPENER 1
#define OPENER_WITH_MARKS 2
#define BLOCK_OPENER 3

/* How many bytes the white space character at `at` has, as str.isspace knows it; 0 where there is none. */
static Py_ssize_t
blank_at(const uint8_t *text, Py_ssize_t at, Py_ssize_t end)
{
    uint8_t byte = text[at];
    if (byte < 0x80)
        return byte == ' ' || (byte >= 0x09 && byte <= 0x0D) || (byte >= 0x1C && byte <= 0x1F);
    if (byte == 0xC2)
        return at + 1 < end && (text[at + 1] == 0x85 || text[at + 1] == 0xA0) ? 2 : 0;
    if (byte < 0xE1 || byte > 0xE3 || at + 2 >= end)
        return 0;
    uint32_t rest = (uint32_t)text[at + 1] << 8 | text[at + 2];
    int is_blank = byte == 0xE1   ? rest == 0x9A80
                   : byte == 0xE3 ? rest == 0x8080
                                  : (rest >= 0x8080 && rest <= 0x808A) || rest == 0x80A8 || rest == 0x80A9 ||
                                        rest == 0x80AF || rest == 0x819F;
    return is_blank ? 3 : 0;
}

static Py_ssize_t
skip_blanks(const uint8_t *text, Py_ssize_t at, Py_ssize_t end)
{
    Py_ssize_t blank;
    while (at < end && (blank = blank_at(text, at, end)) != 0)
        at += blank;
    return at;
}

static int
one_of(const char *bytes, uint8_t byte)
{
    return byte && strchr(bytes, byte) != NULL;
}

/* The end of a run of letters, digits, underscores, whatever is not ASCII, and some other bytes. */
static Py_ssize_t
skip_run(const uint8_t *text, Py_ssize_t at, Py_ssize_t end, const char *others)
{
    while (at < end && (byte_class[text[at]] & (INSIDE | WIDE) || one_of(others, text[at])))
        at++;
    return at;
}

static int
contains(const uint8_t *text, Py_ssize_t length, const char *sought, Py_ssize_t size)
{
    for (Py_ssize_t at = 0; at + size <= length; at++)
        if (!memcmp(text + at, sought, (size_t)size))
            return 1;
    return 0;
}

/* Whether none of the patterns of text.py can match a line with marks, stripped and not indented. It goes by how each of
   them must begin and end, and says no where that does not tell. */
static int
is_surely_prose(const uint8_t *line, Py_ssize_t length, const Lexicon *openers)
{
    uint8_t first = byte_class[line[0]], last = line[length - 1];
    Py_ssize_t at = 0;
    if (!(first & (START | DIGIT)) || one_of(";{}", last))
        return 0;

    /* times and addresses */
    int points = 0;
    for (; first & DIGIT && at < length && (byte_class[line[at]] & DIGIT || line[at] == '.'); at++)
        points += line[at] == '.';
    if (points > 2 || (first & DIGIT && at < length && (line[at] == '-' || line[at] == ':' || line[at] >= 0x80)))
        return 0;

    /* what opens code or a log */
    for (at = 0; at < length && byte_class[line[at]] & INSIDE;)
        at++;
    uint32_t opener = kind_of(openers, line, at, crc32_of(line, at), 0);
    if (opener && (opener != BLOCK_OPENER || one_of(":()=,", last)))
        return 0;
    if (length >= 9 && !memcmp(line, "Traceback", 9))
        return 0;

    /* names of errors, bare calls */
    at = skip_run(line, 0, length, ".");
    if (contains(line, at, "Error", 5) || contains(line, at, "Exception", 9))
        return 0;
    if (at < length && line[at] == '(' && (last == ')' || last == ','))
        return 0;

    /* assignments, keys and values */
    at = skip_blanks(line, skip_run(line, 0, length, ".[]\"'$-"), length);
    if (at < length && one_of("=+", line[at]))
        return 0;
    if (at < length && line[at] == ':') {
        at = skip_blanks(line, at + 1, length);
        if (at == length ? line[0] == '_' || line[0] >= 'a' : one_of("=\"[{", line[at]))
            return 0;
        Py_ssize_t value = at;
        while (at < length && !blank_at(line, at, length))
            at++;
        if (at == length && value < length)
            return 0;
    }

    /* rows of tables */
    int bars = 0;
    for (at = 0; at < length; at++)
        bars += line[at] == '|';
    for (at = 0; at < length && !blank_at(line, at, length) && !one_of(",;|", line[at]);)
        at++;
    return bars < 2 && !(at < length && one_of(",;\t", line[at]));
}

/* What a line is outside of fences; no more than `openers->longest` characters of it are looked at. */
static char
kind_of_line(const uint8_t *line, Py_ssize_t length, const Lexicon *openers)
{
    uint8_t marked = 0;
    for (Py_ssize_t at = 0; at < length; at++)
        marked |= is_mark[line[at]];
    Py_ssize_t end = length;
    if (length > openers->longest) {
        end = 0;
        for (Py_ssize_t chars = 0; end < length && (chars < openers->longest || line[end] >> 6 == 2); end++)
            chars += line[end] >> 6 != 2;
    }
    Py_ssize_t begin = skip_blanks(line, 0, end);
    if (begin == end)
        return BLANK;
    for (Py_ssize_t at = end; at > begin; end = at) {
        do
            at--;
        while (at > begin && line[at] >> 6 == 2);
        if (!blank_at(line, at, end))
            break;
    }
    line += begin;
    length = end - begin;
    if (length >= 3 && (!memcmp(line, "```", 3) || !memcmp(line, "~~~", 3)))
        return FENCE;
    if (marked)
        return begin == 0 && is_surely_prose(line, length, openers) ? PROSE : UNCLEAR;
    Py_ssize_t word = 0;
    while (word < length && line[word] != ' ' && line[word] != ',')
        word++;
    return (word < length && line[word] == ',') || kind_of(openers, line, word, crc32_of(line, word), 0) == OPENER
               ? UNCLEAR
               : PROSE;
}

/* Whether a line begins as an option does: A. (B) C) */
static int
is_option(const uint8_t *line, Py_ssize_t length)
{
    Py_ssize_t at = length && line[0] == '(';
    return at + 2 < length && line[at] >= 'A' && line[at] <= 'J' && (line[at + 1] == '.' || line[at + 1] == ')') &&
           line[at + 2] == ' ';
}

/* Whether a line is an item of a list; -1 where that depends on what is a digit beyond ASCII. */
static int
is_item(const uint8_t *line, Py_ssize_t length)
{
    Py_ssize_t at = 0;
    while (at < length && (line[at] == ' ' || line[at] == '\t'))
        at++;
    Py_ssize_t begin = at;
    if (at + 2 < length && !memcmp(line + at, "\xe2\x80\xa2", 3))
        at += 3;
    else if (at < length && (line[at] == '-' || line[at] == '*'))
        at++;
    else {
        while (at < length && byte_class[line[at]] & DIGIT)
            at++;
        if (at < length && byte_class[line[at]] & WIDE)
            return -1;
        if (at == begin || at == length || (line[at] != '.' && line[at] != ')'))
            return 0;
        at++;
    }
    return at < length && line[at] == ' ';
}

/* sort_lines(text, openers) -> (what each line is, options, items of lists or -1 where Python must count them) */
NATIVE(sort_lines)
{
    (void)module;
    Buffers buffers;
    Lexicon openers;
    if (hold(&buffers, "bb", args, n_args) < 0)
        return NULL;
    if (open_lexicon(&openers, buffers.view[1].buf, buffers.size[1]) < 0)
        return refuse(&buffers, "this is no lexicon");
    const uint8_t *text = buffers.view[0].buf;
    Py_ssize_t size = buffers.size[0], n_lines = 1, options = 0, items = 0;
    for (Py_ssize_t at = 0; at < size; at++)
        n_lines += text[at] == '\n';
    PyObject *sorted = PyByteArray_FromStringAndSize(NULL, n_lines);
    if (!sorted) {
        release(&buffers);
        return NULL;
    }
    char *kinds = PyByteArray_AsString(sorted);
    int inside = 0;
    for (Py_ssize_t n = 0, begin = 0; n < n_lines; n++) {
        const uint8_t *line = text + begin;
        const uint8_t *feed = n + 1 < n_lines ? memchr(line, '\n', (size_t)(size - begin)) : NULL;
        Py_ssize_t length = feed ? feed - line : size - begin;
        kinds[n] = kind_of_line(line, length, &openers);
        if (kinds[n] == FENCE)
            inside = !inside;
        else if (inside && kinds[n] != BLANK)
            kinds[n] = CODE;
        options += n && is_option(line, length);
        int item = is_item(line, length);
        items = item < 0 || items < 0 ? -1 : items + item;
        begin += length + 1;
    }
    release(&buffers);
    return Py_BuildValue("Nnn", sorted, options, items);
}

/* ---- Mentions ---------------------------------------------------------------------------------------------------- */

static int
in_mention(uint8_t byte)
{
    return (byte_class[byte] & (INSIDE | WIDE) && byte != '_') || byte == '+' || byte == '#';
}

/* listed_words(text, lexicon) -> the lower-case words of a text that are listed, as mentions.py cuts them: letters, digits,
   + and #, and all that is not ASCII */
NATIVE(listed_words)
{
    (void)module;
    Buffers buffers;
    Lexicon lexicon;
    if (hold(&buffers, "bb", args, n_args) < 0)
        return NULL;
    if (open_lexicon(&lexicon, buffers.view[1].buf, buffers.size[1]) < 0)
        return refuse(&buffers, "this is no lexicon");
    const uint8_t *raw = buffers.view[0].buf;
    Py_ssize_t size = buffers.size[0];
    uint8_t *text = PyMem_Malloc((size_t)size + 1);
    PyObject *found = text ? PyList_New(0) : PyErr_NoMemory();
    for (Py_ssize_t at = 0; found && at < size; at++) {
        Py_ssize_t begin = at;
        uint32_t crc = 0xFFFFFFFFu;
        for (; at < size && in_mention(raw[at]); at++) {
            text[at] = lower_case[raw[at]];
            crc = crc_table[(crc ^ text[at]) & 0xFF] ^ (crc >> 8);
        }
        if (at == begin || !kind_of(&lexicon, text + begin, at - begin, ~crc, 0))
            continue;
        PyObject *word = PyBytes_FromStringAndSize((const char *)text + begin, at - begin);
        if (!word || PyList_Append(found, word) < 0)
            Py_CLEAR(found);
        Py_XDECREF(word);
    }
    PyMem_Free(text);
    release(&buffers);
    return found;
}

/* ---- Secrets ----------------------------------------------------------------------------------------------------- */

#define FOLD 0x20202020u
#define KNUTH 2654435761u
#define FIBONACCI (0x9E3779B1u ^ 0x5BD1E996u)
#define SIEVE_BYTES (1 << 13) /* a bit for each upper half of a product */

static int
passes(const uint8_t *sieve, uint32_t product)
{
    return sieve[product >> 19] >> (product >> 16 & 7) & 1;
}

/* Whether a text holds ten digits together, or as 4-4-2 or 4-6 with one blank or dash between. */
static int
has_long_number(const uint8_t *text, size_t size)
{
    size_t before = 0, last = 0, run = 0; /* lengths of runs of digits, each one blank behind the one before */
    for (size_t at = 0; at < size; at++) {
        if (byte_class[text[at]] & DIGIT) {
            run++;
            if (run >= 10 || (run == 6 && last >= 4) || (run == 2 && last == 4 && before >= 4))
                return 1;
        }
        else {
            int joined = run && (text[at] == ' ' || text[at] == '-');
            before = joined ? last : 0;
            last = joined ? run : 0;
            run = 0;
        }
    }
    return 0;
}

/* sift_secrets(text, sieve, second sieve) -> (places where a marker of four bytes may stand, whether a long number is
   there); a sieve holds a bit for each upper half of the product of a marker with its multiplier */
NATIVE(sift_secrets)
{
    (void)module;
    Buffers buffers;
    if (hold(&buffers, "bbb", args, n_args) < 0)
        return NULL;
    if (buffers.size[1] != SIEVE_BYTES || buffers.size[2] != SIEVE_BYTES)
        return refuse(&buffers, "these are no sieves");
    const uint8_t *text = buffers.view[0].buf, *first = buffers.view[1].buf, *second = buffers.view[2].buf;
    size_t size = (size_t)buffers.size[0];
    PyObject *places = PyList_New(0);
    for (size_t at = 0; places && at + 4 <= size; at++) {
        uint32_t window = ((uint32_t)text[at] | (uint32_t)text[at + 1] << 8 | (uint32_t)text[at + 2] << 16 |
                           (uint32_t)text[at + 3] << 24) | FOLD;
        if (!passes(first, window * KNUTH) || !passes(second, window * FIBONACCI))
            continue;
        PyObject *place = PyLong_FromSize_t(at);
        if (!place || PyList_Append(places, place) < 0)
            Py_CLEAR(places);
        Py_XDECREF(place);
    }
    int numbers = has_long_number(text, size);
    release(&buffers);
    return places ? Py_BuildValue("NO", places, numbers ? Py_True : Py_False) : NULL;
}
