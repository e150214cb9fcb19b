"""Courtesy is taken off where it says nothing, and stays where it says something."""

from __future__ import annotations

import pytest

from turnout.execution.cache.courtesy import plain_words, trimmed


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Hello there :) sort the rows, please!", "sort the rows"),
        ("Thanks for any help. Sort the rows", "Sort the rows"),
        ("could you please be so kind as to sort the rows", "sort the rows"),
        ("If it isn't too much trouble, sort the rows", "sort the rows"),
        ("sort the rows, if not in order", "sort the rows if not in order"),
        ("sort the rows, but not all", "sort the rows but not all"),
        ("Could you not sort the rows", "not sort the rows"),
        ("is it sorted", "whether sorted"),
        ("can you sort the rows", "sort the rows"),
        ("how do I sort the rows", "sort the rows"),
        ("how do I write a speech", "how-to write a speech"),
        ("explain to me how to sort", "sort"),
        ("the rows can't wait", "rows can not wait"),
        ("who are you", "who are you"),
        ("thanks", "thanks"),
        ("git add .", "git add ."),
        ("ask the folks of IT", "ask IT"),
        ("", ""),
    ],
)
def test_what_is_left(text: str, left: str) -> None:
    assert " ".join(map(trimmed, plain_words(text))).lower().split() == left.lower().split()


@pytest.mark.parametrize(
    ("word", "kept"),
    [("(what?)", "what"), ("-i", "-i"), (".so", ".so"), ("10!", "10!"), ("well!", "well"), ("..", ".."), ("?!", ""), ("C#", "C#"),
     ("f(x)", "f(x"), ("「何」", "何")],
)  # fmt: skip
def test_punctuation_goes_where_it_is_no_code(word: str, kept: str) -> None:
    assert trimmed(word) == kept
