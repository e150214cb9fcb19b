"""Specialities, tuning and sizes without figures."""

from __future__ import annotations

import pytest

from turnout.descriptors.kinds import instruct_of, tier_of, variant_of


@pytest.mark.parametrize(
    ("words", "variant"),
    [
        ("coder instruct", "coder"),
        ("vl thinking", "vision"),
        ("thinking", "reasoning"),
        ("non reasoning", None),
        ("embed vision", "embedding"),
        ("tool use", "tools"),
        ("instruct", None),
    ],
)
def test_a_speciality_is_told_by_words(words: str, variant: str | None) -> None:
    assert variant_of("qwen", "3", "", frozenset(words.split())) == variant


def test_what_cannot_but_think_reasons_without_saying_so() -> None:
    assert variant_of("gpt", "o1", "mini", frozenset()) == "reasoning"
    assert variant_of("gpt", "5", "chat", frozenset()) is None


def test_a_bare_open_name_does_not_tell_whether_it_was_tuned() -> None:
    assert instruct_of("gemma", None, "", ("gemma", "7b"), None) is None
    assert instruct_of("gemma", None, "", ("gemma", "7b"), ("7b",)) is True
    assert instruct_of("mistral", "0.1", "", ("mistral", "7b", "v0.1"), None) is False
    assert instruct_of("mistral", "0.1", "mixtral", ("mixtral", "8x7b"), None) is None


def test_an_unmarked_name_beside_marked_smaller_ones_is_the_large_one() -> None:
    assert [tier_of("gpt", "4o", line) for line in ("", "mini")] == ["large", "small"]
    assert [tier_of("claude", "3", line) for line in ("haiku", "sonnet", "opus")] == ["small", "medium", "large"]
    assert tier_of("gemini", "2.0", "flash-lite") == "small"
    assert tier_of("llama", "4", "scout") is None
