"""Dates in names: "2024-07-18", "20240620", "08-2024", "2407", "0613", "05-06", "May"; the year of the short ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

FIRST_YEAR: Final = 2018
LAST_YEAR: Final = 2035

_YEAR: Final = r"20[1-3][0-9]"
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_DAY: Final = r"(?:0[1-9]|[12][0-9]|3[01])"
_DATE: Final = re.compile(
    r"(?<![0-9a-z.])(?:"
    rf"(?P<y>{_YEAR})(?P<m>{_MONTH}){_DAY}"
    rf"|(?P<y1>{_YEAR})[-._](?P<m1>{_MONTH})(?:[-._]{_DAY})?"
    rf"|(?P<m2>{_MONTH})[-_](?P<y2>{_YEAR})"
    rf"|(?P<y3>2[2-9])(?P<m3>{_MONTH})"
    rf"|(?P<m4>{_MONTH}){_DAY}"
    rf"|(?P<m5>{_MONTH})-{_DAY}"
    r")(?![0-9a-z.])"
)
_WORDS: Final = {
    word: number
    for number, names in enumerate(
        "jan january|feb february|mar march|apr april|may|jun june|jul july|aug august|sep september|oct october|"
        "nov november|dec december".split("|"),
        start=1,
    )
    for word in names.split()
}
_WORD: Final = re.compile(rf"(?<![0-9a-z])(?:{'|'.join(_WORDS)})(?![0-9a-z])")


@dataclass(frozen=True, slots=True)
class Month:
    """A month of a year; the year is None where only the month was written."""

    year: int | None
    month: int

    @property
    def text(self) -> str:
        """As in "2024-07"."""
        return f"{self.year}-{self.month:02}"

    @property
    def fraction(self) -> float | None:
        """July 2024 is 2024.5; None without a year."""
        return None if self.year is None else round(self.year + (self.month - 1) / 12, 4)

    def not_before(self, first: Month | None) -> Month | None:
        """With the year that a short date leaves out: a version comes within a year of the first one."""
        if self.year is not None:
            return self
        if first is None or first.year is None:
            return None
        return Month(first.year + (self.month < first.month), self.month)


def month(text: str) -> Month:
    """The month that a table writes as "2024-07"."""
    year, _, number = text.partition("-")
    return Month(int(year), int(number))


def found_in(text: str) -> tuple[Month | None, str]:
    """The date that a lower-case name tells, and the name without it."""
    match = _DATE.search(text)
    if match is None:
        match = _WORD.search(text)
        if match is None:
            return None, text
        found = Month(None, _WORDS[match.group()])
    else:
        told = {key[0]: int(value) for key, value in match.groupdict().items() if value}
        year = told.get("y")
        found = Month(year if year is None or year > 100 else 2000 + year, told["m"])
        if found.year is not None and not FIRST_YEAR <= found.year <= LAST_YEAR:
            return None, text
    return found, f"{text[: match.start()]} {text[match.end() :]}"
