"""The words behind n-gram buckets: a prompt read again, for whoever explains a prediction.

A predictor keeps bucket numbers and no words, so a bucket can only be named from the prompt at hand. Nothing here is
on the way of a request, and nothing is kept: names are words of somebody's prompt and belong to whoever sent it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np

from turnout.features.ngrams import MAX_WORDS, ngram_buckets
from turnout.features.text import read_prompt
from turnout.features.words import CUT, WORD, read_words

_TAIL: Final = MAX_WORDS // 3


def spell_words(raw: bytes) -> list[str]:
    """The words of a text given as UTF-8 of any case, one for each record of `words.read_words`, in order.

    A listed word is cut and lower-cased exactly as there, only without the memo.
    """
    return [word for piece in raw.translate(CUT).split() for word in _cut(piece)]


def _cut(piece: bytes) -> Iterator[str]:
    core = piece.strip(b".,'-")
    if core.isalpha():  # ASCII letters alone, which CUT brought to lower case
        yield core.decode()
        return
    for word in WORD.findall(core.decode().lower()):
        yield word


def name_buckets(prompt: str) -> dict[int, tuple[str, ...]]:
    """What hashed to each n-gram bucket of a prompt: words, and pairs of neighbours joined by a blank.

    Returns:
        For each bucket that `extract` finds its terms, the most frequent first, then in the order of the prompt. All
        but a few hold one term; two of 1,400 meet in one of 262,144 buckets about four times.
    """
    words = spell_words(read_prompt(prompt).raw)
    if len(words) > MAX_WORDS:
        words = words[: MAX_WORDS * 2 // 3] + words[-_TAIL:]
    raise NotImplementedError
