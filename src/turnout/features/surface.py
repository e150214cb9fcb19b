"""Surface, context and keyword features of a request: cheap counts, one pass, no learned weights.

Counts enter as log(1 + n), shares as fractions of characters, words or lines, so that trees and linear models can
both use them. The order of `SURFACE_NAMES` is the order of the vector.
"""

from __future__ import annotations

import math
import re
from itertools import accumulate
from struct import Struct
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnout import kernel
from turnout.features.lexicon import CODE_LANGUAGES, KEYWORD_GROUPS
from turnout.features.text import MAX_CHARS, PromptText
from turnout.features.words import GROUPS, KIND_GROUPS, WORD_CLASSES, group_counts
from turnout.types import Request

_BYTE_CLASSES: Final[dict[str, bytes]] = {
    "upper": bytes(range(65, 91)),
    "digit": bytes(range(48, 58)),
    "space": b" \t",
    "newline": b"\n",
    "parenthesis": b"()",
    "brace": b"{}",
    "bracket": b"[]",
    "angle": b"<>",
    "quote": b"\"'",
    "backtick": b"`",
    "semicolon": b";",
    "comma": b",",
    "colon": b":",
    "period": b".",
    "operator": b"=+*/%|&^~",
    "hyphen": b"-",
    "dollar": b"$",
    "backslash": b"\\",
    "underscore": b"_",
    "question": b"?",
    "exclamation": b"!",
    "hash": b"#",
    # Lead bytes of UTF-8 tell the script without decoding.
    "latin_accented": bytes(range(0xC3, 0xC9)),
    "greek": b"\xce\xcf",
    "cyrillic": b"\xd0\xd1\xd2\xd3",
    "arabic_hebrew": bytes(range(0xD6, 0xDC)),
    "indic_thai": b"\xe0",
    "han_kana": bytes(range(0xE3, 0xEA)),
    "hangul": b"\xea\xeb\xec\xed",
    "symbol": b"\xe2\xf0",
}

_CLASS_OF_BYTE: Final = bytes(
    next((at for at, members in enumerate(_BYTE_CLASSES.values()) if byte in members), len(_BYTE_CLASSES))
    for byte in range(256)
)
"""Translation table from a byte to its class, or to the number of classes where it is of none."""

_FILE: Final = re.compile(
    r"\.(?=[a-z])(?<=[\w/-]\.)(?:py|pyi|js|jsx|ts|tsx|java|kt|go|rs|c|h|cc|cpp|hpp|cs|rb|php|swift|dart|sql|sh|ps1|ya?ml|json|toml"
    r"|md|txt|csv|html|s?css|vue|xml|ini|cfg|conf|env|lock|tf|proto|ipynb|tex|log|gd|lua|ex|hs|scala|r|jl)\b"
)
_STACK: Final = (
    "Traceback",
    "\n    at ",
    "\n\tat ",
    '\n  File "',
    "Exception in",
    "panicked at",
    "goroutine ",
    "Segmentation",
    " 0x0",
)
_SENTENCE_ENDS: Final = bytes.maketrans(b"!?\t\n\r", b"..   ")
_LATEX: Final = re.compile(r"\$[^$\n]{1,80}\$|\\(?:frac|sum|int|sqrt|le|ge|leq|geq|times|ldots|cdot|begin)\b")

_SIZES: Final = (
    "log_chars", "log_words", "log_lines", "log_sentences", "words_per_sentence", "chars_per_word",
    "long_word_share", "unique_word_share", "instruction_share", "log_instruction_words", "truncated",
)  # fmt: skip
_COUNTS: Final = (
    "numbers", "log_largest_number", "decimals", "files_named", "urls", "stack_trace", "options", "bullets",
    "latex", "fences", "code_line_share", "log_line_share", "table_line_share", "code_language_count",
    "ends_with_question", "ends_with_colon",
)  # fmt: skip
_CONTEXT: Final = (
    "turns", "assistant_turns", "log_system_words", "log_history_words", "files", "tools", "images",
)  # fmt: skip

_N_KEYWORDS: Final = len(KEYWORD_GROUPS)
_N_GROUPS: Final = _N_KEYWORDS + len(CODE_LANGUAGES)
_LANGUAGES: Final = slice(_N_KEYWORDS, _N_GROUPS)
_CLASSES: Final = slice(_N_GROUPS, _N_GROUPS + len(WORD_CLASSES))
_SHARES: Final = (0, 1)
"""The first two word classes, those of stop words, enter as shares of all words, the others as counts."""

_BLOCKS: Final = (
    _SIZES,
    tuple(f"char_{name}" for name in _BYTE_CLASSES),
    tuple(WORD_CLASSES),
    _COUNTS,
    _CONTEXT,
    GROUPS[:_N_GROUPS],
    tuple(f"asks_{name}" for name in KEYWORD_GROUPS),
)
SURFACE_NAMES: Final[tuple[str, ...]] = tuple(name for block in _BLOCKS for name in block)
"""`kw_` counts a keyword group over the whole prompt, `asks_` over its instruction alone, `lang_` code languages."""

_ENDS = [*accumulate(map(len, _BLOCKS))]
_AT_SIZES, _AT_BYTES, _AT_CLASSES, _AT_COUNTS, _AT_CONTEXT, _AT_GROUPS, _AT_ASKS = map(slice, [0, *_ENDS], _ENDS)
_PUT_SIZES: Final = Struct(f"={len(_SIZES)}f").pack_into
_PUT_COUNTS: Final = Struct(f"={len(_COUNTS) + len(_CONTEXT)}f").pack_into
"""Put floats in place in a vector, in half the time of NumPy."""

