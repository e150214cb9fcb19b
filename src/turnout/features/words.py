"""Words as fixed-size records: hash, length, groups and value of each, remembered from prompt to prompt.

Cutting a prompt at its blanks and punctuation takes one pass over its bytes. What each piece holds is looked up in a
memo, so that frequent words are hashed, matched and classified once per process, not once per prompt. Where the kernel is
compiled, it needs no memo for ASCII and asks it for all other pieces.
"""

from __future__ import annotations

import re
from binascii import crc32
from itertools import product
from struct import Struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout import kernel
from turnout.features.lexicon import (
    CODE_LANGUAGES,
    COMPARATIVES,
    CONDITIONALS,
    FOREIGN_STOP_WORDS,
    KEYWORD_GROUPS,
    NEGATIONS,
    PRONOUNS,
    QUESTION_WORDS,
    STOP_WORDS,
    index_groups,
)

WORD: Final = re.compile(
    # Latin words and identifiers, accents included: don't, trade-off, c++, für
    r"[a-z_\u00df-\u00f6\u00f8-\u024f][a-z0-9_\u00df-\u00f6\u00f8-\u024f]*(?:['+-][a-z0-9_+]+)*"
    r"|\d+(?:[.,]\d+)*"  # numbers
    r"|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # Japanese and Chinese: one character, one word
    r"|[^\W\d_a-z][^\W\d_]*"  # words that begin with any other letter
)

WORD_CLASSES: Final[dict[str, frozenset[str]]] = {
    "stop_word_share": STOP_WORDS,
    "foreign_stop_word_share": FOREIGN_STOP_WORDS,
    "question_words": QUESTION_WORDS,
    "negations": NEGATIONS,
    "conditionals": CONDITIONALS,
    "comparatives": COMPARATIVES,
    "pronouns": PRONOUNS,
}
GROUPS: Final[tuple[str, ...]] = (
    *(f"kw_{name}" for name in KEYWORD_GROUPS),
    *(f"lang_{name}" for name in CODE_LANGUAGES),
    *WORD_CLASSES,
    "numbers",
    "decimals",
    "long_words",
    "characters",
)
"""What is counted over words. Every one of them is a column of `KIND_GROUPS`, so that one product counts them all."""

Words = NDArray[np.void]
"""Array of `RECORD`, one per word of a text, in order."""

RECORD: Final = np.dtype([("hash", np.uint32), ("value", np.float32), ("kind", np.uint32)])
"""CRC-32 of the word, what it is worth as a number (else 0), its row in `KIND_GROUPS`."""

_PACK: Final = Struct("=IfI").pack
_LONG: Final = 10
_LONGEST: Final = 20
"""Words of more characters than this count as this long."""

_MEMO_WORDS: Final = 1 << 15
_MEMO_BYTES: Final = 32
"""The memo takes at most about 7 MB: longer pieces are not kept, and a full memo starts afresh."""

_IN_WORDS: Final = b"abcdefghijklmnopqrstuvwxyz0123456789_'+-.,"
CUT: Final = bytes(byte if byte in _IN_WORDS or byte >= 128 else 32 for byte in bytes(range(256)).lower())
"""Translation table: lower case, and a blank for each byte that no word can hold."""


def _index_groups() -> dict[str, tuple[int, ...]]:
    """The groups of each listed word, as positions in `GROUPS`."""
    indexed = index_groups(KEYWORD_GROUPS)
    for word, positions in index_groups(CODE_LANGUAGES, len(KEYWORD_GROUPS)).items():
        indexed[word] = indexed.get(word, ()) + positions
    for position, members in enumerate(WORD_CLASSES.values(), len(KEYWORD_GROUPS) + len(CODE_LANGUAGES)):
        for word in members:
            indexed[word] = (*indexed.get(word, ()), position)
    return indexed


def _index_kinds() -> tuple[dict[str, int], NDArray[np.float32]]:
    """The kind of each listed word, and what one word of each kind adds to each count, (kinds, len(GROUPS)).

    Words of the same groups and length are of one kind. The first kinds are the lengths from 0 of words that are not
    listed, then those of whole numbers from `_INTEGER` on, then those of other numbers from `_DECIMAL` on.
    """
    number, decimal = GROUPS.index("numbers"), GROUPS.index("decimals")
    listed = {word: (positions, min(len(word), _LONGEST)) for word, positions in _index_groups().items()}
    kinds = [*product(((), (number,), (number, decimal)), range(_LONGEST + 1)), *sorted(set(listed.values()))]
    rows = np.zeros((len(kinds), len(GROUPS)), np.float32)
    of_kind = [(row, position) for row, (positions, _) in enumerate(kinds) for position in positions]
    rows[tuple(zip(*of_kind, strict=True))] = 1.0
    rows[:, -1] = [length for _, length in kinds]
    rows[:, -2] = rows[:, -1] >= _LONG
    row_of = {kind: row for row, kind in enumerate(kinds)}
    return {word: row_of[kind] for word, kind in listed.items()}, rows


_INTEGER: Final = _LONGEST + 1
_DECIMAL: Final = 2 * _INTEGER
_KIND_OF, KIND_GROUPS = _index_kinds()


def _record(word: str) -> bytes:
    """Pack one word; a number of more than 18 digits or with two points has no value."""
    length = min(len(word), _LONGEST)
    value = 0.0
    if word[0] in "0123456789":
        digits = word.replace(",", "")
        kind = length + (_DECIMAL if "." in word else _INTEGER)
        if digits.count(".") <= 1 and len(digits) <= 18:
            value = float(digits)
    else:
        kind = _KIND_OF.get(word, length)
    return _PACK(crc32(word.encode()), value, kind)


_ONES: Final = np.ones(1 << 12, np.float32)


class _Memo(dict[bytes, bytes]):
    """Records of the words in a piece of UTF-8 text, by that piece."""

    def __missing__(self, piece: bytes) -> bytes:
        core = piece.strip(b".,'-")
        if core.isalpha():
            records = _record(core.decode())
        else:
            text = core.decode().lower()
            words = WORD.findall(text)
            # A piece of several words is put together from theirs, of which the memo may know most.
            records = _record(text) if words == [text] else b"".join(map(self.__getitem__, map(str.encode, words)))
        if len(piece) <= _MEMO_BYTES:
            if len(self) >= _MEMO_WORDS:
                self.clear()
            self[piece] = records
        return records


_MEMO: Final = _Memo()
_LEXICON: Final = kernel.native.make_lexicon(_KIND_OF, _LONGEST) if kernel.COMPILED else b""


def read_words(raw: bytes) -> Words:
    """Records of all words in a text given as UTF-8 of any case."""
    if kernel.COMPILED:
        return np.frombuffer(kernel.native.read_words(raw, _LEXICON, _MEMO), RECORD)
    return np.frombuffer(b"".join(map(_MEMO.__getitem__, raw.translate(CUT).split())), RECORD)


def group_counts(words: Words) -> NDArray[np.float32]:
    """How much the words add to each count, of shape (len(GROUPS),)."""
    n = len(words)
    # A product with ones is faster than `sum`.
    ones = _ONES[:n] if n <= len(_ONES) else np.ones(n, np.float32)
    counts: NDArray[np.float32] = ones @ KIND_GROUPS.take(words["kind"], axis=0)
    return counts
