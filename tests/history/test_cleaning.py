"""Values that every database can hold."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from tests.history.examples import texts, values

from turnout.history.cleaning import (
    MAX_KEY_CHARS,
    clean_flag,
    clean_integer,
    clean_json,
    clean_key,
    clean_real,
    clean_text,
)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("", ""),
        ("é漢😀", "é漢😀"),
        ("a\0b", "a�b"),
        ("\ud83d!", "�!"),
        ("é\0\udfff", "é��"),
        (7, "7"),
        (None, None),
    ],
)
def test_texts_lose_what_no_database_takes(text: object, cleaned: str | None) -> None:
    assert clean_text(text) == cleaned


@given(texts)
def test_any_text_can_be_stored_and_cleaning_again_changes_nothing(text: str) -> None:
    cleaned = clean_text(text)
    assert cleaned is not None and "\0" not in cleaned
    cleaned.encode()
    assert clean_text(cleaned) == cleaned and len(cleaned) == len(text)


def test_long_keys_stay_apart_and_short_enough_for_an_index() -> None:
    first, second = clean_key("漢" * 1000), clean_key("漢" * 1001)
    assert first is not None and second is not None and first != second
    assert len(first.encode()) < 2704 and len(first) <= MAX_KEY_CHARS
    assert clean_key("x" * MAX_KEY_CHARS) == "x" * MAX_KEY_CHARS


def test_a_key_of_nothing_is_none() -> None:
    assert clean_key("") is None and clean_key(None) is None


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [(1, 1.0), (0.5, 0.5), (True, 1.0), (math.nan, None), (math.inf, None), (10**400, None), ("1", None), (None, None)],
)
def test_numbers_are_finite(value: object, cleaned: float | None) -> None:
    assert clean_real(value) == cleaned


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [(7, 7), (7.0, 7), (7.5, None), (2**63, None), (-(2**63), -(2**63)), (1e30, None), (math.nan, None), ("7", None)],
)
def test_whole_numbers_have_64_bits(value: object, cleaned: int | None) -> None:
    assert clean_integer(value) == cleaned


@pytest.mark.parametrize(("value", "cleaned"), [(True, True), (0.0, False), (1.0, True), (0.5, None), (math.nan, None)])
def test_flags_are_true_or_false(value: object, cleaned: bool | None) -> None:
    assert clean_flag(value) is cleaned


@given(values)
def test_any_value_becomes_json_that_both_databases_take(value: Any) -> None:
    text = clean_json(value)
    assert (text is None) == (value is None)
    if text is not None:
        assert text.isascii() and "\\u0000" not in text
        json.loads(text, parse_constant=pytest.fail).__repr__().encode()


def test_json_keeps_what_is_clean() -> None:
    value = {"a": [1, 2.5, True, None, "é"], "b": {"c": "😀"}}
    assert json.loads(clean_json(value) or "") == value
    assert clean_json({"nan": math.nan, "text": "a\0\ud800"}) == '{"nan":null,"text":"a\\ufffd\\ufffd"}'