_FLOAT_BYTES: Final = 4
_COUNTED: Final = (_AT_BYTES, _AT_ASKS, _AT_GROUPS, _AT_CLASSES)
_LAYOUT: Final = np.array(
    [
        *(block.start for block in _COUNTED),
        *(block.stop - block.start for block in _COUNTED),
        _LANGUAGES.start,
        _LANGUAGES.stop,
        len(GROUPS),
    ],
    np.int32,
)
"""Tells `kernel.native` where to put what it counts: beginnings and lengths of the blocks; then which groups are
languages, and how many groups there are."""


def surface_vector(text: PromptText, request: Request) -> NDArray[np.float32]:
    """Surface features of one request.

    Returns:
        float32 array of shape (len(SURFACE_NAMES),), finite, in the order of `SURFACE_NAMES`.
    """
    vector = np.empty(len(SURFACE_NAMES), np.float32)
    found = _count(text, vector)
    place = vector.data
    _PUT_SIZES(place, _FLOAT_BYTES * _AT_SIZES.start, *_sizes(text, found))
    _PUT_COUNTS(place, _FLOAT_BYTES * _AT_COUNTS.start, *_counts(text, found), *_context(request))
    return vector


class _Found(NamedTuple):
    """What is counted over a text: ends of sentences, addresses, points before a small letter, different words, the
    largest number, languages of which more than one word occurs, and the last four groups."""

    sentences: int
    urls: int
    dotted: int
    distinct: int
    largest: float
    languages: int
    numbers: float
    decimals: float
    long_words: float
    characters: float


def _count(text: PromptText, vector: NDArray[np.float32]) -> _Found:
    """Count bytes and words once; puts the blocks `_COUNTED` of the vector in place."""
    raw, words = text.raw, text.words
    if kernel.COMPILED:
        return _Found(
            *kernel.native.count_surface(
                raw, words, text.instruction_words, _CLASS_OF_BYTE, KIND_GROUPS, _LAYOUT, vector
            )
        )
    classes = np.bincount(np.frombuffer(raw.translate(_CLASS_OF_BYTE), np.uint8), minlength=len(_BYTE_CLASSES) + 1)
    vector[_AT_BYTES] = classes[:-1] * (1.0 / max(len(raw), 1))
    groups = group_counts(words)
    asked = groups if text.instruction_words is words else group_counts(text.instruction_words)
    logs = np.log1p(groups)
    vector[_AT_CLASSES] = logs[_CLASSES]
    for share in _SHARES:
        vector[_AT_CLASSES.start + share] = float(groups[_CLASSES.start + share]) / max(len(words), 1)
    vector[_AT_GROUPS] = logs[:_N_GROUPS]
    np.log1p(asked[:_N_KEYWORDS], out=vector[_AT_ASKS])
    ends = raw.translate(_SENTENCE_ENDS).count(b". ") + raw.endswith((b".", b"!", b"?"))
    if len(raw) > len(text.text):
        ends += sum(map(text.text.count, "。！？"))
    hashes = np.sort(words["hash"])
    repeated = int(np.count_nonzero(hashes[1:] == hashes[:-1]))
    return _Found(
        ends,
        raw.count(b"://"),
        raw.count(b"."),
        len(words) - repeated,
        float(words["value"].max(initial=0.0)),
        sum([count > 1 for count in groups[_LANGUAGES].tolist()]),
        *groups[-4:].tolist(),
    )


def _sizes(text: PromptText, found: _Found) -> tuple[float, ...]:
    n_words, n_asked = len(text.words), len(text.instruction_words)
    per_word = 1.0 / max(n_words, 1)
    sentences = found.sentences + 1
    return (
        math.log1p(text.length),
        math.log1p(n_words),
        math.log1p(text.lines),
        math.log1p(sentences),
        n_words / sentences,
        found.characters * per_word,
        found.long_words * per_word,
        found.distinct * per_word,
        n_asked * per_word,
        math.log1p(n_asked),
        float(text.length > MAX_CHARS),
    )


def _counts(text: PromptText, found: _Found) -> tuple[float, ...]:
    body = text.text
    last = body.rstrip()[-1:]
    lines = max(text.lines, 1)
    pasted = text.code_lines or text.log_lines
    return (
        math.log1p(found.numbers),
        math.log1p(found.largest),
        math.log1p(found.decimals),
        math.log1p(len(_FILE.findall(body))) if found.dotted else 0.0,
        math.log1p(found.urls),
        math.log1p(sum(map(body.count, _STACK))) if pasted else 0.0,
        math.log1p(text.options) if text.lines > 1 else 0.0,
        math.log1p(text.bullets) if text.lines > 1 else 0.0,
        math.log1p(len(_LATEX.findall(body))) if "$" in body or "\\" in body else 0.0,
        math.log1p(text.fences),
        text.code_lines / lines,
        text.log_lines / lines,
        text.table_lines / lines,
        float(found.languages),
        float(last in ("?", "？")),
        float(last in (":", "：")),
    )


def _context(request: Request) -> tuple[float, ...]:
    messages, prompt = request.messages, request.prompt
    assistant = system = history = images = 0
    for message in messages:
        images += len(message.images)
        assistant += message.role == "assistant"
        if message.role in ("system", "developer"):
            system += message.content.count(" ") + 1
        elif message.content is not prompt:
            history += message.content.count(" ") + 1
    return (
        float(len(messages)),
        float(assistant),
        math.log1p(system),
        math.log1p(history),
        math.log1p(len(request.files)),
        math.log1p(len(request.tools)),
        math.log1p(images),
    )
