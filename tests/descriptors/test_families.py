"""Whose language model a name tells: the last who trained it."""

from __future__ import annotations

import pytest

from turnout.descriptors.families import family_in


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("hermes 2 pro llama 3 8b", "hermes"),
        ("llama 3.1 nemotron 70b", "nemotron"),
        ("deepseek r1 distill qwen 7b", "deepseek"),
        ("meta llama meta llama 3 8b", "llama"),
        ("oc ds 33b", "opencodeinterpreter"),
        ("deep seek v3", "deepseek"),
        ("o1 mini", "gpt"),
        ("marco o1", "marco"),
        ("gpt 4all j", "gpt4all"),
        ("gpt neo 2.7b", "gpt-neo"),
        ("mine", None),
        ("", None),
    ],
)
def test_the_family_of_a_name(text: str, family: str | None) -> None:
    found, _ = family_in(tuple(text.split()))
    assert (found.family if found else None) == family


def test_a_word_that_is_common_names_a_family_only_at_the_front() -> None:
    assert family_in(("super", "nova"))[0] is None
    assert family_in(("amazon", "nova", "pro"))[0] is not None


def test_a_word_of_a_family_may_tell_its_line() -> None:
    found, _ = family_in(("codellama", "7b"))
    assert found is not None and found.lines == ("code",)
