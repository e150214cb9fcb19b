"""Sizes and windows as names tell them."""

from __future__ import annotations

import pytest

from turnout.descriptors.sizes import Size, context_in, size_in


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("qwen 7b", Size(7)),
        ("smollm 135m", Size(0.135)),
        ("ring 1t", Size(1000)),
        ("qwen 30b a3b", Size(30, 3, dense=False)),
        ("granite 1b a400m", Size(1, 0.4, dense=False)),
        ("mixtral 8x7b", Size(46.7, 12.9, dense=False)),
        ("mix 5x9b", Size(dense=False)),
        ("llama 17b 128e", Size(400, 17, dense=False)),
        ("gemma e4b", Size(8, dense=False)),
        ("command r7b", Size(7)),
        ("hermes 8b 70b", Size(8)),
        ("model 9999t", Size()),
        ("model 0b", Size()),
        ("gpt 4", Size()),
    ],
)
def test_the_size_of_a_name(text: str, size: Size) -> None:
    assert size_in(tuple(text.split())) == size


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("128k", 131072),
        ("200k", 200_000),
        ("32768", 32768),
        ("1024", None),
        ("7b 1m", 1048576),
        ("1m", None),
        ("7b 30m", None),
        ("0k", None),
        ("7b", None),
    ],
)
def test_the_window_of_a_name(text: str, tokens: int | None) -> None:
    assert context_in(tuple(text.split())) == tokens
