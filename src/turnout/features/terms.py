"""The words behind n-gram buckets: a prompt read once more, for whoever explains a prediction.

A predictor keeps bucket numbers and no words, so a bucket can only be named from the prompt at hand. No request waits
for this and nothing is kept: names are words of somebody's prompt and belong to whoever sent it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np

from turnout.features.ngrams import _MIX, _PAIR, _SHIFT, hash_words
from turnout.features.text import read_prompt
from turnout.features.words import CUT, WORD, read_words

_WRITTEN_TOGETHER: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Scripts without blanks, of which each character is a word."""


def name_buckets(prompt: str) -> dict[int, tuple[str, ...]]:
    """What hashed to each n-gram bucket of a prompt: words in lower case, and pairs of neighbours.

    Returns:
        For every bucket that `extract` finds, its terms, the most frequent first, then words before pairs, then in the
        order of the prompt. Nearly all hold one: of the 1,399 terms of a long prompt about 4 pairs of terms meet.
    """
    raw = read_prompt(prompt).raw
    records = read_words(raw)
    hashes = hash_words(records)
    numbered = records.copy()
    numbered["hash"] = np.arange(len(records))
    spelled = spell_words(raw)
    words = [spelled[at] for at in hash_words(numbered).tolist()]  # bounded as the hashes are
    pairs = (hashes[:-1] * _PAIR) ^ hashes[1:]
    buckets = (np.concatenate((hashes, pairs)) * _MIX) >> _SHIFT
    terms = [*words, *(_joined(*pair) for pair in pairwise(words))]
    named: dict[int, tuple[str, ...]] = {}
    for (bucket, term), _ in Counter(zip(buckets.tolist(), terms, strict=True)).most_common():
        named[bucket] = (*named.get(bucket, ()), term)
    return named


def spell_words(raw: bytes) -> list[str]:
    """The words of a text given as UTF-8 of any case: one for each record of `words.read_words`, in the same order."""
    return [word for piece in raw.translate(CUT).split() for word in _cut(piece)]


def _cut(piece: bytes) -> Iterator[str]:
    """The words in a piece without ASCII blanks, as the memo of `words` cuts them."""
    core = piece.strip(b".,'-")
    if core.isalpha():
        yield core.decode()
    else:
        yield from WORD.findall(core.decode().lower())


def _joined(first: str, second: str) -> str:
    together = _WRITTEN_TOGETHER.fullmatch(first) and _WRITTEN_TOGETHER.fullmatch(second)
    return f"{first}{second}" if together else f"{first} {second}"
