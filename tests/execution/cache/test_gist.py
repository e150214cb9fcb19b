"""What matters of a prompt, piece by piece."""

from __future__ import annotations

import pytest

from turnout.execution.cache.gist import gist
from turnout.execution.cache.gist_words import BOUND, COURTESY, EXPANDED, SAME, SOFT, WEIGHTY


def words(prompt: str) -> tuple[str, ...]:
    found = gist(prompt)
    assert found is not None
    return found.words


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        ("Sort the Rows of `a.csv`.", ("sort", "row", "\0a.csv")),
        ("sorting, sorted, sorts", ("sort", "sort", "sort")),
        ("classes of dictionaries", ("class", "dictionary")),
        ("twelve colours", ("12", "color")),
        ("1,234,567 and 0,5", ("1234567", "0,5")),
        ("a PR and a pr", ("pull", "request", "pull", "request")),
        ("Print:\n\nx = 1\nDone now", ("print", "\0x = 1", "done", "now")),
        ('Print:\n\nx = "a"', ("print", '\0x = "a"')),
        ("IT and it, US and us", ("IT", "US")),
        ("naïf cafe\u0301", ("naïf", "café")),
    ],
)
def test_what_is_kept(prompt: str, kept: tuple[str, ...]) -> None:
    assert words(prompt) == kept


def test_what_tells_the_way_is_bound_to_the_word_behind() -> None:
    found = gist("copy it from the server to my laptop, not to the disk")
    assert found is not None
    assert found.bound == (("from", "server"), ("to", "laptop"), ("not", "disk"), ("to", "disk"))


def test_what_is_wanted_is_told_where_a_verb_tells_it() -> None:
    for prompt, wanted in [("write a loop", {"made"}), ("explain a loop", {"explained"}), ("a loop", set())]:
        found = gist(prompt)
        assert found is not None and found.wanted == wanted


def test_a_quotation_never_looks_like_a_word() -> None:
    assert words("sort") != words('"sort"')
    assert words('"a b"') != words('"a" "b"')


def test_the_word_lists_are_what_they_say() -> None:
    assert all(word == word.lower() for word in COURTESY | SOFT | SAME.keys() | EXPANDED.keys())
    assert WEIGHTY <= COURTESY
    assert not {"not", "no", "without", "only", "all", "any", "or"} & SOFT, "these change what is asked"
    assert {"from", "to"} <= BOUND & SOFT
    assert all(SAME.get(word, word) == word for word in SAME.values()), "one step leads to the first of a group"
