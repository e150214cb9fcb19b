"""Answers that say the same share a canonical form, those that do not keep apart, and the most win."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.votes import agreed_confidence, canonical, vote
from turnout.types import Answer, ToolCall


def says(text: str) -> Answer:
    return Answer("local/small", "small", text)


def form(text: str) -> object:
    return canonical(says(text))


SAME = [
    (
        "18",
        "18.0",
        "18.",
        " +18 ",
        "**18**",
        "$18",
        "`18`",
        "The answer is 18.",
        "6 * 3 = 18\n#### 18",
        r"so $\boxed{18}$",
    ),
    ("1,234,567.5", "1234567.50", "Final answer: $1,234,567.5", "### Answer:\n1234567.5"),
    ("Answer: **-3**", "-3", "−3", "-3.00", "Thus the final answer is: -3"),
    ("50%", "50 %", "Answer: 50.0%"),
    ("Paris", "paris.", "**Paris!**", '"Paris"', "Let me think.\n\nFinal Answer: Paris", "Antwort: Paris", "(Paris)"),
    ("B", "(B)", "b)", "Answer: B) Paris", "**Answer:** B. Paris", "The answer is (B)."),
    ('{"a": 1, "b": [2.0]}', '```json\n{"b": [2], "a": 1.0}\n```', 'Here it is:\n```json\n{"b":[2],"a":1}\n```\nDone.'),
    ("```python\nprint(1)\n```", "Sure:\n\n```python\nprint(1)   \n```\n\nThis prints one.", "```py\n\nprint(1)\n```"),
    ("yes", "Yes", "YES!", "Yes  "),
    (r"\boxed{\frac{1}{2}}", r"The result: \boxed{\frac{1}{2}}."),
]
DIFFERENT = [
    ("18", "19", "1.8", "-18", "18%", "5!", "180", "1,8"),
    ("5!", "5", "5²", "52"),
    ("C++", "C#", "C"),
    ("x: 1", "x: 2"),
    ("a) do this\nb) do that", "a) leave it\nb) do that"),
    ("```python\nif a:\n    b()\n    c()\n```", "```python\nif a:\n    b()\nc()\n```"),
    ("```python\nFoo\n```", "```python\nfoo\n```"),
    ('{"a": 1}', '{"a": true}', '{"a": "1"}', '{"a": null}', "[1]"),
    ("__init__", "init"),
    (".gitignore", "gitignore"),
    ("f()", "f"),
    ("12345678901234567890123456789012345", "12345678901234567890123456789012346"),
    ("it holds", "it does not hold"),
    ("", "0"),
]


@pytest.mark.parametrize("texts", SAME, ids=lambda texts: texts[0][:20])
def test_the_same_answer_in_other_words_has_one_form(texts: tuple[str, ...]) -> None:
    assert {form(text) for text in texts} == {form(texts[0])}


@pytest.mark.parametrize("texts", DIFFERENT, ids=lambda texts: texts[0][:20])
def test_other_answers_have_other_forms(texts: tuple[str, ...]) -> None:
    assert len({form(text) for text in texts}) == len(texts)


def test_calls_of_tools_agree_by_name_and_arguments() -> None:
    def calls(arguments: str, name: str = "add", identifier: str = "1") -> object:
        return canonical(Answer("a/b", "b", tool_calls=(ToolCall(identifier, name, arguments),)))

    assert calls('{"a": 1, "b": 2}') == calls('{"b":2,"a":1.0}', identifier="2")
    assert len({calls('{"a": 1}'), calls('{"a": 2}'), calls('{"a": 1}', "sub"), calls("{broken"), form("")}) == 5


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 50_000,
        "9" * 10_000,
        "1e999",
        "NaN",
        "\\boxed{" * 20_000,
        "." * 200_000 + "x",
        "\ud800",
        "!" * 100_000,
    ],
)
def test_hostile_answers_have_a_form_too(text: str) -> None:
    assert form(text) == form(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=3))
def test_a_number_is_the_same_however_it_is_written(number: Any) -> None:
    plain = format(number, "f")
    written = (f"{number:,.3f}", f"{plain}00", f"Answer: {plain}", f"**{plain}**", f"{plain}.")
    assert {form(text) for text in written} == {form(plain)}


@given(st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))
def test_two_numbers_share_a_form_only_if_they_are_equal(one: int, other: int) -> None:
    assert (form(str(one)) == form(f"The answer is {other:,}.")) == (one == other)


plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), plain_json, min_size=1, max_size=4))
def test_json_is_the_same_in_any_order_and_spacing(value: dict[str, Any]) -> None:
    turned = json.dumps(dict(reversed(value.items())), indent=3)
    assert form(json.dumps(value)) == form(turned) == form(f"```json\n{turned}\n```")


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9))
def test_the_most_named_answer_wins_and_its_share_is_the_agreement(letters: list[str]) -> None:
    found = vote([says(letter) for letter in letters], [0.5] * len(letters))
    most = max(letters.count(letter) for letter in letters)
    assert len(found.agreeing) == most and len({letters[place] for place in found.agreeing}) == 1
    assert found.agreement == most / len(letters)


def test_between_equal_groups_the_more_trusted_one_wins_then_the_earlier() -> None:
    answers = [says(text) for text in ("a", "b", "b", "a")]
    assert vote(answers, [0.5, 0.6, 0.6, 0.5]).agreeing == (1, 2)
    assert vote(answers, [0.5, 0.5, 0.5, 0.5]).agreeing == (0, 3)


def test_agreement_raises_and_disagreement_lowers_the_confidence() -> None:
    assert agreed_confidence(0.7, 1, 1) == pytest.approx(0.7)
    assert agreed_confidence(0.7, 5, 5) == pytest.approx(0.9)
    assert agreed_confidence(0.7, 3, 5) == pytest.approx(0.567, abs=0.001)
    assert agreed_confidence(0.7, 1, 3) == pytest.approx(0.35)


@given(st.floats(0, 1), st.integers(1, 32), st.data())
def test_the_confidence_stays_a_probability_and_grows_with_votes(confidence: float, answers: int, data: Any) -> None:
    votes = data.draw(st.integers(1, answers))
    told = agreed_confidence(confidence, votes, answers)
    assert 0 <= told <= 1
    assert votes == answers or told < agreed_confidence(confidence, votes + 1, answers)
