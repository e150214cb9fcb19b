"""Task type, complexity and tier: scores that add up, judgements that see through the surface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.features import extract
from turnout.types import COMPLEXITIES, TASK_TYPES, Task

FAST = (
    "rename the variable usr to user in this function",
    "sort these imports alphabetically",
    'convert this JSON to YAML: {"port": 8080, "host": "localhost"}',
    "write a .gitignore for a python project",
    "what does git stash do",
    "fix the typo in this sentence: teh cache is warm",
    "add a docstring to def area(r): return 3.14 * r * r",
    "write a function that reverses a string in javascript",
    "give me a dockerfile for a small flask app",
    "translate this error message to german: file not found",
    "how do I undo the last commit in git",
    "make this list a markdown table: name, age, city",
)
STRONG = (
    "find the race condition in our distributed lock service that only shows up during leader failover",
    "design a multi-tenant billing architecture with exactly-once invoicing across three regions",
    "plan a zero-downtime migration of our 4 TB postgres database to a sharded cluster",
    "why do two replicas diverge after a network partition although we use raft and fsync every entry",
    "review our oauth token refresh flow for security vulnerabilities and explain the attack paths",
    "split this monolith of 40 modules into services and keep all transactions consistent across them",
    "our service leaks memory only under production load after six hours; the heap profile is flat, find the cause",
    "implement a lock-free multi-producer multi-consumer queue in c++ and prove that it is linearizable",
    "design the rollout of row-level security for 200 tenants without downtime and with a rollback for every step",
    "audit this cryptographic handshake for downgrade attacks and side channels and propose a fix",
)
CLEAR = [(prompt, "fast") for prompt in FAST] + [(prompt, "strong") for prompt in STRONG]

REWORDINGS: dict[str, Callable[[str], str]] = {
    "a please before": lambda prompt: f"please {prompt}",
    "a please after": lambda prompt: f"{prompt}, please",
    "thanks": lambda prompt: f"hi, {prompt}, thanks",
    "trailing blanks": lambda prompt: f"{prompt}   ",
    "leading lines": lambda prompt: f"  \n{prompt}",
    "a capital letter": lambda prompt: prompt[0].upper() + prompt[1:],
    "a full stop": lambda prompt: f"{prompt}.",
    "wide spaces": lambda prompt: prompt.replace(" ", "  "),
}

FUNCTION = '''def settle_{n}(session, orders, limit={n}):
    """Settle orders and return those left over."""
    left = []
    for order in orders[:limit]:
        if order.paid and not order.locked:
            session.execute("UPDATE orders SET settled = 1 WHERE id = ?", (order.id,))
        else:
            left.append(order)
    return left
'''
PASTED = (
    "import sys\nfrom .models import Session\nimport os\nimport json\nfrom datetime import datetime\nimport asyncio\n"
    "from .lock import DistributedLock\nimport hmac\n\n\n" + "\n\n".join(FUNCTION.format(n=n) for n in range(40))
)


def judge(prompt: str) -> Task:
    return extract(prompt).task


# Scores


def check(task: Task) -> None:
    assert set(task.type_scores) == set(TASK_TYPES) and set(task.complexity_scores) == set(COMPLEXITIES)
    for scores in (task.type_scores, task.complexity_scores):
        assert sum(scores.values()) == pytest.approx(1.0, abs=1e-6)
        assert all(0 <= score <= 1 for score in scores.values())
    assert task.type == max(task.type_scores, key=lambda name: task.type_scores[name])
    assert 0 <= task.complexity_score <= 10
    assert 0 < task.tier_score < 1
    assert task.tier == ("strong" if task.tier_score > 0.5 else "fast")


@given(st.text(st.characters()))
def test_scores_add_up_and_stay_in_range_for_any_text(text: str) -> None:
    check(judge(text))


def test_scores_add_up_for_hostile_strings(hostile_prompts: dict[str, str]) -> None:
    for prompt in hostile_prompts.values():
        check(judge(prompt))


def test_scores_add_up_and_every_label_occurs_on_real_prompts(prompts: tuple[str, ...]) -> None:
    tasks = [judge(prompt) for prompt in prompts]
    for task in tasks:
        check(task)
    assert {task.type for task in tasks} == set(TASK_TYPES)
    assert {task.complexity for task in tasks} == set(COMPLEXITIES)


def test_the_complexity_label_follows_its_score(prompts: tuple[str, ...]) -> None:
    ordered = sorted((judge(prompt) for prompt in prompts[:200]), key=lambda task: task.complexity_score)
    levels = [COMPLEXITIES.index(task.complexity) for task in ordered]
    assert levels == sorted(levels)


# Clear prompts, and the same in other words


@pytest.mark.parametrize(("prompt", "tier"), CLEAR)
def test_a_clear_prompt_is_judged_clearly(prompt: str, tier: str) -> None:
    assert judge(prompt).tier == tier


@pytest.mark.parametrize("reword", REWORDINGS.values(), ids=REWORDINGS.keys())
@pytest.mark.parametrize(("prompt", "tier"), CLEAR)
def test_a_harmless_rewording_keeps_the_tier(prompt: str, tier: str, reword: Callable[[str], str]) -> None:
    assert judge(reword(prompt)).tier == tier


@pytest.mark.parametrize("reword", REWORDINGS.values(), ids=REWORDINGS.keys())
def test_a_harmless_rewording_keeps_nearly_every_type(reword: Callable[[str], str]) -> None:
    kept = sum(judge(reword(prompt)).type == judge(prompt).type for prompt, _ in CLEAR)
    assert kept >= len(CLEAR) - 2


@pytest.mark.parametrize(
    ("easy", "telling"),
    [
        ("what is a mutex", "why does our mutex deadlock under failover"),
        ("write a script that copies a file", "write a script that copies 4 TB between regions without downtime"),
        ("rename this function", "rename this service across all 40 repositories without breaking any consumer"),
        ("why does this line print None", "why do our replicas diverge intermittently after failover"),
        ("plan a birthday party for a colleague", "plan the migration of our monolith to services without downtime"),
    ],
)
def test_telling_words_move_the_tier(easy: str, telling: str) -> None:
    assert (judge(easy).tier, judge(telling).tier) == ("fast", "strong")
    assert judge(telling).complexity_score > judge(easy).complexity_score


# Misleading surfaces


def test_a_question_that_calls_itself_quick_can_need_the_strong_tier() -> None:
    assert judge("quick question: why does our lock deadlock under failover?").tier == "strong"


def test_a_request_to_analyse_can_be_trivial() -> None:
    task = judge("analyze: is 7 odd")
    assert (task.tier, task.complexity) == ("fast", "simple")


def test_creating_a_template_engine_is_not_filling_in_a_template() -> None:
    assert judge("create a template engine").type == "generation"


@pytest.mark.parametrize(
    "layout",
    ["{ask}\n\n{code}", "{code}\n\n{ask}", "{ask}:\n```python\n{code}```", "```python\n{code}```\n{ask}"],
    ids=["before", "after", "before a fence", "after a fence"],
)
def test_a_small_wish_about_a_long_file_is_a_small_task(layout: str) -> None:
    task = judge(layout.format(ask="just sort the imports", code=PASTED))
    assert task.tier == "fast"
    assert task.type in ("format", "edit")


# Other languages


@pytest.mark.parametrize(
    ("prompt", "tier"),
    [
        ("übersetze diese fehlermeldung ins deutsche: file not found", "fast"),
        ("benenne die variable usr in user um", "fast"),
        ("renomme la variable usr en user", "fast"),
        ("warum verklemmt sich unser verteiltes lock beim failover, obwohl wir fencing tokens benutzen?", "strong"),
        ("pourquoi notre verrou distribué se bloque-t-il lors du basculement entre réplicas ?", "strong"),
        ("なぜフェイルオーバー時に分散ロックがデッドロックするのか、原因を調べて", "strong"),
        ("为什么我们的分布式锁在故障转移时会死锁？", "strong"),
        ("почему наша распределённая блокировка зависает при переключении реплик?", "strong"),
    ],
)
def test_other_languages_than_english_are_judged_too(prompt: str, tier: str) -> None:
    assert judge(prompt).tier == tier


# On prompts that no fit has seen. The floors catch a broken model, not a slightly worse one; benchmarks measure.


def share_right(rows: list[dict[str, Any]], label: str, judged: str) -> float:
    assert len(rows) >= 25
    return sum(getattr(judge(row["prompt"]), judged) == row[label] for row in rows) / len(rows)


def test_nine_in_ten_held_out_prompts_get_the_right_tier(heldout: list[dict[str, Any]]) -> None:
    assert share_right(heldout, "tier", "tier") >= 0.9


def test_eight_in_ten_held_out_prompts_get_the_right_type(heldout: list[dict[str, Any]]) -> None:
    assert share_right(heldout, "task_type", "type") >= 0.8


@pytest.mark.parametrize(
    "part",
    [
        lambda row: row["cue"] == "misleading",
        lambda row: row["language"] != "en",
        lambda row: row["tier"] == "fast" and len(row["prompt"].split()) > 100,
        lambda row: row["tier"] == "strong" and len(row["prompt"].split()) < 20,
    ],
    ids=["misleading", "not English", "long and easy", "short and hard"],
)
def test_eight_in_ten_prompts_of_a_difficult_part_get_the_right_tier(
    heldout: list[dict[str, Any]], part: Callable[[dict[str, Any]], bool]
) -> None:
    assert share_right([row for row in heldout if part(row)], "tier", "tier") >= 0.8
