"""Answers of the laboratory's families, by hand and against Python's own doing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.lab import DIFFICULTIES, FAMILIES
from turnout.lab.families_code import balanced
from turnout.lab.families_numbers import in_words

BY_HAND = [
    ("reverse", ("tabo",), "obat"),
    ("sort_letters", ("tabo",), "abot"),
    ("count_letter", ("banana", "a"), "3"),
    ("count_letter", ("banana", "z"), "0"),
    ("last_letters", ("banana", "2"), "na"),
    ("remove_vowels", ("banana",), "bnn"),
    ("replace_letter", ("banana", "a", "o"), "bonono"),
    ("repeat", ("ab", "3"), "ababab"),
    ("shift", ("abz",), "bca"),
    ("palindrome", ("anna",), "yes"),
    ("palindrome", ("anno",), "no"),
    ("upper", ("red fox",), "RED FOX"),
    ("lower", ("RED FOX",), "red fox"),
    ("title", ("red fox",), "Red Fox"),
    ("initials", ("red fox",), "rf"),
    ("add", ("99", "1"), "100"),
    ("subtract", ("100", "1"), "99"),
    ("compare", ("100", "99"), "100"),
    ("maximum", ("9 30 4",), "30"),
    ("sort_numbers", ("9 30 4",), "4 9 30"),
    ("number_words", ("47",), "forty-seven"),
    ("brackets", ("([]{})",), "yes"),
    ("brackets", ("([)]",), "no"),
    ("program", ("x=3;x+=4;x*=2",), "14"),
    ("csv_json", ("ab,c", "1,2"), '{"ab":1,"c":2}'),
]


@pytest.mark.parametrize(("family", "arguments", "answer"), BY_HAND)
def test_answers_by_hand(family: str, arguments: tuple[str, ...], answer: str) -> None:
    assert FAMILIES[family].solve(*arguments) == answer


def test_every_family_is_tried_by_hand() -> None:
    assert {family for family, _, _ in BY_HAND} == set(FAMILIES)


@given(st.integers(0, 2**32), st.sampled_from(DIFFICULTIES))
@settings(max_examples=100, deadline=None)
def test_a_program_prints_what_python_computes(seed: int, difficulty: int) -> None:
    (program,) = FAMILIES["program"].draw(np.random.default_rng(seed), difficulty)
    names: dict[str, int] = {}
    exec(program, {}, names)
    assert FAMILIES["program"].solve(program) == str(names["x"])
    assert program.count(";") == difficulty


@given(st.integers(0, 2**32), st.sampled_from(DIFFICULTIES))
@settings(max_examples=100, deadline=None)
def test_a_table_becomes_the_json_that_it_says(seed: int, difficulty: int) -> None:
    heading, row = FAMILIES["csv_json"].draw(np.random.default_rng(seed), difficulty)
    names, values = heading.split(","), [int(value) for value in row.split(",")]
    assert json.loads(FAMILIES["csv_json"].solve(heading, row)) == dict(zip(names, values, strict=True))


@given(st.text(alphabet="()[]{}", max_size=10))
def test_brackets_are_balanced_if_removing_pairs_leaves_nothing(text: str) -> None:
    rest, before = text, None
    while rest != before:
        before, rest = rest, rest.replace("()", "").replace("[]", "").replace("{}", "")
    assert balanced(text) == (not rest)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (407, "four hundred seven"),
        (2000, "two thousand"),
        (9215, "nine thousand two hundred fifteen"),
        (300_040, "three hundred thousand forty"),
    ],
)
def test_names_of_numbers(value: int, name: str) -> None:
    assert in_words(value) == name


@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_two_numbers_never_have_one_name(first: int, second: int) -> None:
    assert (in_words(first) == in_words(second)) == (first == second)
