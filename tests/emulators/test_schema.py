"""Instances of JSON schemas, checked by an independent validator."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from turnout.emulators.schema import conforming

NODE: dict[str, Any] = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name", "next", "children"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "object": {
        "type": "object",
        "properties": {"title": {"type": "string"}, "answer": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["title", "answer"],
        "additionalProperties": False,
    },
    "enum": {"type": "object", "properties": {"kind": {"enum": ["a", "b", None]}, "version": {"const": 3}}},
    "numbers": {
        "type": "object",
        "properties": {
            "port": {"type": "integer", "minimum": 1024, "maximum": 1030},
            "share": {"type": "number", "minimum": 0, "maximum": 1},
            "below": {"type": "number", "exclusiveMaximum": 3, "exclusiveMinimum": 0},
            "even": {"type": "integer", "multipleOf": 2, "minimum": 3},
            "cold": {"type": "integer", "maximum": -40},
            "on": {"type": "boolean"},
            "nothing": {"type": "null"},
        },
        "required": ["port", "share", "below", "even", "cold", "on", "nothing"],
    },
    "strings": {
        "type": "object",
        "properties": {
            "day": {"type": "string", "format": "date"},
            "code": {"type": "string", "minLength": 30},
            "short": {"type": "string", "maxLength": 3},
            "maybe": {"type": ["null", "string"]},
        },
        "required": ["day", "code", "short", "maybe"],
    },
    "arrays": {
        "type": "array",
        "minItems": 3,
        "maxItems": 4,
        "items": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    },
    "pair": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "items": False},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
        ]
    },
    "recursive": NODE,
    "undescribed": {"type": "object", "required": ["x"]},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_instance_conforms_to_its_schema(name: str) -> None:
    for seed in range(5):
        jsonschema.validate(conforming(SCHEMAS[name], "amber-otter-417", seed), SCHEMAS[name])


def test_the_code_word_stands_in_the_answer() -> None:
    assert conforming(SCHEMAS["object"], "amber-otter-417")["answer"] == "amber-otter-417"


def test_without_an_answer_the_first_free_text_holds_the_code_word() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}, "t": {"type": "string"}}}
    assert conforming(schema, "amber-otter-417") == {"day": "2026-03-14", "t": "amber-otter-417"}


def test_any_object_is_one_with_an_answer() -> None:
    assert conforming({"type": "object"}, "amber-otter-417") == {"answer": "amber-otter-417"}


def test_a_schema_that_requires_itself_comes_to_an_end() -> None:
    endless = {"type": "object", "properties": {"self": {"$ref": "#"}}, "required": ["self"]}
    assert "self" in conforming(endless, "word")
    assert conforming({"$ref": "#"}, "word") is not None
