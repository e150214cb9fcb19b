"""Signs of trouble in the flow of a text: it runs in a loop, hands the prompt back, or stops in the middle."""

from __future__ import annotations

import re
from typing import Final

TAIL_CHARS: Final = 3_000
MIN_LOOP_CHARS: Final = 200
"""A loop is at least this long and goes round `MIN_ROUNDS` times. Tables, lists and rulers of good answers stay below."""

MIN_ROUNDS: Final = 4
_PROBE_CHARS: Final = 24

ECHO_CHARS: Final = 2_000
MIN_ECHO_CHARS: Final = 20

_ASKS_FOR_REPETITION: Final = re.compile(
    r"\brepeat|\btimes\b|\brows?\b|\blines?\b|\bcopies\b|wiederhol|\bmal\b|\bfois\b|répèt|\bveces\b|repit|\bvolte\b|ripet|\bvezes\b|razy|powt"
    r"|\bkeer\b|herhaal|\bkez\b|tekrar|回|遍|次|重复|繰り返"
)
_OPEN_MARKS: Final = (",", "(", "[", "{", ":", "–", "—")
_OPEN_WORDS: Final = frozenset("the a an and or of und oder der die das et ou le la les des el los las il di".split())
_BEFORE_OPEN_WORDS: Final = frozenset("abcdefghijklmnopqrstuvwxyz)")
MIN_UNFINISHED_CHARS: Final = 80
"""Shorter ones fill gaps and complete lines; they may end in anything."""


def loops(text: str, asked: str = "") -> bool:
    """Whether a text ends in the same words or signs again and again.

    Args:
        text: the answer; its tail is read.
        asked: the prompt's `instruction`: who asks for repetition gets it.
    """
    tail = text[-TAIL_CHARS:].rstrip()
    if len(tail) < MIN_LOOP_CHARS:
        return False
    # If the tail repeats with some period, its last characters stood there one period before, and nowhere after that.
    # A period too long for enough rounds is not looked for.
    longest = len(tail) // MIN_ROUNDS
    before = tail.rfind(tail[-_PROBE_CHARS:], len(tail) - _PROBE_CHARS - longest, len(tail) - 1)
    if before < 0:
        return False
    period = len(tail) - _PROBE_CHARS - before
    same = _same_end(tail[:-period], tail)
    if same + period < max(MIN_LOOP_CHARS, MIN_ROUNDS * period):
        return False
    unit = tail[-period:].strip().lower()
    asked_for = unit[:_PROBE_CHARS] in asked or not any(map(str.isalpha, unit))
    return not (asked_for and _ASKS_FOR_REPETITION.search(asked) is not None)


def echoes(text: str, prompt: str) -> bool:
    """Whether an answer is the beginning of the prompt, or the prompt with hardly anything after it."""
    start = prompt[:ECHO_CHARS].strip()
    if len(start) < MIN_ECHO_CHARS or text[:ECHO_CHARS].lstrip()[:3].lower() != start[:3].lower():
        return False
    given, asked = " ".join(text[: 2 * ECHO_CHARS].split()).lower(), " ".join(start.split()).lower()
    same = len(asked) if given.startswith(asked) else len(given) if asked.startswith(given) else 0
    return same >= 0.8 * len(asked) and len(given) - same < max(MIN_ECHO_CHARS, 0.1 * len(asked))


def unfinished(text: str) -> bool:
    """Whether prose stops at a comma, an open bracket, a colon, or a word that something must follow."""
    if len(text) < MIN_UNFINISHED_CHARS:
        return False
    end = text[-40:].rstrip()
    before, _, word = end.rpartition(" ")
    if word in _OPEN_WORDS:
        return before[-1:] in _BEFORE_OPEN_WORDS
    return end.endswith(_OPEN_MARKS) or (end.endswith("-") and end[-2:-1].isspace())


def _same_end(one: str, other: str) -> int:
    """How many characters two texts have in common at their ends."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[-middle:] == other[-middle:]:
            low = middle
        else:
            high = middle - 1
    return low
