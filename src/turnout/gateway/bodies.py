"""Bodies of requests: JSON objects whose fields are read one by one, each with its type and its bounds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final, TypeVar

from aiohttp import web

from turnout.gateway.refusals import FieldError, RefusedError

_Value = TypeVar("_Value")
_SHOWN_CHARS: Final = 60
MOST_NESTED: Final = 200


async def read_body(http: web.Request) -> dict[str, Any]:
    """The JSON object that a request carries.

    Raises:
        RefusedError: it carries none, or it is too large.
    """
    try:
        content = await _content(http)
    except web.HTTPRequestEntityTooLarge as error:
        most = f"{http.client_max_size / 2**20:g} MiB"
        raise RefusedError(413, "body_too_large", f"the body is larger than {most}") from error
    try:
        body = _decode(content.decode(json.detect_encoding(content), "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "invalid_json", f"the body is no JSON: {str(error)[:200]}") from None
    if not isinstance(body, dict):
        raise RefusedError(400, "invalid_json", "the body is no JSON object")
    if content.count(b"{") + content.count(b"[") > MOST_NESTED and _is_too_deep(body):
        raise RefusedError(400, "invalid_json", f"the body is nested more than {MOST_NESTED} levels deep")
    return body


async def _content(http: web.Request) -> bytes:
    payload = http.content
    if not payload.is_eof():
        return await http.read()
    content = payload.read_nowait()  # it came together with its head, as most do: nothing more is to be waited for
    if len(content) > http.client_max_size:
        raise web.HTTPRequestEntityTooLarge(http.client_max_size, len(content))
    return content


def _is_too_deep(body: dict[str, Any]) -> bool:
    """Whether there are so many levels that whatever walks through them later would run out of stack."""
    level: list[Any] = [body]
    for _ in range(MOST_NESTED):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _finite(text: str) -> float:
    """A number as it is, where one of its size can be passed on: 1e999 would go out as Infinity, which is not JSON."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is far too large")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decode: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite).decode


class Fields:
    """The fields of one JSON object. Null counts as absent. What was never asked for is `unread`.

    Every reader raises `FieldError` where a field is there and of no use.
    """

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path
        self._read: set[str] = set()

    @property
    def unread(self) -> list[str]:
        """Names of fields that are there and were not read, with the path to them."""
        return [
            self._path + name for name, value in self._values.items() if name not in self._read and value is not None
        ]

    def holds(self, names: Set[str]) -> bool:
        """Whether any of some names is there."""
        return not self._values.keys().isdisjoint(names)

    def value(self, name: str) -> Any:
        """Whatever is there, None where nothing is."""
        self._read.add(name)
        return self._values.get(name)

    def text(self, name: str, default: str = "") -> str:
        """A text."""
        value = self.value(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._wrong(name, value, "expected text")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.value(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._wrong(name, value, "expected true or false")
        return value

    def number(self, name: str, *, least: float = -math.inf, most: float = math.inf) -> float | None:
        """A finite number within bounds."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, value, "expected a number")
        try:
            number = float(value)
        except OverflowError:
            raise self._wrong(name, value, "far too large") from None
        if not (math.isfinite(number) and least <= number <= most):
            raise self._wrong(name, value, f"expected a number from {least:g} to {most:g}")
        return number

    def whole(self, name: str, *, least: int = 0, most: int = 2**53) -> int | None:
        """A whole number within bounds; 5.0 is one."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(name, value, "expected a whole number")
        if not least <= value <= most:
            raise self._wrong(name, value, f"expected a whole number from {least} to {most}")
        return value

    def texts(self, name: str, *, most: int) -> tuple[str, ...]:
        """A list of texts, or one text."""
        value = self.value(name)
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self._wrong(name, value, "expected text or a list of texts")
        if len(value) > most:
            raise self._wrong(name, value, f"expected {most} at most")
        return tuple(value)

    def one_of(self, name: str, words: Sequence[str], default: str = "") -> str:
        """One of a few words."""
        value = self.text(name, default)
        if value and value not in words:
            raise self._wrong(name, value, f"expected one of {', '.join(words)}")
        return value

    def mapping(self, name: str) -> Mapping[str, Any] | None:
        """An object."""
        value = self.value(name)
        if value is not None and not isinstance(value, dict):
            raise self._wrong(name, value, "expected an object")
        return value

    def items(self, name: str) -> list[Any] | None:
        """A list."""
        value = self.value(name)
        if value is not None and not isinstance(value, list):
            raise self._wrong(name, value, "expected a list")
        return value

    def refuse(self, name: str, why: str) -> FieldError:
        """The error that a field of this name is of no use, for a reason that only the caller knows."""
        return FieldError(self._path + name, why)

    def _wrong(self, name: str, value: object, expected: str) -> FieldError:
        shown = json.dumps(value, default=str)
        shown = shown if len(shown) <= _SHOWN_CHARS else f"{shown[:_SHOWN_CHARS]}…"
        return FieldError(self._path + name, f"{shown} is of no use; {expected}")
