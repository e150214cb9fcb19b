"""The user's own patterns, made safe to run: nothing can interrupt Python's `re`, so what could take long is refused.

A pattern may try at most `MAX_PATHS` ways from each place of a text, and its repetitions are bounded: `*` and `+` stand
for at most `MOST` times. The count is of the worst case and follows the parsed pattern: alternatives add up, repetitions
multiply. A repetition counts once where what follows it can begin with nothing that it repeats, for then there is no
second way: `[A-Z]+-[0-9]+` is one way, `.*.*x` forty thousand. Back-references and nested repetitions are refused.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final

from turnout.errors import ConfigurationError

MAX_CHARACTERS: Final = 500
MAX_PATHS: Final = 400
MOST: Final = 200

# CPython keeps its parser of patterns under this name since 3.11; its tree is what `re` itself compiles.
_parser: Final[Any] = import_module("re._parser")

_QUANTIFIER: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[^):]*|\{\d+,\}|[*+]", re.DOTALL)
_OTHER: Final = 256
_ANYTHING: Final = frozenset(range(_OTHER + 1))
"""Characters as code points up to 255 and `_OTHER` for all the rest."""


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
    paths = _paths(list(tree), bool(compiled.flags & re.IGNORECASE), last=True)
    if paths > MAX_PATHS:
        raise ConfigurationError(
            f"it could take long: up to {'a million or more' if paths > 1e6 else paths} ways to try from each place, "
            f"at most {MAX_PATHS} are allowed; bound its repetitions, as in {{1,20}}, and do not nest them"
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


def _paths(nodes: Sequence[tuple[Any, Any]], fold: bool, *, last: bool) -> int:
    """In how many ways a sequence can be tried at one place. `last`: nothing after it can fail."""
    paths = 1
    for index, (kind, value) in enumerate(nodes):
        rest = nodes[index + 1 :]
        paths *= _paths_of(str(kind), value, rest, fold, last=last and not rest)
        if paths > 10**9:
            return paths
    return paths


def _paths_of(kind: str, value: Any, rest: Sequence[tuple[Any, Any]], fold: bool, *, last: bool) -> int:
    if kind in ("LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "CATEGORY"):
        return 1
    if kind == "SUBPATTERN":
        return _paths(list(value[3]), fold or bool(value[1] & re.IGNORECASE), last=last)
    if kind == "ATOMIC_GROUP":
        return _paths(list(value), fold, last=False)
    if kind in ("ASSERT", "ASSERT_NOT"):
        return _paths(list(value[1]), fold, last=False)
    if kind == "BRANCH":
        ways = [_paths(list(branch), fold, last=last) for branch in value[1]]
        return max(ways) if _disjoint([_first(list(branch), fold) for branch in value[1]]) else sum(ways)
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, body = value
        inner = _paths(list(body), fold, last=False) ** int(most) if len(body) else 1
        one = len(body) == 1 and str(body[0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN")
        fixed = int(most) == int(least) or (kind == "POSSESSIVE_REPEAT" and one)
        certain = (
            fixed
            or (last and kind == "MAX_REPEAT" and one)
            or _disjoint([_first(list(body), fold), _first(rest, fold)])
        )
        return inner if certain and one else inner * (1 if fixed else int(most) - int(least) + 1)
    raise ConfigurationError(f"{kind.lower().replace('_', ' ')} cannot stand in a pattern: it could take long")


def _disjoint(sets: Sequence[frozenset[int]]) -> bool:
    return sum(map(len, sets)) == len(frozenset[int]().union(*sets))


def _first(nodes: Sequence[tuple[Any, Any]], fold: bool) -> frozenset[int]:
    """Characters that a sequence can begin with; all where it can be empty, for then nobody knows what follows."""
    found: frozenset[int] = frozenset()
    for kind, value in nodes:
        name = str(kind)
        if name in ("AT", "ASSERT", "ASSERT_NOT"):
            continue
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
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
        # A class may hold some of the characters beyond 255 and lack others, so both it and its opposite have `_OTHER`.
        return _ANYTHING - members | {_OTHER} if negated else members
    one = _member("LITERAL", value, fold)
    return _ANYTHING - one | {_OTHER} if kind == "NOT_LITERAL" else one


def _member(kind: str, value: Any, fold: bool) -> frozenset[int]:
    if kind == "CATEGORY":
        return _category(str(value))
    low, high = value if kind == "RANGE" else (value, value)
    codes = set(range(low, min(high, _OTHER - 1) + 1)) | ({_OTHER} if high >= _OTHER else set())
    if fold:
        for code in tuple(codes - {_OTHER}):
            codes |= {min(ord(letter), _OTHER) for both in (chr(code).lower(), chr(code).upper()) for letter in both}
        codes.add(_OTHER)  # some letters beyond 255 are the same as k and s without case
    return frozenset(codes)


@cache
def _category(name: str) -> frozenset[int]:
    sign = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.rsplit("_", 1)[1]]
    pattern = re.compile(rf"\{sign.upper() if '_NOT_' in name else sign}")
    return frozenset(code for code in range(_OTHER) if pattern.match(chr(code))) | {_OTHER}
