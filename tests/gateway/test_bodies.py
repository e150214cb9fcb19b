"""Fields of a body: each with its type and its bounds, and nothing of it overlooked."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.world import World

from turnout.gateway.bodies import Fields
from turnout.gateway.refusals import FieldError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
READERS = ("text", "flag", "number", "whole", "mapping", "items")


def read(value: Any, how: str, **bounds: Any) -> Any:
    return getattr(Fields({"it": value}, "a."), how)("it", **bounds)


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("text", "x"),
        ("flag", True),
        ("number", 2),
        ("number", 0.5),
        ("whole", 3),
        ("mapping", {"a": 1}),
        ("items", [1]),
    ],
)
def test_a_value_of_the_right_type_is_read(how: str, value: Any) -> None:
    assert read(value, how) == value


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("text", 1),
        ("flag", 1),
        ("flag", "true"),
        ("number", "1"),
        ("number", True),
        ("number", float("nan")),
        ("number", 10**400),
        ("whole", 1.5),
        ("whole", True),
        ("whole", 2**60),
        ("mapping", []),
        ("items", {}),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_name(how: str, value: Any) -> None:
    with pytest.raises(FieldError) as refused:
        read(value, how)
    assert refused.value.param == "a.it" and len(str(refused.value)) < 200


@given(ANYTHING)
def test_no_value_is_too_odd(value: Any) -> None:
    for how in READERS:
        try:
            read(value, how)
        except FieldError as refused:
            assert refused.param == "a.it"


def test_bounds_belong_to_what_is_allowed() -> None:
    assert read(2, "number", least=0, most=2) == 2
    for value in (-0.1, 2.1):
        with pytest.raises(FieldError, match="from 0 to 2"):
            read(value, "number", least=0, most=2)
    assert read(5.0, "whole", least=5, most=5) == 5
    with pytest.raises(FieldError):
        read(6, "whole", most=5)


def test_texts_are_one_or_a_few() -> None:
    assert read("x", "texts", most=2) == ("x",) and read(["x", "y"], "texts", most=2) == ("x", "y")
    for value in (["x", "y", "z"], ["x", 1], {"x": 1}):
        with pytest.raises(FieldError):
            read(value, "texts", most=2)


def test_a_word_is_one_of_those_that_are_known() -> None:
    assert Fields({"it": "a"}).one_of("it", ("a", "b")) == "a"
    with pytest.raises(FieldError, match="expected one of a, b"):
        Fields({"it": "c"}).one_of("it", ("a", "b"))


def test_null_is_absent_and_what_was_not_read_is_known_with_its_path() -> None:
    fields = Fields({"read": 1, "null": None, "left": 2}, "options.")
    assert fields.whole("read") == 1 and fields.text("null", "default") == "default" and fields.flag("missing") is False
    assert fields.unread == ["options.left"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b'{"a": NaN}', b"\xff\xfe", b"[" * 200_000])
def test_what_is_no_object_is_refused(world: World, content: bytes) -> None:
    for path in ("/v1/chat/completions", "/v1/embeddings", "/api/chat"):
        response = httpx.post(f"{world.url}{path}", content=content)
        assert response.status_code == 400 and b"invalid_json" in response.content
