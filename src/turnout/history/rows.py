"""From a line of the journal to a row: each column's type says how a value is brought to what databases can hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from operator import itemgetter
from typing import Any, Final, TypeAlias

from sqlalchemy import BigInteger, Boolean, Table

from turnout.history.cleaning import (
    MAX_KEY_CHARS,
    clean_flag,
    clean_integer,
    clean_json,
    clean_key,
    clean_text,
    is_clean,
)
from turnout.history.layout import DECISION, LAYOUTS, RANKING, Layout, unpack_numbers
from turnout.history.tables import RECORDED, TIME_OF, Key

Row: TypeAlias = tuple[Any, ...]
"""The values of all columns, in the order of the table."""

_TABLES: Final = {table.name: table for table in RECORDED}
_TEXTS: Final = frozenset({str, type(None)})


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_decode: Final = json.JSONDecoder(parse_constant=_no_constant).decode


def read_line(line: bytes) -> tuple[Table, Row]:
    """The table and the row that a line stands for.

    Raises:
        ValueError: the line is damaged, of an unknown layout, or lacks its id or time.
    """
    try:
        text = line.decode("ascii")
        if "\0" in text:  # as a file system may leave after a loss of power
            raise ValueError("a line with NUL in it")
        name, *parts = text.split("\t")
        reader = _READERS[name]
        return reader.table, reader.row(parts, clean=is_clean(text))
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no record ({type(error).__name__})") from None


class _Reader:
    """Reads the lines of one layout. What each column needs is found out once: lines come by the thousand."""

    def __init__(self, layout: Layout) -> None:
        self.table = _TABLES[layout.table]
        self._name = layout.name
        self._texts, self._numbers, self._values = len(layout.texts), len(layout.numbers), len(layout.values)
        columns = self.table.columns
        self._keys = tuple(at for at, name in enumerate(layout.texts) if isinstance(columns[name].type, Key))
        self._typed: tuple[tuple[int, Callable[[object], Any]], ...] = tuple(
            (at, clean_integer if isinstance(columns[name].type, BigInteger) else clean_flag)
            for at, name in enumerate(layout.numbers)
            if isinstance(columns[name].type, BigInteger | Boolean)
        )
        names = (*layout.texts, *layout.numbers, *layout.values)
        self._in_order = itemgetter(*(names.index(column.name) for column in columns))
        self._id = names.index("id")
        self._time = names.index(TIME_OF[self.table].name)

    def row(self, parts: list[str], *, clean: bool) -> Row:
        """The row of a line's parts; `clean` says that no text among them needs cleaning, as most need none."""
        packed, told, *values = parts
        found = [_json(value, clean=clean) for value in values]
        return self._row(_decode(told), unpack_numbers(packed), found, clean=clean)

    def _row(self, texts: list[Any], numbers: list[float], values: list[str | None], *, clean: bool) -> Row:
        if len(texts) != self._texts or len(numbers) != self._numbers or len(values) != self._values:
            raise ValueError(f"a line that is not laid out as {self._name}")
        if not clean or not _TEXTS.issuperset(map(type, texts)):
            texts = [clean_text(text) for text in texts]
        for at in self._keys:
            if not texts[at] or len(texts[at]) > MAX_KEY_CHARS:
                texts[at] = clean_key(texts[at])
        finite: list[Any] = [number if isfinite(number) else None for number in numbers]
        for at, make in self._typed:
            finite[at] = make(finite[at])
        found = (*texts, *finite, *values)
        if found[self._id] is None or found[self._time] is None:
            raise ValueError("a record without id or time")
        row: Row = self._in_order(found)
        return row


class _DecisionReader(_Reader):
    """Decisions alone have features and a ranking, and most of what their values hold is known from others."""

    def row(self, parts: list[str], *, clean: bool) -> Row:
        packed, features, told, rules, candidates, excluded = parts
        numbers = unpack_numbers(packed)
        ranking = _ranking(candidates, numbers[self._numbers :])
        del numbers[self._numbers :]
        values = [features or None, _known(rules), ranking, _excluded(excluded)]
        return self._row(_decode(told), numbers, values, clean=clean)


def _json(text: str, *, clean: bool) -> str | None:
    """JSON as the database takes it: as it stands, if there is nothing to be cleaned."""
    try:
        _decode(text)
    except ValueError:
        clean = False
    return text if clean else clean_json(json.loads(text))


@lru_cache(maxsize=1000)
def _known(rules: str) -> str | None:
    return clean_json(json.loads(rules))


@lru_cache(maxsize=1000)
def _excluded(told: str) -> str | None:
    names = ("candidate", "reason", "rule")
    return clean_json([dict(zip(names, one, strict=True)) for one in json.loads(told)])


def _ranking(candidates: str, numbers: list[float]) -> str:
    """JSON text with seven digits for each number, as many as a float32 has."""
    if len(numbers) % len(RANKING):
        raise ValueError("a ranking whose numbers are not as many as its candidates need")
    learned = slice(RANKING.index("learned"), None, len(RANKING))
    flags = tuple(map(bool, numbers[learned]))
    del numbers[learned]
    known = tuple(map(isfinite, numbers))
    if not all(known):
        numbers = [number for number in numbers if isfinite(number)]
    return _template(candidates, flags, known) % tuple(numbers)


@lru_cache(maxsize=1000)
def _template(candidates: str, learned: tuple[bool, ...], known: tuple[bool, ...]) -> str:
    """What the numbers of a ranking are filled into. The same candidates come again and again, and printing their
    numbers in one go takes a fifth of the time that a general encoder takes."""
    places = iter(known)
    ranked = []
    for candidate, flag in zip(json.loads(candidates), learned, strict=True):
        name = json.dumps(clean_text(candidate)).replace("%", "%%")
        fields = [
            f'"{field}":{str(flag).lower()}'
            if field == "learned"
            else f'"{field}":{"%.7g" if next(places) else "null"}'
            for field in RANKING
        ]
        ranked.append(f'{{"candidate":{name},{",".join(fields)}}}')
    return f"[{','.join(ranked)}]"


_READERS: Final = {
    name: (_DecisionReader if layout is DECISION else _Reader)(layout) for name, layout in LAYOUTS.items()
}
