"""Whether two prompts say the same thing, whatever their similarity: the guards of the semantic cache.

Each of both has the same content words, slips of the finger aside, and the same literals in the same order. A phrase
may stand elsewhere ("in Kotlin, ..."), but no word may have taken another one's place: "from A to B" is not "from B to
A", and "4 digits and 2 letters" are not "2 digits and 4 letters".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from turnout.execution.cache.gist import Gist

_SHORTEST_SLIP: Final = 6
"""Letters. Shorter words have neighbours that are words too: trial and trail, quiet and quite."""


def agree(one: Gist, other: Gist) -> bool:
    """Whether the answer to one prompt may be given to the other."""
    if len(one.words) != len(other.words) or one.literals != other.literals:
        return False
    if one.wanted and other.wanted and one.wanted != other.wanted:
        return False
    slips = _slips(one.words, other.words)
    if slips is None:
        return False
    theirs = [slips.get(word, word) for word in other.words]
    bound = [(way, slips.get(word, word)) for way, word in other.bound]
    return not (_crossed(one.words, theirs) or _replaced(one.words, theirs) or _turned(one.bound, bound))


def is_slip(one: str, other: str) -> bool:
    """Whether one word is the other with two neighbouring letters swapped, or a letter inside left out or doubled."""
    short, long = sorted((one, other), key=len)
    if len(long) < _SHORTEST_SLIP or one[0] != other[0] or one[-1] != other[-1] or not (one + other).isalpha():
        return False
    if len(short) == len(long):
        differ = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        return len(differ) == 2 and differ[1] == differ[0] + 1 and sorted(one) == sorted(other)
    return len(long) == len(short) + 1 and any(long[:at] + long[at + 1 :] == short for at in range(1, len(short)))


def _slips(mine: Sequence[str], theirs: Sequence[str]) -> dict[str, str] | None:
    """Their words that are mine with a slip of the finger; None where another word is in one of both only."""
    if sorted(mine) == sorted(theirs):
        return {}
    rest, left = Counter(mine), Counter(theirs)
    rest, left = rest - left, left - rest
    slips: dict[str, str] = {}
    for word, count in left.items():
        same = next((known for known in rest if rest[known] == count and is_slip(known, word)), None)
        if same is None:
            return None
        slips[word] = same
        del rest[same]
    return slips


def _crossed(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether two neighbours stand in the other order."""
    here, there = set(pairwise(mine)), set(pairwise(theirs))
    return not {(second, first) for first, second in there - here}.isdisjoint(here - there)


def _replaced(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether, between the same two neighbours, each has another word."""
    places = _places(mine)
    return any(places.get(place, words) != words for place, words in _places(theirs).items())


def _places(words: Sequence[str]) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    around = ["", *words, ""]
    for before, word, behind in zip(around, words, around[2:], strict=False):
        found.setdefault((before, behind), set()).add(word)
    return found


def _turned(mine: Sequence[tuple[str, str]], theirs: Sequence[tuple[str, str]]) -> bool:
    """Whether a word that tells which way, and stands in both, points at another word."""
    here, there = _pointed_at(mine), _pointed_at(theirs)
    return any(here[way] != there[way] for way in here.keys() & there.keys())


def _pointed_at(bound: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for way, word in bound:
        found.setdefault(way, []).append(word)
    return found
