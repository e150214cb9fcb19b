"""Reading a prompt once: bounded, split into what is asked and what is pasted, and never slow."""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.features import extract
from turnout.features.text import INSTRUCTION_CHARS, MAX_CHARS, read_prompt

MB = 1_000_000


# Splitting


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Don't touch trade-off snake_case", 4),
        ("port 8080 pi 3.14", 4),
        ("变量 usr", 3),
        ("Привет мир", 2),
        ("a\tb\nc\r\nd", 4),
        ("\ud800 \x00 ...", 0),
        ("", 0),
    ],
)
def test_a_prompt_is_cut_into_words(prompt: str, words: int) -> None:
    assert len(read_prompt(prompt).words) == words


@pytest.mark.parametrize(
    "same",
    [
        "Please Sort THE Imports",
        "please   sort\nthe\timports",
        "please, sort the imports!",
        "(please) sort: the imports.",
    ],
)
def test_case_blanks_and_punctuation_do_not_change_the_words(same: str) -> None:
    np.testing.assert_array_equal(extract(same).buckets, extract("please sort the imports").buckets)


@pytest.mark.parametrize(
    ("pasted", "kind", "lines"),
    [
        ("```python\nx = compute(y)\nprint(x)\n```", "code_lines", 2),
        ("~~~\nanything at all\n~~~", "code_lines", 1),
        ("import os\nfrom typing import Any\nclass A(B):\n    return None", "code_lines", 4),
        ("public static void main(String[] a) {\n}", "code_lines", 2),
        ("SELECT id FROM users\nWHERE age > 3", "code_lines", 2),
        ("<div>\n</div>", "code_lines", 2),
        ("2024-01-01 10:00:00 started\nERROR out of memory\nValueError: bad", "log_lines", 3),
        ("name,age,city\nann,31,Oslo", "table_lines", 2),
        ("| a | b |\n| 1 | 2 |", "table_lines", 2),
    ],
)
def test_pasted_material_is_told_from_the_instruction(pasted: str, kind: str, lines: int) -> None:
    text = read_prompt(f"please explain what happens here\n{pasted}")
    assert getattr(text, kind) == lines
    assert len(text.instruction_words) == 5


def test_prose_is_all_instruction() -> None:
    text = read_prompt("We have two services.\nThey share a queue.\nWhich one should own the retries?")
    assert len(text.instruction_words) == len(text.words) == 14
    assert (text.code_lines, text.log_lines, text.table_lines, text.fences, text.lines) == (0, 0, 0, 0, 3)


def test_nothing_but_code_is_its_own_instruction() -> None:
    text = read_prompt("def f(x):\n    return x\n")
    assert text.code_lines == 2
    assert len(text.instruction_words) == len(text.words) > 0


def test_an_open_fence_swallows_the_rest_and_does_not_fail() -> None:
    text = read_prompt("sort this\n```\nb\na")
    assert (len(text.instruction_words), text.fences, text.code_lines) == (2, 1, 2)


def test_blank_lines_are_not_counted() -> None:
    assert read_prompt("a\n\n   \n\t\nb").lines == 2


# Bounds


def test_a_long_prompt_is_read_at_its_head_and_its_tail() -> None:
    middle = "filler " * MB
    text = read_prompt(f"alpha {middle}omega")
    assert text.text.startswith("alpha ") and text.text.endswith(" omega")
    assert len(text.text) <= MAX_CHARS + 1
    assert text.length == len(middle) + 11


def test_a_long_instruction_is_bounded() -> None:
    text = read_prompt("word " * 1000)
    assert len(text.words) == 1000
    assert len(text.instruction_words) <= INSTRUCTION_CHARS // 5 + 2


@pytest.mark.parametrize("where", ["{ask}\n\n{pasted}", "{pasted}\n\n{ask}"], ids=["before", "after"])
def test_the_question_is_found_beside_ten_megabytes_of_code(where: str) -> None:
    prompt = where.format(ask="please translate the comments", pasted="x = compute(y);\n" * (10 * MB // 16))
    assert len(read_prompt(prompt).instruction_words) == 4


@given(
    st.text(st.characters()) | st.lists(st.sampled_from(["```", "x = 1", "ERROR x", "a,b,c", "", "so"])).map("\n".join)
)
def test_every_line_is_counted_once_at_most(prompt: str) -> None:
    text = read_prompt(prompt)
    assert text.length == len(prompt)
    assert text.code_lines + text.log_lines + text.table_lines + text.fences <= max(text.lines, prompt.count("```"))
    assert len(text.instruction_words) <= len(text.words)


# Time


ADVERSARIAL = {
    "one word": "x" * 10 * MB,
    "blanks": " " * 10 * MB,
    "newlines": "\n" * 10 * MB,
    "newlines before a word": "\n" * 6000 + "x",
    "blank lines with blanks": " \n" * 5 * MB,
    "indented lines": (" " * 399 + "x\n") * 20_000,
    "dots in a file name": "a.a." * MB,
    "slashes": "/" * 10 * MB,
    "hyphenated word": "a-" * 5 * MB,
    "quoted letters": "a'" * 5 * MB,
    "digits and commas": "1," * 5 * MB,
    "digits": "9" * 10 * MB,
    "pipes": "|" * 10 * MB,
    "commas": "a," * 5 * MB,
    "open brackets": "([{<" * MB,
    "quotes": '"' * 10 * MB,
    "dollars": "$a" * 5 * MB,
    "backslashes": "\\" * 10 * MB,
    "half a traceback": 'File "' * MB + '", line ',
    "stack frames": "   at " * MB,
    "keys without values": "a: " * MB,
    "open tags": "<a " * MB,
    "assignments": "a=" * 5 * MB,
    "fences": "```\n" * 2 * MB,
    "bullets": "- " * 5 * MB,
    "Chinese": "漢" * 3 * MB,
    "lone surrogates": "\ud800" * MB,
    "every byte": bytes(range(256)).decode("latin-1") * 4000,
    "Unicode line ends": "\u2028\u2029\x85" * MB,
}


@pytest.mark.parametrize("prompt", ADVERSARIAL.values(), ids=ADVERSARIAL.keys())
def test_no_string_of_megabytes_makes_reading_catastrophic(prompt: str) -> None:
    started = process_time()
    vector = extract(prompt).vector
    assert process_time() - started < 5.0
    assert np.isfinite(vector).all()
