"""What clouds demand of a JSON schema before they promise to follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MAX_DEPTH: Final = 64
_LISTS: Final = ("anyOf", "allOf", "oneOf", "prefixItems")
_NAMED: Final = ("properties", "$defs", "definitions")


def closed(schema: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """The schema with `additionalProperties: false` on every object that names its properties and does not say otherwise.

    Whatever follows the closed schema follows the open one too. Anthropic and OpenAI refuse open objects. Objects of
    any properties stay open, and so do the parts of an `allOf`, which would shut each other out.
    """
    made = dict(schema)
    if depth > _MAX_DEPTH:
        return made
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, Mapping):
            made[key] = {name: closed(v, depth + 1) if isinstance(v, Mapping) else v for name, v in value.items()}
        elif key in _LISTS and key != "allOf" and isinstance(value, list):
            made[key] = [closed(v, depth + 1) if isinstance(v, Mapping) else v for v in value]
        elif key == "items" and isinstance(value, Mapping):
            made[key] = closed(value, depth + 1)
    if made.get("properties") and "allOf" not in made:
        made.setdefault("additionalProperties", False)
    return made


def is_strict(schema: Mapping[str, Any], depth: int = 0) -> bool:
    """Whether every object is closed and requires all its properties, as OpenAI's strict mode demands."""
    if depth > _MAX_DEPTH:
        return False
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, Mapping):
        required = schema.get("required")
        names = set(properties) if isinstance(properties, Mapping) else set()
        if schema.get("additionalProperties") is not False or names - set(required or ()):
            return False
    below: list[object] = [schema.get("items")]
    for key in _NAMED:
        value = schema.get(key)
        below += value.values() if isinstance(value, Mapping) else []
    for key in _LISTS:
        value = schema.get(key)
        below += value if isinstance(value, list) else []
    return all(is_strict(value, depth + 1) for value in below if isinstance(value, Mapping))
