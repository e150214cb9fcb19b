"""The JSON schema of the configuration file, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any, Final

from turnout.config.validate import adapter

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema. It knows keys, types and ranges; names, conditions and bounds between values only `check` knows."""
    schema = adapter().json_schema()
    definitions = schema["$defs"]
    del definitions["Provider"]["required"]  # the name gives the kind, and the kind the address
    definitions["Effects"]["minProperties"] = 1
    for definition in (schema, *definitions.values()):
        for entry in definition.get("properties", {}).values():
            _allow_empty(entry)
    return {"$schema": _DIALECT, **schema, "title": "Turnout configuration", "$defs": definitions}


def _allow_empty(entry: dict[str, Any]) -> None:
    """A section whose lines are all commented out is nothing, which is allowed."""
    if "$ref" in entry:
        reference = entry.pop("$ref")
        entry["anyOf"] = [{"$ref": reference}, {"type": "null"}]
    elif entry.get("type") in ("object", "array"):
        entry["type"] = [entry["type"], "null"]
