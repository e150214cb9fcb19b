"""Validating a value against a caller's JSON schema, whatever that schema is: nothing is fetched, nothing runs long.

The library `jsonschema` does the work, each of its keywords behind a watch: a limit of processor time, patterns that
cannot take long (`config.patterns`) on texts short enough for that, no address outside the schema. What cannot be
checked within that is unknown, never wrong.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from turnout.config.patterns import MOST, bounded_pattern
from turnout.errors import ConfigurationError

MAX_CPU_S: Final = 0.006
"""Of this thread for one value; 600 keywords are checked in it. Time spent waiting for a processor does not count."""

MAX_NODES: Final = 3_000
MAX_DEPTH: Final = 60
MAX_CHARS: Final = 50_000
"""Of a schema and of a value, its texts together."""

_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys(("required", "enum", "allOf", "anyOf", "oneOf", "prefixItems"), (list,)),
    **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"), (dict,)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), (int, float)),
}
"""What a keyword has to hold to mean anything; the library would take a text for a list of letters."""

_REFERENCES: Final = frozenset(("$ref", "$dynamicRef", "$recursiveRef"))


class _UncheckableError(Exception):
    """The schema or the value is beyond what is checked."""


class _Watch(threading.local):
    until_s: float = 0.0


_WATCH: Final = _Watch()


def conforms(value: Any, schema: Mapping[str, Any], cpu_s: float = MAX_CPU_S) -> bool | None:
    """Whether a value read from JSON is valid under a schema; None where that cannot be told. Never raises.

    Takes 20 to 200 microseconds for an answer of ten to twenty values, at most about 8 milliseconds; the first call in a
    process loads the library, 70 milliseconds (see `warm`).

    Args:
        value: as `json.loads` gives it.
        schema: of any draft; its formats are not checked.
        cpu_s: how much processor time may be spent.
    """
    try:
        _measure(value)
        _measure(schema)
        validator = _validator(json.dumps(schema, default=_plain))
        _WATCH.until_s = time.thread_time() + cpu_s
        return bool(validator.is_valid(value))
    except Exception:  # a hostile schema makes the library fail in any way
        return None


def warm() -> None:
    """Load the library now, so that the first answer that needs it does not wait for it."""
    _validator('{"type": "object"}')


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise _UncheckableError


def _measure(value: Any) -> None:
    """Refuse what is larger or deeper than is checked, without recursion."""
    ahead: list[tuple[Any, int]] = [(value, 0)]
    nodes = characters = 0
    while ahead:
        node, depth = ahead.pop()
        nodes += 1
        if isinstance(node, str):
            characters += len(node)
        elif isinstance(node, Mapping):
            nodes += len(node)
            if nodes <= MAX_NODES:
                characters += sum(len(key) for key in node)
                ahead += [(entry, depth + 1) for entry in node.values()]
        elif isinstance(node, list | tuple):
            nodes += len(node)
            if nodes <= MAX_NODES:
                ahead += [(entry, depth + 1) for entry in node]
        if nodes > MAX_NODES or characters > MAX_CHARS or depth > MAX_DEPTH:
            raise _UncheckableError


@lru_cache(maxsize=128)
def _validator(text: str) -> Any:
    """The validator of a schema; a schema that cannot be checked raises, at each call anew."""
    from jsonschema.validators import validator_for
    from referencing import Registry

    schema = json.loads(text)
    dialect = validator_for(schema)
    if isinstance(schema, dict):
        schema.pop("$schema", None)  # a validator that meets this word goes on with the library's own, unwatched class
    _inspect(schema)
    registry: Registry[Any] = Registry()  # an empty one: what is not in the schema cannot be resolved
    return _watched(dialect)(schema, registry=registry)


def _inspect(schema: Any) -> None:
    """Refuse addresses outside the schema, patterns that could take long, and keywords of the wrong type."""
    ahead = [schema]
    while ahead:
        node = ahead.pop()
        if isinstance(node, list):
            ahead += node
        if not isinstance(node, dict):
            continue
        ahead += node.values()
        if "$schema" in node or any(str(node.get(word, "#"))[:1] not in "#{" for word in _REFERENCES):
            raise _UncheckableError
        if isinstance(node.get("pattern"), str):
            _refuse_slow((node["pattern"],))
        if isinstance(node.get("patternProperties"), dict):
            _refuse_slow(node["patternProperties"])


def _refuse_slow(patterns: Iterable[str]) -> None:
    for pattern in patterns:
        try:
            bounded_pattern(pattern)
        except ConfigurationError as error:
            raise _UncheckableError from error


@lru_cache(maxsize=8)
def _watched(dialect: Any) -> Any:
    """The validator class of a dialect with every keyword watched."""
    from jsonschema.validators import extend

    keywords = {name: _watching(name, keyword) for name, keyword in dialect.VALIDATORS.items()}
    keywords["uniqueItems"] = _unique_items
    keywords["pattern"] = _on_short_texts(keywords["pattern"])
    for name in ("patternProperties", "additionalProperties", "unevaluatedProperties"):
        if name in keywords:
            keywords[name] = _on_short_names(keywords[name])
    watched: Any = extend(dialect, keywords)
    evolve = watched.evolve

    def evolve_in_time(self: Any, **changes: Any) -> Any:
        _tick()
        return evolve(self, **changes)

    watched.evolve = evolve_in_time
    return watched


Keyword = Callable[[Any, Any, Any, Any], "Iterable[Any] | None"]


def _tick() -> None:
    if time.thread_time() > _WATCH.until_s:
        raise _UncheckableError


def _watching(name: str, keyword: Keyword) -> Keyword:
    kinds = _KINDS.get(name)

    def watched(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[Any] | None:
        _tick()
        if kinds is not None and not isinstance(value, kinds):
            raise _UncheckableError
        return keyword(validator, value, instance, schema)

    return watched


def _on_short_texts(keyword: Keyword) -> Keyword:
    """A pattern was judged by its work on so many characters; within them, unbounded repetitions cost no more."""

    def bounded(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[Any] | None:
        if isinstance(instance, str) and len(instance) > MOST:
            raise _UncheckableError
        return keyword(validator, value, instance, schema)

    return bounded


def _on_short_names(keyword: Keyword) -> Keyword:
    def bounded(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[Any] | None:
        if "patternProperties" in schema and isinstance(instance, dict) and any(len(name) > MOST for name in instance):
            raise _UncheckableError
        return keyword(validator, value, instance, schema)

    return bounded


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[Any]:  # noqa: ARG001
    """The library compares each pair of objects; their text does as well in one pass."""
    from jsonschema.exceptions import ValidationError

    _tick()
    if unique and isinstance(instance, list):
        seen = {json.dumps(entry, sort_keys=True) for entry in instance}
        if len(seen) < len(instance):
            yield ValidationError("has items that are not unique")
