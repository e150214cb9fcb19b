"""Token counts without a tokenizer: a likely one and one that is never above it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.types import Image, Message, Request, Tool, ToolCall
from turnout.types.tokens import least_tokens, likely_tokens

ANY_TEXT = st.text(st.characters())


def test_a_prompt_takes_a_token_for_four_bytes_and_some_for_its_template() -> None:
    assert likely_tokens(Request.of("x" * 400)) == 104
    assert least_tokens(Request.of("x" * 400)) == 50


def test_letters_of_several_bytes_count_by_their_bytes() -> None:
    assert likely_tokens(Request.of("é" * 400)) == likely_tokens(Request.of("x" * 800))
    assert likely_tokens(Request.of("漢" * 400)) == likely_tokens(Request.of("x" * 1200))


def test_every_message_takes_its_separators() -> None:
    turns = tuple(Message("user", "") for _ in range(10))
    assert (likely_tokens(Request(turns)), least_tokens(Request(turns))) == (40, 0)


def test_tools_and_their_calls_count() -> None:
    plain = Request((Message("user", "hello"),))
    tools = Request((Message("user", "hello"),), tools=(Tool("read", "read a file " * 20),))
    called = Request((Message("assistant", "", tool_calls=(ToolCall("1", "read", '{"path": "' + "x" * 400 + '"}'),)),))
    assert likely_tokens(tools) > likely_tokens(plain) + 60
    assert likely_tokens(called) > 100


def test_pictures_do_not_count() -> None:
    picture = Image("data:image/png;base64," + "A" * 100_000)
    assert likely_tokens(Request((Message("user", "what is this", images=(picture,)),))) < 20


def test_nothing_takes_nothing() -> None:
    assert (likely_tokens(Request(())), least_tokens(Request(()))) == (0, 0)


@given(st.lists(ANY_TEXT, max_size=5))
def test_any_text_has_counts_and_the_least_is_never_above_the_likely(texts: list[str]) -> None:
    request = Request(tuple(Message("user", text) for text in texts))
    assert 0 <= least_tokens(request) <= likely_tokens(request)


@given(ANY_TEXT, ANY_TEXT)
def test_more_text_never_takes_fewer_tokens(text: str, more: str) -> None:
    for tokens in (likely_tokens, least_tokens):
        assert tokens(Request.of(text + more)) >= tokens(Request.of(text))


@pytest.mark.parametrize("bytes_per_token", [3.2, 4.5, 6.0])
def test_real_prompts_lie_between_the_least_and_a_generous_most(bytes_per_token: float) -> None:
    prompt = "Explain why this function returns None when the list is empty. " * 50
    real = len(prompt) / bytes_per_token
    assert least_tokens(Request.of(prompt)) < real < 2 * likely_tokens(Request.of(prompt))
