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
    _allow_lists_of_models(definitions)
    for definition in (schema, *definitions.values()):
        for entry in definition.get("properties", {}).values():
            _allow_empty(entry)
            if isinstance(entry.get("additionalProperties"), dict):
                _allow_empty(entry["additionalProperties"])
    return {"$schema": _DIALECT, **schema, "title": "Turnout configuration", "$defs": definitions}


def _allow_lists_of_models(definitions: dict[str, Any]) -> None:
    """The language models of a provider: names, or sections with a name, or a mapping from names."""
    settings = definitions["CandidateSettings"]
    named = {**settings, "properties": {"name": {"type": "string"}, **settings["properties"]}, "required": ["name"]}
    definitions["NamedCandidateSettings"] = {**named, "title": "NamedCandidateSettings"}
    properties = definitions["Provider"]["properties"]
    items = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/NamedCandidateSettings"}]}
    by_name = {"type": "object", "additionalProperties": properties["models"]["additionalProperties"]}
    _allow_empty(by_name["additionalProperties"])
    properties["models"] = {"title": "Models", "anyOf": [{"type": "array", "items": items}, by_name, {"type": "null"}]}


def _allow_empty(entry: dict[str, Any]) -> None:
    """A section whose lines are all commented out is nothing, which is allowed."""
    if "$ref" in entry:
        reference = entry.pop("$ref")
        entry["anyOf"] = [{"$ref": reference}, {"type": "null"}]
    elif entry.get("type") in ("object", "array"):
        entry["type"] = [entry["type"], "null"]
