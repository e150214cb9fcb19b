"""Kept answers: what was written is read, and nothing else is."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.cache.entry import CachedAnswer
from turnout.types import Answer, Finish, Timings, TokenLogprob, ToolCall, Usage

WHOLE = CachedAnswer(
    Answer(
        "local/small",
        "small",
        "text \ud800 é",
        "reasoning",
        (ToolCall("1", "f", "{}"),),
        "tool_calls",
        Usage(1, 2, 3, 4),
        (TokenLogprob("a", -0.5, (("a", -0.5), ("b", -math.inf))),),
        Timings(0.1, 0.2, 0.3),
        ("seed is not known here",),
    ),
    0.9,
    1_700_000_000.25,
    3.5,
)
PLAIN = CachedAnswer(Answer("local/small", "small"), 0.5, 0.0, 0.0)

texts = st.text(max_size=8)
counts = st.none() | st.integers(0, 10**9)
seconds = st.none() | st.floats(0, 1e6)
logprobs = st.floats(max_value=0, allow_nan=False)
answers = st.builds(
    Answer,
    texts,
    texts,
    texts,
    texts,
    st.lists(st.builds(ToolCall, texts, texts, texts), max_size=2).map(tuple),
    st.sampled_from(get_args(Finish)),
    st.builds(Usage, counts, counts, counts, counts),
    st.lists(
        st.builds(TokenLogprob, texts, logprobs, st.lists(st.tuples(texts, logprobs), max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
    st.builds(Timings, seconds, seconds, seconds),
    st.lists(texts, max_size=2).map(tuple),
)
kept = st.builds(CachedAnswer, answers, st.floats(0, 1), st.floats(0, 1e10), st.floats(0, 1e6))


@given(kept)
def test_what_is_written_is_read(cached: CachedAnswer) -> None:
    assert CachedAnswer.from_bytes(cached.to_bytes()) == cached


@pytest.mark.parametrize("cached", [WHOLE, PLAIN])
def test_every_field_survives(cached: CachedAnswer) -> None:
    assert CachedAnswer.from_bytes(cached.to_bytes()) == cached
    # A field that is added to one of these must be added to what is written, and then here.
    assert {kind: len(fields(kind)) for kind in (Answer, Usage, Timings, TokenLogprob, ToolCall)} == {
        Answer: 10, Usage: 4, Timings: 3, TokenLogprob: 3, ToolCall: 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"[1]",
        b"\x80\x04K\x01.",
        b"\xff",
        b"[" * 100_000,
        b"[1," + b"[" * 100_000,
        b"1" * 10_000,
    ],
)
def test_other_bytes_are_no_answer(content: bytes) -> None:
    assert CachedAnswer.from_bytes(content) is None


def places(value: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """The way to every value in nested lists, the lists included."""
    inner = (
        [place for at, entry in enumerate(value) for place in places(entry, (*path, at))]
        if isinstance(value, list)
        else []
    )
    return [path, *inner] if path else inner


@pytest.mark.parametrize("path", places(json.loads(WHOLE.to_bytes())), ids=str)
@pytest.mark.parametrize("wrong", [True, {"a": 1}, math.nan, [["x"]], 10**400], ids=repr)
def test_a_wrong_value_in_any_place_is_no_answer(path: tuple[int, ...], wrong: Any) -> None:
    document = json.loads(WHOLE.to_bytes())
    inner = document
    for at in path[:-1]:
        inner = inner[at]
    inner[path[-1]] = wrong
    assert CachedAnswer.from_bytes(json.dumps(document).encode()) is None


def test_another_version_and_an_unknown_finish_are_no_answer() -> None:
    document = json.loads(WHOLE.to_bytes())
    assert CachedAnswer.from_bytes(json.dumps([document[0] + 1, *document[1:]]).encode()) is None
    document[2][4] = "boredom"
    assert CachedAnswer.from_bytes(json.dumps(document).encode()) is None


@given(st.data())
def test_damage_gives_none_or_an_answer_but_no_error(data: st.DataObject) -> None:
    content = bytearray(WHOLE.to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    found = CachedAnswer.from_bytes(bytes(content))
    assert found is None or isinstance(found.answer.text, str)
