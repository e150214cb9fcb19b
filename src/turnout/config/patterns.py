"""The user's own patterns, made safe to run: nothing can interrupt Python's `re`, so what could take long is refused.

A pattern may take at most `MAX_STEPS` from each place of a text, and its repetitions are bounded: `*` and `+` stand for
at most `MOST` times. The count is of the worst case and follows the parsed pattern: what comes after a repetition is
tried again for each length of it, except where it can begin with nothing that is repeated, for then one length alone
goes on. So `[A-Z]+-[0-9]+` takes 402 steps, `.*.*x` thirty thousand. Back-references are refused.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final, TypeAlias

from turnout.errors import ConfigurationError

MAX_CHARACTERS: Final = 500
MAX_STEPS: Final = 1_500
"""Of a few nanoseconds each: a pattern that needs all of them takes a second on 200,000 hostile characters."""

MOST: Final = 100
_TOO_MANY: Final = 10**9

Node: TypeAlias = tuple[Any, Any]

# CPython keeps its parser of patterns under this name since 3.11; its tree is what `re` itself compiles.
_parser: Final[Any] = import_module("re._parser")

_QUANTIFIER: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[^):]*|\{\d+,\}|[*+]", re.DOTALL)
_SINGLE: Final = ("LITERAL", "NOT_LITERAL", "ANY", "IN")
_WORD, _SPACE, _REST = 256, 257, 258
_OTHERS: Final = frozenset((_WORD, _SPACE, _REST))
_ANYTHING: Final = frozenset(range(_REST + 1))
"""Characters as code points up to 255, and all beyond as letters and digits, blanks, and the rest."""


def bounded_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern whose repetitions are bounded and that cannot take long.

    Raises:
        ConfigurationError: it is no regular expression, matches the empty text, or could take long.
    """
    if not pattern or len(pattern) > MAX_CHARACTERS:
        raise ConfigurationError(f"a pattern has 1 to {MAX_CHARACTERS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bounded = _with_bounds(pattern)
            compiled = re.compile(bounded)
            tree = _parser.parse(bounded)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ConfigurationError(f"no regular expression: {error}") from None
    if compiled.search("") is not None:
        raise ConfigurationError("it matches the empty text, and so every text")
    _, steps = _sequence(list(tree), bool(compiled.flags & re.IGNORECASE), last=True)
    if steps > MAX_STEPS:
        raise ConfigurationError(
            f"it could take long: {'a million or more' if steps > 1e6 else steps} steps from each place of a text, "
            f"at most {MAX_STEPS} are allowed; bound its repetitions, as in {{1,20}}, and do not nest them"
        )
    return compiled


def _with_bounds(pattern: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        text = found[0]
        if text in "*+":
            # The sign behind a quantifier makes it possessive and repeats nothing.
            before = pattern[: found.start()]
            if (
                text == "+"
                and before.endswith(("*", "+", "?", "}"))
                and not before.endswith(("\\*", "\\+", "\\?", "\\}"))
            ):
                return text
            return f"{{{int(text == '+')},{MOST}}}"
        if text[0] == "{":
            raise ConfigurationError(f"write {text[:-1]}{MOST}}} instead of {text}: a repetition needs a bound")
        return text

    return _QUANTIFIER.sub(replaced, pattern)


def _sequence(nodes: Sequence[Node], fold: bool, *, last: bool) -> tuple[int, int]:
    """In how many ways a sequence can match at one place, and the steps to try them all.

    `last`: nothing after it can fail, so that nothing in it is tried again.
    """
    ways, steps = 1, 0
    for index, (kind, value) in enumerate(nodes):
        rest = nodes[index + 1 :]
        more_ways, more_steps = _one(str(kind), value, rest, fold, last=last and not rest)
        steps = min(steps + ways * more_steps, _TOO_MANY)
        ways = min(ways * more_ways, _TOO_MANY)
    return ways, steps


def _one(kind: str, value: Any, rest: Sequence[Node], fold: bool, *, last: bool) -> tuple[int, int]:
    if kind in _SINGLE or kind == "AT":
        return 1, 1
    if kind == "SUBPATTERN":
        return _sequence(list(value[3]), fold or bool(value[1] & re.IGNORECASE), last=last)
    if kind == "ATOMIC_GROUP":
        return 1, _sequence(list(value), fold, last=False)[1]
    if kind in ("ASSERT", "ASSERT_NOT"):
        return 1, _sequence(list(value[1]), fold, last=False)[1]
    if kind == "BRANCH":
        branches = [_sequence(list(branch), fold, last=last) for branch in value[1]]
        apart = _disjoint([_first(list(branch), fold) for branch in value[1]])
        return (max if apart else sum)(ways for ways, _ in branches), 1 + sum(steps for _, steps in branches)
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _repeat(kind, value, rest, fold, last=last)
    raise ConfigurationError(f"{kind.lower().replace('_', ' ')} cannot stand in a pattern: it could take long")


def _repeat(kind: str, value: Any, rest: Sequence[Node], fold: bool, *, last: bool) -> tuple[int, int]:
    least, most, body = int(value[0]), int(value[1]), list(value[2])
    lengths = most - least + 1
    if len(body) == 1 and str(body[0][0]) in _SINGLE:
        certain = (last and kind == "MAX_REPEAT") or _disjoint([_first(body, fold), _first(rest, fold)])
        return (1 if certain or kind == "POSSESSIVE_REPEAT" else lengths), most + lengths
    ways, steps = _sequence(body, fold, last=False)
    if ways > 1:
        ways = _TOO_MANY if most * math.log(ways) > math.log(_TOO_MANY) else ways**most
    return min(ways * lengths, _TOO_MANY), min(ways * steps * max(most, 1), _TOO_MANY)


def _disjoint(sets: Sequence[frozenset[int]]) -> bool:
    return sum(map(len, sets)) == len(frozenset[int]().union(*sets))


def _first(nodes: Sequence[Node], fold: bool) -> frozenset[int]:
    """Characters that a sequence can begin with; all where it can be empty, for then nobody knows what follows."""
    found: frozenset[int] = frozenset()
    for kind, value in nodes:
        name = str(kind)
        if name in ("AT", "ASSERT", "ASSERT_NOT"):
            continue
        if name in _SINGLE:
            return found | _characters(name, value, fold)
        if name == "SUBPATTERN":
            first = _first(list(value[3]), fold or bool(value[1] & re.IGNORECASE))
        elif name == "BRANCH":
            first = frozenset[int]().union(*(_first(list(branch), fold) for branch in value[1]))
        elif name.endswith("_REPEAT"):
            first = _first(list(value[2]), fold)
            if int(value[0]) == 0 and first != _ANYTHING:
                found |= first
                continue
        else:
            return _ANYTHING
        return found | first
    return _ANYTHING


def _characters(kind: str, value: Any, fold: bool) -> frozenset[int]:
    if kind == "ANY":
        return _ANYTHING
    if kind == "IN":
        negated = bool(value) and str(value[0][0]) == "NEGATE"
        members = frozenset[int]().union(*(_member(str(name), entry, fold) for name, entry in value[negated:]))
        # A class may hold some of the characters beyond 255 and lack others, so its opposite may have any of them.
        return _ANYTHING - members | _OTHERS if negated else members
    one = _member("LITERAL", value, fold)
    return _ANYTHING - one | _OTHERS if kind == "NOT_LITERAL" else one


def _member(kind: str, value: Any, fold: bool) -> frozenset[int]:
    if kind == "CATEGORY":
        return _category(str(value))
    low, high = value if kind == "RANGE" else (value, value)
    if high > 255 and low != high:
        return frozenset(range(low, 256)) | _OTHERS
    if not fold:
        return frozenset(map(_place, range(low, high + 1)))
    # Some letters beyond 255 are the same as k and s without case.
    return frozenset(_place(ord(each)) for code in range(low, high + 1) for each in _cases(chr(code))) | {_WORD}


def _cases(letter: str) -> str:
    return letter + letter.lower() + letter.upper()


def _place(code: int) -> int:
    if code <= 255:
        return code
    letter = chr(code)
    return _WORD if letter.isalnum() else _SPACE if letter.isspace() else _REST


@cache
def _category(name: str) -> frozenset[int]:
    sign = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.rsplit("_", 1)[1]]
    beyond = {"d": {_WORD}, "w": {_WORD}, "s": {_SPACE}}[sign]
    if "_NOT_" in name:
        sign, beyond = sign.upper(), set(_OTHERS) if sign == "d" else set(_OTHERS) - beyond
    pattern = re.compile(rf"\{sign}")
    return frozenset(code for code in range(256) if pattern.match(chr(code))) | beyond
