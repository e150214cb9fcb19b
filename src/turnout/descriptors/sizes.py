"""Sizes in names: "7b", "135m", "8x7b", "30b-a3b", "e4b", "4k", "1m"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from turnout.descriptors.metadata import EXPERTS, plausible

_SIZE: Final = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)([bmt])")
_EXPERTS: Final = re.compile(r"([0-9]{1,3})x([0-9]{1,3}(?:\.[0-9]{1,2})?)b?")
_ACTIVE: Final = re.compile(r"a([0-9]{1,3}(?:\.[0-9]{1,2})?)([bm])")
_EFFECTIVE: Final = re.compile(r"e([0-9])b")
_COUNT_OF_EXPERTS: Final = re.compile(r"([0-9]{1,3})e")
_R_THEN_SIZE: Final = re.compile(r"r([0-9]{1,3})b")
_CONTEXT: Final = re.compile(r"([0-9]{1,4})(k|m)")
_WRITTEN_OUT: Final = frozenset("4096 8192 16384 32768 65536 131072".split())
_SCALES: Final = {"m": 1e-3, "b": 1.0, "t": 1e3}
_EFFECTIVE_B: Final = {2: 5.0, 4: 8.0}
"""Gemma 3n is named after what it keeps in memory; this is what it has."""
_MOST_CONTEXT: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Size:
    """Billions of parameters, None where not told. `dense` where the name tells of no experts."""

    total_b: float | None = None
    active_b: float | None = None
    dense: bool = True


def size_in(tokens: tuple[str, ...]) -> Size:
    """The size that a name tells; of several the first, which is its own and not that of what it was made from."""
    total = active = None
    dense = "moe" not in tokens
    for token in tokens:
        if token.isalpha():
            continue
        if match := _ACTIVE.fullmatch(token):
            active, dense = plausible(float(match[1]) * _SCALES[match[2]]), False
        elif match := _COUNT_OF_EXPERTS.fullmatch(token):  # "17B-16E" names what is active
            if total is not None and (known := EXPERTS.get((int(match[1]), total))):
                (total, active), dense = known, False
        elif total is not None:
            continue
        elif match := _SIZE.fullmatch(token):
            if match[2] != "m" or float(match[1]) > 10 or not _has_another(tokens, token):
                total = plausible(round(float(match[1]) * _SCALES[match[2]], 6))
        elif match := _R_THEN_SIZE.fullmatch(token):
            total = plausible(float(match[1]))
        elif match := _EFFECTIVE.fullmatch(token):
            total, dense = _EFFECTIVE_B.get(int(match[1])), False
        elif match := _EXPERTS.fullmatch(token):
            dense = False
            total, active = EXPERTS.get((int(match[1]), float(match[2])), (None, None))
    return Size(total, active, dense)


def context_in(tokens: tuple[str, ...]) -> int | None:
    """Tokens of the window that a name tells, also written out ("8192").

    Where the number is a power of two, its makers count in 1024 ("128k" is 131,072), else in thousands ("200k").
    """
    for token in tokens:
        if token in _WRITTEN_OUT:
            return int(token)
        if token.isalpha() or (match := _CONTEXT.fullmatch(token)) is None:
            continue
        number, binary = int(match[1]), match[2] == "k"
        if not binary and (number > 10 or not _has_another(tokens, token)):
            continue
        power = number > 0 and number & (number - 1) == 0
        tokens_told = number * ((1024 if binary else 1024**2) if power else (1000 if binary else 1000**2))
        if 0 < tokens_told <= _MOST_CONTEXT:
            return tokens_told
    return None


def _has_another(tokens: tuple[str, ...], token: str) -> bool:
    """Whether something else is the size, so that a few "m" are millions of tokens of context."""
    return any(each != token and (_SIZE.fullmatch(each) or _EXPERTS.fullmatch(each)) for each in tokens)
