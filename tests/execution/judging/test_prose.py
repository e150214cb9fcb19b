"""Loops, echoes and lost ends are noticed; songs, tables and quotations are none."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.judging.expectations import instruction
from turnout.execution.judging.prose import MIN_LOOP_CHARS, MIN_ROUNDS, echoes, loops, unfinished

START = "The cause is a lock that is never given back. "


@pytest.mark.parametrize(
    "unit",
    [
        "I think that ",
        "!",
        "- check the logs again\n",
        "0",
        "的",
        "so we see that the result is what we see, and ",
        "    }\n",
    ],
)
def test_a_loop_at_the_end_is_found(unit: str) -> None:
    text = START + unit * 300
    assert loops(text) and loops(text[:-1]) and loops(text + " \n")


def test_a_loop_of_a_long_paragraph_is_found() -> None:
    paragraph = " ".join(f"word{number}" for number in range(60)) + ". "
    assert loops(START + paragraph * (MIN_ROUNDS + 2))
    assert not loops(START + paragraph * 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        START * 3,
        START + "=" * 79,
        "| a | b |\n|---|---|\n" + "".join(f"| {n} | {n * n} |\n" for n in range(80)),
        "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a dream.",
        "[" + "0, " * 200 + "1]\n\nThat is the whole array, with a one at its end.",
        "\n".join(f"{n}. step number {n * 7 % 101} of the plan" for n in range(60)),
    ],
)
def test_what_only_has_a_rhythm_is_no_loop(text: str) -> None:
    assert not loops(text)


def test_repetition_that_was_asked_for_is_no_loop() -> None:
    lines = "I will not talk in class.\n" * 40
    assert not loops(lines, instruction("Write 'I will not talk in class.' 40 times"))
    assert not loops("0 0 0 0\n" * 60, instruction("give me 60 rows of four zeros"))
    assert loops("I do not know.\n" * 40, instruction("why did the job run three times?"))


@given(st.text(min_size=1, max_size=40), st.text(max_size=100))
def test_every_text_that_goes_round_often_enough_loops(unit: str, start: str) -> None:
    text = start + unit * (3 * MIN_LOOP_CHARS // len(unit) + MIN_ROUNDS + 2)
    assert loops(text) or len(text.rstrip()) < MIN_LOOP_CHARS or text.rstrip() != text


def test_random_words_never_loop() -> None:
    chance = random.Random(1)
    assert not any(loops(" ".join(chance.choices("abcdefgh", k=900))) for _ in range(50))


PROMPT = "Explain in a few words why the nightly job runs twice on the first of each month."


def test_the_prompt_handed_back_is_an_echo() -> None:
    for text in (PROMPT, f" {PROMPT.upper()}\n", PROMPT.replace(" ", "\n"), f"{PROMPT} Sure.", PROMPT[:-10]):
        assert echoes(text, PROMPT), text


def test_an_answer_is_no_echo() -> None:
    for text in (
        "",
        "Explain",
        f"{PROMPT} It runs twice since two schedulers are alive and both believe to lead.",
        START,
        PROMPT[:40],
    ):
        assert not echoes(text, PROMPT), text
    assert not echoes("yes", "yes")


@pytest.mark.parametrize(
    "end", [",", " (", "[", "{", ":", " –", "—", " -", "\n-", " the", ") and", " und", " les", " di"]
)
def test_prose_that_stops_in_the_middle_is_unfinished(end: str) -> None:
    assert unfinished(START * 3 + "There are three reasons" + end)
    assert unfinished(START * 3 + "There are three reasons" + end + "\n")


@pytest.mark.parametrize(
    "end",
    [
        ".",
        "",
        "!",
        ")",
        " as follows",
        "\n- one\n- two",
        " 42",
        "。",
        "`x`",
        " part A",
        " C++",
        " well-",
        "\nand",
        " 2 and",
    ],
)
def test_other_ends_are_ends(end: str) -> None:
    assert not unfinished(START * 3 + "There are three reasons" + end)


def test_short_answers_may_end_in_anything() -> None:
    assert not unfinished("the") and not unfinished("and,")
