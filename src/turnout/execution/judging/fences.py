"""Finding fenced code in an answer. Only fences are looked for, so that long prose costs next to nothing."""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_FENCES: Final = 40
"""Fence lines that are looked for, and a quarter of the marks of fences that are looked at on the way."""

_MARKS: Final = ("```", "~~~")
_INDENT: Final = 12
"""A fence in a list of lists is indented by as much; CommonMark allows 3 and counts from the list."""


class Fence(NamedTuple):
    """One piece of fenced code: its label in lower case (python, c++), its code, and whether its end is there."""

    label: str
    code: str
    closed: bool
    start: int
    end: int


def find_fences(text: str) -> list[Fence]:
    """The outermost fences of a text in their order, as CommonMark pairs them; the last may be open."""
    found: list[Fence] = []
    opened: tuple[str, int, str, int, int] | None = None  # mark, its length, label, start of the fence, of the code
    for start, end, mark, count, info in _fence_lines(text):
        if opened is None:
            if "`" not in info:
                opened = (mark, count, _label(info), start, end)
        elif mark == opened[0] and count >= opened[1] and not info:
            found.append(Fence(opened[2], text[opened[4] : start], True, opened[3], end))
            opened = None
    if opened is not None:
        found.append(Fence(opened[2], text[opened[4] :], False, opened[3], len(text)))
    return found


def outside(text: str, fences: list[Fence]) -> str:
    """The text without its fences."""
    if not fences:
        return text
    parts, place = [], 0
    for fence in fences:
        parts.append(text[place : fence.start])
        place = fence.end
    parts.append(text[place:])
    return "".join(parts)


def _fence_lines(text: str) -> list[tuple[int, int, str, int, str]]:
    """Start and end of each line that begins with a fence, the mark, how often it stands there, and what follows."""
    lines: list[tuple[int, int, str, int, str]] = []
    for mark in _MARKS:
        # One sign is found several times as fast as three, and most prose holds none.
        place = text.find(mark) if mark[0] in text else -1
        for _ in range(4 * MAX_FENCES):
            if place < 0 or len(lines) >= MAX_FENCES:
                break
            start = text.rfind("\n", 0, place) + 1
            stop = text.find("\n", place)
            stop = len(text) if stop < 0 else stop
            if place - start <= _INDENT and not text[start:place].strip(" \t>"):
                rest = text[place : min(stop, place + 200)]
                bare = rest.lstrip(mark[0])
                lines.append((start, min(stop + 1, len(text)), mark, len(rest) - len(bare), bare.strip()))
            place = text.find(mark, stop)
    return sorted(lines)


def _label(info: str) -> str:
    """The language that a fence names: the first word, without the braces of R Markdown or a file's path."""
    word = info.split(None, 1)[0] if info else ""
    return word.strip("{}.").partition(",")[0].partition(":")[0].lower()
