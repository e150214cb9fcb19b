"""The laboratory's judge: the answer and nothing but the answer, spaces and a last full stop apart."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from turnout.lab import Task, generate, judge

tasks = st.integers(0, 2**32).map(lambda seed: generate(1, seed)[0])
spaces = st.text(alphabet=" \t\n", max_size=3)


@given(tasks, spaces, spaces, st.sampled_from(["", "."]))
@settings(deadline=None)
def test_the_answer_is_right_with_spaces_around_and_a_full_stop(task: Task, left: str, right: str, stop: str) -> None:
    assert judge(task, left + task.answer + stop + right) == 1.0


@given(tasks, tasks)
@settings(deadline=None)
def test_the_answer_to_another_question_is_wrong(task: Task, other: Task) -> None:
    assume(task.answer != other.answer)
    assert judge(task, other.answer) == 0.0


@given(tasks, st.text(max_size=20))
@settings(deadline=None)
def test_a_score_is_one_or_nothing(task: Task, text: str) -> None:
    assert judge(task, text) in (0.0, 1.0)


@pytest.mark.parametrize(
    "text", ["", "RED FOX", "red  Fox fox", "The answer is red fox", "redfox", "red fox!", "red fox.."]
)
def test_anything_else_is_wrong(text: str) -> None:
    assert judge(Task("Write RED FOX in small letters.", "red fox", "lower", 1, "lower-0"), text) == 0.0


@pytest.mark.parametrize("text", ["red fox", " red fox.", "red\nfox", "red  fox ."])
def test_spaces_do_not_count(text: str) -> None:
    assert judge(Task("Write RED FOX in small letters.", "red fox", "lower", 1, "lower-0"), text) == 1.0
