"""Fences are paired as readers pair them, wherever they stand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.judging.fences import MAX_FENCES, Fence, find_fences, outside


def told(text: str) -> list[tuple[str, str, bool]]:
    return [(fence.label, fence.code, fence.closed) for fence in find_fences(text)]


def test_code_and_its_language_are_found() -> None:
    assert told("Here:\n\n```python\nx = 1\n```\nDone.") == [("python", "x = 1\n", True)]
    assert told("~~~\na\n~~~") == [("", "a\n", True)]


def test_labels_are_cleaned() -> None:
    for info, label in (
        ("Python", "python"),
        ("{python}", "python"),
        ("ts:src/a.ts", "ts"),
        ("js title='a'", "js"),
        ("c++", "c++"),
        ("rust,ignore", "rust"),
    ):
        assert told(f"```{info}\nx\n```")[0][0] == label


def test_a_fence_without_end_is_open() -> None:
    assert told("```js\nlet a = 1;") == [("js", "let a = 1;", False)]
    assert told("```") == [("", "", False)]


def test_a_longer_fence_holds_shorter_ones() -> None:
    text = "````markdown\n```python\nx\n```\n````\n"
    assert told(text) == [("markdown", "```python\nx\n```\n", True)]


def test_a_fence_with_a_label_does_not_close_another() -> None:
    assert told("```\n```python\n```\n") == [("", "```python\n", True)]


def test_fences_in_lists_and_quotations_count_and_those_in_a_line_do_not() -> None:
    assert len(told("1. so:\n   ```sh\n   ls\n   ```\n")) == 1
    assert len(told("> ```sh\n> ls\n> ```\n")) == 1
    assert told("write ```x``` inline, or a ``` b\n") == []
    assert told("```inline``` at the start\n") == []


def test_the_text_outside_is_what_is_left() -> None:
    text = "a\n```\ncode\n```\nb\n```\nmore"
    assert outside(text, find_fences(text)) == "a\nb\n"
    assert outside("plain", []) == "plain"


def test_only_so_many_are_looked_for() -> None:
    assert len(find_fences("```\nx\n```\n" * 1000)) <= MAX_FENCES


@given(st.lists(st.sampled_from(["```", "~~~", "````", "\n", "python", " ", "x", "`", ">"]), max_size=40).map("".join))
def test_fences_never_overlap(text: str) -> None:
    place = 0
    for fence in find_fences(text):
        assert isinstance(fence, Fence) and place <= fence.start <= fence.end <= len(text)
        assert fence.code in text[fence.start : fence.end]
        place = fence.end
