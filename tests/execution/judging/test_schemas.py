"""Schemas are checked, and hostile ones neither fetch nor hang nor crash: they are unknown."""

from __future__ import annotations

import gc
import socket
import time
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.execution.judging import schemas
from turnout.execution.judging.schemas import MAX_CPU_S, conforms

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "to": {"$ref": "#/$defs/town"},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"town": {"type": "object", "properties": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}}}},
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    schemas.warm()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a schema made somebody open a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ({"name": "Ada"}, True),
        ({"name": "Ada", "age": 36, "to": {"zip": "10115"}}, True),
        ({}, False),
        ({"name": 1}, False),
        ({"name": "Ada", "age": -1}, False),
        ({"name": "Ada", "age": 1.5}, False),
        ({"name": "Ada", "other": 1}, False),
        ({"name": "Ada", "to": {"zip": "x"}}, False),
        ([], False),
    ],
)
def test_values_are_checked(value: Any, valid: bool) -> None:
    assert conforms(value, PERSON) is valid


def test_a_schema_may_be_any_mapping_and_of_an_older_draft() -> None:
    assert conforms({"name": 1}, MappingProxyType(PERSON)) is False
    old = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"a": {"type": "string"}},
        "items": [{"$ref": "#/definitions/a"}, {"type": "null"}],
    }
    assert conforms(["a", None], old) is True and conforms(["a", 1], old) is False


def test_items_are_unique_or_not() -> None:
    unique = {"uniqueItems": True}
    assert (
        conforms([{"a": 1}, {"a": 2}], unique) is True
        and conforms([{"a": 1, "b": 2}, {"b": 2, "a": 1}], unique) is False
    )
    assert conforms([[]] * 2, {"uniqueItems": False}) is True and conforms("aa", unique) is True


def doubling(word: str, end: Any) -> dict[str, Any]:
    """A schema of 40 steps, each of which needs the next one twice."""
    steps = {f"a{n}": {word: [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    return {"$defs": {**steps, "a40": end}, "$ref": "#/$defs/a0"}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def cyclic() -> dict[str, Any]:
    schema: dict[str, Any] = {}
    schema["properties"] = {"a": schema}
    return schema


HOSTILE: dict[str, Any] = {
    "an address": {"$ref": "http://127.0.0.1:9/schema"},
    "a file": {"$ref": "file:///etc/passwd"},
    "an address by its base": {"$id": "http://127.0.0.1:9/a", "$ref": "b"},
    "an address behind a property": {"properties": {"name": {"$ref": "https://example.org/a"}}},
    "an address of a dialect": {"$dynamicRef": "https://json-schema.org/draft/2020-12/schema"},
    "another dialect inside": {"properties": {"name": {"$schema": "http://json-schema.org/draft-07/schema#"}}},
    "itself": {"$ref": "#"},
    "itself if itself": {"if": {"$ref": "#"}, "then": {}},
    "doubling": doubling("allOf", {}),
    "doubling to nothing": doubling("anyOf", False),
    "doubling, unevaluated": {**doubling("allOf", {}), "unevaluatedProperties": False},
    "a slow pattern": {"properties": {"name": {"pattern": "^(a+)+$"}}},
    "a slow name": {"patternProperties": {"(x*)*y": {}}},
    "an enormous pattern": {"pattern": "a" * 100_000},
    "an enormous one": {"enum": ["x" * 100_000]},
    "a wide one": {"anyOf": [{"type": "integer"}] * 5_000},
    "a deep one": deep(5_000),
    "a cyclic one": cyclic(),
    "an unknown type": {"type": 5},
    "properties that are none": {"properties": []},
    "required that is a text": {"required": "name"},
    "a length that is a text": {"properties": {"name": {"minLength": "three"}}},
    "a dialect that is a list": {"$schema": [1]},
    "no schema": {"type": object()},
}


def timed(value: Any, schema: Any) -> tuple[bool | None, float]:
    """The verdict and the seconds of this thread that it took, without what the collector of garbage takes."""
    gc.disable()
    try:
        begun_s = time.thread_time()
        return conforms(value, schema), time.thread_time() - begun_s
    finally:
        gc.enable()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_schema_is_unknown_and_quick(name: str) -> None:
    for value in ({"name": "a" * 60 + "!"}, ["a" * 60 + "!"] * 200, "a" * 60 + "!"):
        verdict, taken_s = timed(value, HOSTILE[name])
        assert taken_s < 5 * MAX_CPU_S
        assert verdict is None or not isinstance(value, dict)


def test_a_large_value_is_unknown_and_quick() -> None:
    for value in (["x" * 490] * 100, [[1]] * 1_400, [{"a": n} for n in range(100_000)], [[[[]]]] * 500):
        assert timed(value, {"items": {"anyOf": [{"type": "integer"}] * 400}})[1] < 5 * MAX_CPU_S


def test_a_pattern_is_tried_on_short_texts_only() -> None:
    schema = {"pattern": "^[a-z]+$"}
    assert conforms("abc", schema) is True and conforms("a1", schema) is False
    assert conforms("a" * 101, schema) is None
    assert conforms({"k" * 101: 1}, {"patternProperties": {"^k": {}}}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(
    "type properties required items enum const anyOf allOf oneOf not if then minimum multipleOf pattern patternProperties "
    "$ref $defs $id $schema $anchor $dynamicRef uniqueItems contains minLength additionalProperties unevaluatedItems "
    "dependentSchemas".split()
)
SCHEMAS = st.recursive(
    JSON | st.sampled_from(["#", "#/$defs/a", "object", "string", "^a+$", "http://127.0.0.1:9/"]),
    lambda inner: st.dictionaries(WORDS, inner | st.lists(inner, max_size=3), max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(JSON, st.dictionaries(WORDS, SCHEMAS, max_size=4))
def test_any_value_is_judged_by_any_schema(value: Any, schema: dict[str, Any]) -> None:
    assert conforms(value, schema) in (True, False, None)
