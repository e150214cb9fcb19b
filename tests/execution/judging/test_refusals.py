"""Refusals are told from answers in eleven languages, by 364 hand-written openings: half refusals, half what looks like one.

A part of them was written after the patterns and then found 60 % of the more unusual refusals; the patterns were widened
by it. So the figures here are an upper bound: what is new to them is missed rather than accused.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.judging.refusals import FIRM_CHARS, is_refusal

ROOT = Path(__file__).parents[3]
EXAMPLES = [json.loads(line) for line in Path(__file__).with_name("refusals.jsonl").read_text("utf-8").splitlines()]


def test_there_are_examples_of_both_kinds_in_every_language() -> None:
    kinds = defaultdict(set)
    for row in EXAMPLES:
        kinds[row["language"]].add(row["refusal"])
    assert len(EXAMPLES) >= 120 and set(kinds) == set("en de fr es it pt ja zh tr pl nl".split())
    assert all(both == {True, False} for both in kinds.values())
    assert 0.45 < sum(row["refusal"] for row in EXAMPLES) / len(EXAMPLES) < 0.55


def test_precision_and_recall_are_at_least_95_percent() -> None:
    found = [(is_refusal(row["text"], row.get("prompt", "")), row) for row in EXAMPLES]
    right = sum(said and row["refusal"] for said, row in found)
    wrong = [(said, row["text"]) for said, row in found if said != row["refusal"]]
    assert right / sum(said for said, _ in found) >= 0.95, wrong
    assert right / sum(row["refusal"] for row in EXAMPLES) >= 0.95, wrong


@pytest.mark.parametrize("language", sorted({row["language"] for row in EXAMPLES}))
def test_every_language_is_covered(language: str) -> None:
    rows = [row for row in EXAMPLES if row["language"] == language]
    right = sum(is_refusal(row["text"], row.get("prompt", "")) == row["refusal"] for row in rows)
    assert right / len(rows) >= 0.9


def test_developers_own_words_are_hardly_ever_taken_for_a_refusal() -> None:
    lines = (ROOT / "data" / "prompts.jsonl").read_text("utf-8").splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines[::5]]
    assert sum(map(is_refusal, prompts)) <= len(prompts) / 500


REFUSED = "I'm sorry, but I can't help with that."


def test_how_it_is_written_does_not_matter() -> None:
    for text in (
        REFUSED,
        REFUSED.upper(),
        f"\n\n  **{REFUSED}**",
        REFUSED.replace("'", "’"),
        REFUSED.replace(" ", "  "),
    ):
        assert is_refusal(text)


def test_an_answer_that_follows_after_all_is_no_refusal() -> None:
    assert not is_refusal(f"{REFUSED} Still, this is what I would try:\n\n```sh\nmake clean\n```")
    assert not is_refusal(REFUSED + " The usual way is this." * (FIRM_CHARS // 20))
    limit = "I don't have access to your files."
    assert is_refusal(limit) and is_refusal(f"{limit} Please paste the function here and I will look at it.")
    assert not is_refusal(f"{limit} {'The error says that the lock is taken by another process. ' * 5}")


def test_a_list_after_a_limit_is_an_answer_unless_it_asks_for_more() -> None:
    steps = "1. look at the number of open sockets\n2. look at the size of the pool\n3. see whether each cursor is closed again"
    limit = "I don't have access to your logs."
    assert not is_refusal(
        f"{limit} Look here:\n\n{steps}\n\nThen restart the service and watch the first number again."
    )


def test_quoted_and_coded_refusals_are_content() -> None:
    for text in (
        f'The bot says "{REFUSED}" then.',
        f"> {REFUSED}",
        f"`{REFUSED}`",
        f"```\n{REFUSED}\n```",
        f"«{REFUSED}»",
    ):
        assert not is_refusal(text), text


def test_what_the_prompt_asks_to_write_is_no_refusal() -> None:
    mail = "I cannot give you the discount this year."
    assert not is_refusal(mail, "write a short mail to a customer who wants a discount")
    assert not is_refusal("No puedo ayudarte.", "translate: I can't help you with that")
    assert is_refusal(
        "I can't write that e-mail, since it would threaten somebody.", "write a mail to scare my neighbour"
    )


@given(st.text(max_size=600), st.text(max_size=300))
def test_any_text_is_judged(text: str, prompt: str) -> None:
    assert is_refusal(text, prompt) in (True, False)
