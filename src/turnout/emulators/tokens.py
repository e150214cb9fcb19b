"""Tokens of about four characters, and vectors from words; both depend on the text alone."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Final

from turnout.emulators.chance import draw

EMBEDDING_DIMENSIONS: Final = 384

_CHARS_PER_TOKEN: Final = 4
_PIECE: Final = re.compile(r"\s?\S{1,5}|\s")
_WORD: Final = re.compile(r"\w+")
_PLACES_PER_WORD: Final = 8


def count_tokens(text: str) -> int:
    """How many tokens a prompt has."""
    return -(-len(text) // _CHARS_PER_TOKEN)


def split_tokens(text: str) -> list[str]:
    """The pieces in which a text is generated; joined they are the text."""
    return _PIECE.findall(text)


def alternatives(token: str, logprob: float, count: int) -> list[tuple[str, float]]:
    """The `count` likeliest tokens at one place with their log-probabilities, the generated one first."""
    rest = math.log(max(1e-9, 1.0 - math.exp(logprob)))
    others = [(f" alt{number}", min(logprob, rest) - 0.7 * number) for number in range(1, count)]
    return [(token, logprob), *others][:count]


def token_logprob(right: bool, place: int, *purpose: object) -> float:
    """The log-probability of one generated token: close to 0 in a right answer, lower and uneven in a wrong one."""
    chance = draw("logprob", place, *purpose)
    return -(0.005 + 0.25 * chance**2) if right else -(0.05 + 2.2 * chance**2)


def embedding(text: str, dimensions: int = EMBEDDING_DIMENSIONS) -> list[float]:
    """A unit vector; texts that share words point the same way. An empty text has the first axis."""
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [text]:
        digest = hashlib.blake2b(word.encode(errors="replace"), digest_size=4 * _PLACES_PER_WORD).digest()
        for start in range(0, len(digest), 4):
            number = int.from_bytes(digest[start : start + 4], "big")
            vector[(number >> 1) % dimensions] += 1.0 if number & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        vector[0] = length = 1.0
    return [value / length for value in vector]
