"""Conditions that only compare, decided without the expression engine.

Most conditions ask whether a variable is one text, is in a list, or is above a number, joined by && and ||. Python
decides such a one in a tenth of a microsecond; the engine takes half of one, and one or two more for each text or number
that is handed to it. What this module cannot read with certainty it leaves to the engine, and so does whoever gets a
`TypeError` from what it made: an absent value was compared, and what becomes of that is the engine's to say. It says
the same for each comparison that stands alone: that fails.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NoReturn, TypeAlias

from turnout.config.expression_reader import Token, flat, tokens_of
from turnout.config.expression_variables import ALIASES, VARIABLES

Layers: TypeAlias = tuple[tuple[Any, ...], ...]
"""The values of all variables."""

Place: TypeAlias = tuple[int, int]
"""Of one variable: its layer, and where in it."""

Holds: TypeAlias = Callable[[Layers], bool]

Kind: TypeAlias = Literal["text", "number", "list", "flag", "map"]
Compare: TypeAlias = Callable[[Any, Any], bool]

_NUMBERS: Final = frozenset({"running", "waiting", "turns", "ram_free_mb", "vram_free_mb", "cpu_percent"})
_TEXTS: Final = frozenset({"breaker", "candidate"})
_EQUAL: Final[Mapping[str, Compare]] = {"==": operator.eq, "!=": operator.ne}
_ORDER: Final[Mapping[str, Compare]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EXACT: Final = 1 << 53
"""From here on the engine compares a whole number with a fraction by rounding, and Python does not."""

_END: Final = Token("end", "", 0)
_JOINED: Final = frozenset({"&&", "||"})


class _NotPlainError(Exception):
    """More than a comparison."""


def comparison_of(condition: str, places: Mapping[str, Place]) -> Holds | None:
    """What decides a condition as the engine would; None where the engine has to.

    Args:
        condition: one that the engine has accepted.
        places: of each variable, and of each path by its flat name.
    """
    reader = _Reader(tokens_of(condition), places)
    try:
        return reader.whole()
    except _NotPlainError:
        return None


def stands_alone(condition: str) -> bool:
    """Whether nothing in a condition can make up for a value that is absent: no other comparison stands beside it."""
    return not any(token.text in _JOINED and token.kind != "text" for token in tokens_of(condition))


class _Reader:
    """Reads tokens from left to right: || over &&, && over !, ! over flags and brackets."""

    def __init__(self, tokens: list[Token], places: Mapping[str, Place]) -> None:
        self._tokens = tokens
        self._places = places
        self._at = 0

    def whole(self) -> Holds:
        """The whole condition."""
        holds = self._either()
        if self._next() is not _END:
            _refuse()
        return holds

    def _either(self) -> Holds:
        first = self._both()
        if not self._took("||"):
            return first
        second = self._either()
        return lambda layers: first(layers) or second(layers)

    def _both(self) -> Holds:
        first = self._one()
        if not self._took("&&"):
            return first
        second = self._both()
        return lambda layers: first(layers) and second(layers)

    def _one(self) -> Holds:
        if self._took("!"):
            inner = self._one() if self._next().text in ("!", "(") else self._flag()
            return lambda layers: not inner(layers)
        if self._took("("):
            inner = self._either()
            self._expect(")")
            return inner
        if self._next().kind == "text":
            return self._listed()
        if self._next(1).text == "(":
            return self._called(self._take().text)
        kind, (layer, index) = self._variable()
        if kind == "flag":
            return lambda layers: layers[layer][index]
        if kind == "list":
            return self._sized((layer, index), method=True)
        if kind == "text" and self._took("in"):
            among = self._texts()
            return lambda layers: layers[layer][index] in among
        compare, literal = self._compared_with(kind)
        return lambda layers: compare(layers[layer][index], literal)

    def _flag(self) -> Holds:
        kind, (layer, index) = self._variable()
        if kind != "flag":
            _refuse()
        return lambda layers: layers[layer][index]

    def _listed(self) -> Holds:
        """'text' in list"""
        text = self._literal()
        self._expect("in")
        kind, (layer, index) = self._variable()
        if kind != "list":
            _refuse()
        return lambda layers: text in layers[layer][index]

    def _called(self, function: str) -> Holds:
        """size(list) > 0, has(header.name)"""
        self._expect("(")
        if function == "size":
            kind, place = self._variable()
            if kind == "list":
                return self._sized(place, method=False)
        if function == "has" and (self._took("header") or self._took("headers")):
            name, (layer, index) = self._member(), self._place("header")
            self._expect(")")
            return lambda layers: name in layers[layer][index]
        return _refuse()

    def _sized(self, place: Place, *, method: bool) -> Holds:
        """The rest behind a list whose length is compared."""
        self._expect(*((".", "size", "(", ")") if method else (")",)))
        layer, index = place
        compare, literal = self._compared_with("number")
        return lambda layers: compare(len(layers[layer][index]), literal)

    def _compared_with(self, kind: Kind) -> tuple[Compare, str | float]:
        """A sign, and behind it a literal of this kind."""
        sign = self._take().text
        compare = _EQUAL.get(sign) or (_ORDER.get(sign) if kind == "number" else None)
        if compare is None or self._next().kind != kind:
            _refuse()
        return compare, self._literal()

    def _texts(self) -> frozenset[str | float]:
        """['one', 'other']"""
        self._expect("[")
        found = set()
        while self._next().kind == "text":
            found.add(self._literal())
            if not self._took(","):
                break
        self._expect("]")
        return frozenset(found)

    def _literal(self) -> str | float:
        token = self._take()
        if token.kind == "text" and "\\" not in token.text:
            return token.value
        if token.kind != "number" or not token.text.replace(".", "", 1).isdecimal() or float(token.text) >= _EXACT:
            _refuse()
        return int(token.text) if token.text.isdecimal() else float(token.text)

    def _variable(self) -> tuple[Kind, Place]:
        token = self._take()
        path = [ALIASES.get(token.text, token.text)]
        if token.kind != "name" or path[0] not in VARIABLES:
            _refuse()
        while self._next().text == "[" or (self._next().text == "." and self._next(2).text != "("):
            path.append(self._member())
        return _kind(path), self._place(flat(tuple(path)) if len(path) > 1 else path[0])

    def _place(self, name: str) -> Place:
        place = self._places.get(name)
        if place is None:
            _refuse()
        return place

    def _member(self) -> str:
        """.name or ['name']"""
        if self._took("."):
            token = self._take()
            return token.text if token.kind == "name" else _refuse()
        self._expect("[")
        token = self._take()
        self._expect("]")
        return token.value if token.kind == "text" else _refuse()

    def _next(self, further: int = 0) -> Token:
        at = self._at + further
        return self._tokens[at] if at < len(self._tokens) else _END

    def _take(self) -> Token:
        self._at += 1
        return self._next(-1)

    def _took(self, word: str) -> bool:
        """Whether this word or sign comes next, which is then behind us."""
        token = self._next()
        found = token.text == word and token.kind != "text"
        self._at += found
        return found

    def _expect(self, *words: str) -> None:
        if not all(self._took(word) for word in words):
            _refuse()


def _kind(path: list[str]) -> Kind:
    """What a variable, or the field at the end of a path, is."""
    about = VARIABLES[path[0]].type
    if about != "map" or len(path) == 1:
        return about
    if path[0] == "header" or path[-1] in _TEXTS:
        return "text"
    if path[-1] in _NUMBERS:
        return "number"
    return "list" if (path[0], path[-1]) == ("provider", "loaded") else "flag"


def _refuse() -> NoReturn:
    raise _NotPlainError
