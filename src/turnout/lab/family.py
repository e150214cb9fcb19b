"""What a family of tasks is, and the random words and numbers that all of them draw from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from numpy.random import Generator

DIFFICULTIES: Final = (1, 2, 3, 4, 5)

VOWELS: Final = "aeiou"
CONSONANTS: Final = "bcdfghjklmnprstvwz"

Arguments: TypeAlias = tuple[str, ...]
Sizes: TypeAlias = tuple[tuple[int, int], ...]
"""The smallest and the largest size, one pair for each difficulty."""


@dataclass(frozen=True, slots=True)
class Family:
    """Tasks of one kind: the same work on other arguments, asked in several ways.

    `phrasings` hold {0}, {1} … for the arguments. `draw` makes arguments of a difficulty, `solve` their one answer.
    """

    name: str
    phrasings: tuple[str, ...]
    draw: Callable[[Generator, int], Arguments]
    solve: Callable[..., str]


def between(chance: Generator, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return int(chance.integers(low, high + 1))


def pick(chance: Generator, options: str) -> str:
    """One character of `options`."""
    return options[int(chance.integers(len(options)))]


def size(chance: Generator, sizes: Sizes, difficulty: int) -> int:
    """A size of that difficulty."""
    return between(chance, *sizes[difficulty - 1])


def word(chance: Generator, letters: int) -> str:
    """A word that can be said and means nothing: vowels and consonants in turn."""
    first = int(chance.integers(2))
    return "".join(pick(chance, (CONSONANTS, VOWELS)[(first + n) % 2]) for n in range(letters))


def words(chance: Generator, count: int, shortest: int = 2, longest: int = 4) -> str:
    """`count` words with single spaces between them."""
    return " ".join(word(chance, between(chance, shortest, longest)) for _ in range(count))


def number(chance: Generator, digits: int) -> int:
    """A whole number of that many digits, the first not 0."""
    return between(chance, 10 ** (digits - 1), 10**digits - 1)


def yes_or_no(answer: bool) -> str:
    """The answer to a closed question."""
    return "yes" if answer else "no"
