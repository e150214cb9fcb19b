"""Families about numbers: sums and differences of growing length, order, size and names."""

from __future__ import annotations

from typing import Final

from numpy.random import Generator

from turnout.lab.family import Arguments, Family, between, number

_FIRST_DIGITS: Final = (1, 2, 2, 3, 3)
_SECOND_DIGITS: Final = (1, 1, 2, 2, 3)
_COMPARED_DIGITS: Final = (2, 3, 4, 5, 6)

_UNITS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS: Final = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(value: int) -> str:
    """The name of a whole number from 0 to 999,999, without "and"."""
    if value < 20:
        return _UNITS[value]
    if value < 100:
        tens, units = divmod(value, 10)
        return _TENS[tens] + (f"-{_UNITS[units]}" if units else "")
    scale, name = (100, "hundred") if value < 1000 else (1000, "thousand")
    upper, rest = divmod(value, scale)
    return f"{in_words(upper)} {name}" + (f" {in_words(rest)}" if rest else "")


def _two(chance: Generator, difficulty: int) -> tuple[int, int]:
    place = difficulty - 1
    return number(chance, _FIRST_DIGITS[place]), number(chance, _SECOND_DIGITS[place])


def _added(chance: Generator, difficulty: int) -> Arguments:
    first, second = _two(chance, difficulty)
    return str(first), str(second)


def _subtracted(chance: Generator, difficulty: int) -> Arguments:
    """The larger one first: no answer is negative."""
    small, large = sorted(_two(chance, difficulty))
    return str(large), str(small)


def _compared(chance: Generator, difficulty: int) -> Arguments:
    """Two different numbers of one length that begin alike as often as not."""
    digits = _COMPARED_DIGITS[difficulty - 1]
    first = second = str(number(chance, digits))
    while first == second:
        shared = between(chance, 0, digits - 1)
        second = first[:shared] + str(number(chance, digits))[shared:]
    return first, second


def _listed(chance: Generator, difficulty: int) -> Arguments:
    return (" ".join(str(between(chance, 1, 99)) for _ in range(difficulty + 1)),)


def _named(chance: Generator, difficulty: int) -> Arguments:
    """Two digits, then three, then four; with few words at difficulty 2 and 4."""
    if difficulty == 2:
        return (str(100 * between(chance, 1, 9) + between(chance, 0, 12)),)
    if difficulty == 4:
        return (str(1000 * between(chance, 1, 9) + between(chance, 10, 99)),)
    return (str(number(chance, (difficulty + 3) // 2)),)


NUMBERS: Final = (
    Family(
        "add",
        ("What is {0} + {1}?", "Add {0} and {1}.", "{0} plus {1} is what?"),
        _added,
        lambda first, second: str(int(first) + int(second)),
    ),
    Family(
        "subtract",
        ("What is {0} - {1}?", "Take {1} from {0}.", "{0} minus {1} is what?"),
        _subtracted,
        lambda first, second: str(int(first) - int(second)),
    ),
    Family(
        "compare",
        ("Which is larger, {0} or {1}?", "Pick the bigger number: {0} or {1}.", "The greater of {0} and {1}?"),
        _compared,
        lambda first, second: str(max(int(first), int(second))),
    ),
    Family(
        "maximum",
        ("Largest of {0}?", "Find the maximum of {0}.", "What is the biggest number in {0}?"),
        _listed,
        lambda listed: str(max(map(int, listed.split()))),
    ),
    Family(
        "sort_numbers",
        ("Sort {0}.", "Order the numbers {0}.", "Arrange {0} from low to high."),
        _listed,
        lambda listed: " ".join(map(str, sorted(map(int, listed.split())))),
    ),
    Family(
        "number_words",
        ("Write {0} in words.", "Spell out the number {0}.", "How do you say {0}?"),
        _named,
        lambda digits: in_words(int(digits)),
    ),
)
