"""Families a programmer knows: matching brackets, what a tiny program prints, CSV as JSON."""

from __future__ import annotations

from typing import Final

from numpy.random import Generator

from turnout.lab.family import Arguments, Family, Sizes, between, pick, size, word, yes_or_no

_PAIRS: Final = {"(": ")", "[": "]", "{": "}"}
_BRACKETS: Final = "()[]{}"
_BRACKET_PAIRS: Final[Sizes] = ((2, 2), (3, 3), (4, 4), (5, 5), (6, 6))
_LARGEST: Final = 99


def _nested(chance: Generator, pairs: int) -> str:
    if not pairs:
        return ""
    inside = between(chance, 0, pairs - 1)
    opening = pick(chance, "([{")
    return opening + _nested(chance, inside) + _PAIRS[opening] + _nested(chance, pairs - 1 - inside)


def _brackets(chance: Generator, difficulty: int) -> Arguments:
    """Balanced ones, or half the time with one bracket changed: the nearest miss."""
    text = _nested(chance, size(chance, _BRACKET_PAIRS, difficulty))
    if chance.random() < 0.5:
        where = between(chance, 0, len(text) - 1)
        text = text[:where] + pick(chance, _BRACKETS.replace(text[where], "")) + text[where + 1 :]
    return (text,)


def balanced(text: str) -> bool:
    """Whether every bracket is closed by its own kind, in the right order."""
    awaited: list[str] = []
    for character in text:
        if character in _PAIRS:
            awaited.append(_PAIRS[character])
        elif not awaited or awaited.pop() != character:
            return False
    return not awaited


def _program(chance: Generator, difficulty: int) -> Arguments:
    """One variable, a change for each step of difficulty, its value always from 0 to 99."""
    value = between(chance, 1, 20)
    lines = [f"x={value}"]
    while len(lines) <= difficulty:
        sign, by = pick(chance, "++-*"), between(chance, 1, 9)
        if sign == "*":
            by = between(chance, 2, 3)
        after = {"+": value + by, "-": value - by, "*": value * by}[sign]
        if 0 <= after <= _LARGEST:
            value = after
            lines.append(f"x{sign}={by}")
    return (";".join(lines),)


def _printed(program: str) -> str:
    first, *changes = program.split(";")
    value = int(first[2:])
    for change in changes:
        sign, by = change[1], int(change[3:])
        value = {"+": value + by, "-": value - by, "*": value * by}[sign]
    return str(value)


def _table(chance: Generator, difficulty: int) -> Arguments:
    """A heading and one row; no column occurs twice."""
    names: list[str] = []
    while len(names) < (1, 1, 2, 3, 4)[difficulty - 1]:
        if (name := word(chance, between(chance, 2, 3 if difficulty == 1 else 4))) not in names:
            names.append(name)
    return ",".join(names), ",".join(str(between(chance, 0, 99)) for _ in names)


def _object(heading: str, row: str) -> str:
    fields = zip(heading.split(","), row.split(","), strict=True)
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}"


CODE: Final = (
    Family(
        "brackets",
        ("Are the brackets {0} balanced?", "Does every bracket close in {0}?", "Balanced or not: {0}?"),
        _brackets,
        lambda text: yes_or_no(balanced(text)),
    ),
    Family(
        "program",
        ("What is x after {0}?", "Run {0} and tell x.", "Value of x: {0}"),
        _program,
        _printed,
    ),
    Family(
        "csv_json",
        ("CSV to JSON:\n{0}\n{1}", "Turn this CSV into JSON:\n{0}\n{1}", "As a JSON object:\n{0}\n{1}"),
        _table,
        _object,
    ),
)
