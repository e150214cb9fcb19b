"""What a prompt plainly asks for is noticed, and what it does not say is not made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.judging.expectations import HEAD_CHARS, TAIL_CHARS, code_missing, instruction, off_length
from turnout.execution.judging.fences import find_fences

MAKERS = (
    *(
        "write",
        "implement",
        "create",
        "generate",
        "code",
        "give me",
        "show me",
        "i need",
        "make",
        "schreib",
        "schreibe",
    ),
    *(
        "erstell",
        "erstelle",
        "implementier",
        "implementiere",
        "écris",
        "écrivez",
        "crée",
        "escribe",
        "crea",
        "implementa",
    ),
    *("scrivi", "escreva", "crie", "napisz", "schrijf", "yaz"),
)
THINGS = (
    *(
        "function",
        "script",
        "class",
        "program",
        "snippet",
        "code",
        "query",
        "method",
        "module",
        "component",
        "one-liner",
    ),
    *("decorator", "macro", "hook", "struct", "enum", "cli", "funktion", "klasse", "skript", "programm", "fonction"),
    *("classe", "programme", "función", "clase", "funzione", "função", "consulta"),
)
PROSE = "First sort the list, then take the element in the middle, or the mean of the two."


def missing(prompt: str, text: str) -> bool | None:
    return code_missing(instruction(prompt), text, find_fences(text))


@pytest.mark.parametrize(
    "prompt",
    [
        "Write a Python function that returns the median of a list",
        "js function to shuffle an array, fisher yates",
        "could you implement a small class for intervals in Kotlin?",
        "Give me a bash one-liner that counts the lines",
        "schreib mir eine Funktion in Python für den Median",
        "Escribe una función en JavaScript que compruebe un palíndromo.",
        "i need a sql query for the top ten customers",
        "a python script that pings five hosts",
    ],
)
def test_code_in_a_named_language_is_expected(prompt: str) -> None:
    assert missing(prompt, PROSE) is True
    assert missing(prompt, f"Here:\n\n```\n{PROSE}\n```") is False
    assert missing(prompt, "x = median(values)") is False


@pytest.mark.parametrize("verb", MAKERS)
def test_code_is_expected_in_every_way_to_ask(verb: str) -> None:
    assert missing(f"{verb} a python function", PROSE) is True
    assert missing(f"please {verb} a function that sorts a list in python", PROSE) is True


@pytest.mark.parametrize("thing", THINGS)
def test_code_is_expected_by_all_its_names(thing: str) -> None:
    for prompt in (f"write a python {thing}", f"python {thing}", f"make me a {thing} that sorts a list in rust"):
        assert missing(prompt, PROSE) is True


@pytest.mark.parametrize(
    "prompt",
    [
        "why does this python function fail?",
        "explain what this Java class does",
        "is python or rust better for a cli?",
        "write a function that returns the median",
        "write an essay about the history of python",
        "review the go module below",
        "write a python function in pseudocode",
        "python function fails with a TypeError",
        "my script is slow",
        "thank you",
        "",
    ],
)
def test_no_code_is_expected_otherwise(prompt: str) -> None:
    assert missing(prompt, PROSE) is None


def test_another_language_than_the_asked_one_is_missing_code() -> None:
    prompt = "Write a Python function that returns the median"
    assert missing(prompt, "```java\nint f() {}\n```") is True
    assert missing(prompt, "```java\nint f() {}\n```\n```py\nx\n```") is False
    assert missing(prompt, "```text\nx\n```") is False
    assert missing("write a react component in typescript", "```tsx\n<p/>\n```") is False


LONG = "This is a sentence with some words. " * 12


@pytest.mark.parametrize(
    ("prompt", "short"),
    [
        ("What is RAID 1, in one sentence?", "It keeps two copies of all data."),
        ("Qu'est-ce que RAID 1 ? En une phrase.", "Deux copies de tout."),
        ("Answer in one word: which planet is the largest?", "Jupiter."),
        ("Is 7 prime? Answer only with yes or no.", "Yes."),
        ("Ist 7 eine Primzahl? Nur ja oder nein.", "Ja."),
        (
            "Describe the picture in at most 20 words",
            "A red barn stands alone in a wide field of snow under a pale sky.",
        ),
        ("shorten to max 12 words: the firmware upload will be away on Thursday", "No firmware upload on Thursday."),
    ],
)
def test_an_answer_far_longer_than_asked_is_noticed(prompt: str, short: str) -> None:
    assert off_length(instruction(prompt), short) is False
    assert off_length(instruction(prompt), LONG) is True


@pytest.mark.parametrize(
    "prompt",
    [
        "what does the word idempotent mean?",
        "explain each of the terms in one sentence",
        "write a function that counts the words of a sentence",
        "is it one word or two, en un mot ou en deux ?",
        "also tell me in one sentence why",
        "how many words fit on a page?",
    ],
)
def test_other_words_about_length_say_nothing(prompt: str) -> None:
    assert off_length(instruction(prompt), LONG) is None


def test_an_instruction_is_the_head_and_the_tail() -> None:
    prompt = "Write a Python function. " + "x" * 5_000 + " In ONE word."
    asked = instruction(prompt)
    assert asked.startswith(" write a python") and asked.endswith("in one word.")
    assert len(asked) == HEAD_CHARS + TAIL_CHARS + 2


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_prompt_and_answer_are_read(prompt: str, text: str) -> None:
    asked = instruction(prompt)
    assert code_missing(asked, text, find_fences(text)) in (True, False, None) and off_length(asked, text) in (
        True,
        False,
        None,
    )
