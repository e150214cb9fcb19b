"""Another language model under an old name is noticed; one of which less is told is not taken for another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from turnout.history.identities import PROPERTIES, agree, changed_at, identity_of, merged
from turnout.types import LanguageModel

KNOWN = LanguageModel(
    name="qwen", size_bytes=4_000_000, quantization="Q4_K_M", parameters="7B", family="qwen2", context_length=32_768
)


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_property_makes_a_difference_unless_it_is_not_told(name: str) -> None:
    other, untold = replace(KNOWN, **{name: "other"}), replace(KNOWN, **{name: None})
    assert not agree(identity_of(KNOWN), identity_of(other))
    assert agree(identity_of(KNOWN), identity_of(untold))
    assert merged(identity_of(untold), identity_of(KNOWN)) == identity_of(KNOWN)


def test_what_changes_with_loading_is_no_difference() -> None:
    loaded = replace(KNOWN, loaded=True, memory_bytes=5, vram_bytes=4, loaded_context_length=4096, instances=("a",))
    assert identity_of(loaded) == identity_of(KNOWN)


def test_a_language_model_of_which_nothing_is_told_has_no_identity() -> None:
    assert identity_of(LanguageModel(name="qwen")) == ""


def test_only_another_identity_is_a_change() -> None:
    seen = [
        ("x", "a.-", 1.0),
        ("y", "a.b", 1.5),
        ("x", "a.b", 2.0),
        ("x", "-.b", 3.0),
        ("x", "a.c", 4.0),
        ("x", "a.c", 5.0),
    ]
    assert changed_at(seen) == {"x": 4.0}


def test_one_that_comes_back_after_another_is_a_change() -> None:
    assert changed_at([("x", "a", 1.0), ("x", "b", 2.0), ("x", "a", 3.0)]) == {"x": 3.0}
