"""Families about several words at once: their case and their first letters."""

from __future__ import annotations

from typing import Final

from numpy.random import Generator

from turnout.lab.family import Arguments, Family, Sizes, size, words

_COUNT: Final[Sizes] = ((1, 1), (1, 2), (2, 2), (3, 3), (4, 4))


def _words(chance: Generator, difficulty: int) -> Arguments:
    return (words(chance, size(chance, _COUNT, difficulty), 3, 4),)


def _capitals(chance: Generator, difficulty: int) -> Arguments:
    return (words(chance, size(chance, _COUNT, difficulty), 3, 4).upper(),)


def _names(chance: Generator, difficulty: int) -> Arguments:
    return (words(chance, difficulty + 1, 2, 3),)


WORDS: Final = (
    Family(
        "upper",
        ("Write {0} in capitals.", "Uppercase {0}.", "Put {0} in upper case."),
        _words,
        lambda text: str(text.upper()),
    ),
    Family(
        "lower",
        ("Write {0} in small letters.", "Lowercase {0}.", "Put {0} in lower case."),
        _capitals,
        lambda text: str(text.lower()),
    ),
    Family(
        "title",
        ("Put {0} in title case.", "Capitalize each word of {0}.", "Write {0} as a title."),
        _words,
        lambda text: str(text.title()),
    ),
    Family(
        "initials",
        ("Initials of {0}?", "First letter of each word: {0}", "Abbreviate {0} by first letters."),
        _names,
        lambda text: "".join(part[0] for part in text.split()),
    ),
)
