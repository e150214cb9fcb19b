"""`turnout route`: for a person a card, for a program one object a line, for a mistake one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnout import Router
from turnout.types import COMPLEXITIES, TASK_TYPES

Turnout = Callable[..., Any]
HARD = "quick question: why does our lock deadlock under failover?"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write prompts as JSON lines; text is written as it is."""

    def lines(*rows: object, name: str = "prompts.jsonl") -> Path:
        path = tmp_path / name
        texts = (row if isinstance(row, str) else json.dumps(row) for row in rows)
        path.write_text("\n".join(texts), encoding="utf-8")
        return path

    return lines


def parsed(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


# For a person


def test_a_prompt_gets_a_card_with_candidate_task_and_reason(turnout: Turnout, router: Router) -> None:
    decision = router.route(HARD)
    ran = turnout("route", HARD)
    assert (ran.code, ran.err) == (0, "")
    assert HARD in ran.out and decision.candidate in ran.out and decision.reason in ran.out
    assert f"{decision.task.type}, {decision.task.complexity}, strong tier" in ran.out


def test_several_prompts_get_a_card_each(turnout: Turnout) -> None:
    ran = turnout("route", "sort the imports", HARD)
    assert ran.code == 0
    assert ran.out.count("→") == 2


def test_a_long_prompt_is_shown_on_one_short_line(turnout: Turnout) -> None:
    first = turnout("route", "sort\nthese\tnames " * 100).out.splitlines()[0]
    assert len(first) <= 77 and first.endswith("…")
    assert first.startswith("sort these names")


def test_explain_shows_every_candidate_with_success_seconds_and_utility(turnout: Turnout, router: Router) -> None:
    out = turnout("route", "--explain", HARD).out
    for entry in router.route(HARD).ranking:
        (line,) = (line for line in out.splitlines() if line.strip().startswith(entry.candidate))
        assert f"{entry.p_success:.1%}" in line and f"{entry.utility:.3f}" in line
    assert "complexity" in out and "strong tier" in out


def test_without_explain_only_the_choice_is_shown(turnout: Turnout) -> None:
    assert len(turnout("route", HARD).out.splitlines()) == 3


# For a program


def test_json_has_the_keys_of_the_contract(turnout: Turnout) -> None:
    (result,) = parsed(turnout("route", "--json", HARD).out)
    assert {"candidate", "confidence", "reason", "ranking", "task"} <= result.keys()
    assert {"type", "complexity", "complexity_score", "tier", "tier_score"} <= result["task"].keys()
    assert all({"candidate", "p_success", "expected_s", "utility"} <= entry.keys() for entry in result["ranking"])


def test_json_values_are_of_their_kinds_and_in_range(turnout: Turnout) -> None:
    (result,) = parsed(turnout("route", "--json", HARD).out)
    task = result["task"]
    assert isinstance(result["reason"], str) and result["reason"]
    assert 0 < result["confidence"] < 1
    assert task["type"] in TASK_TYPES and task["complexity"] in COMPLEXITIES and task["tier"] == "strong"
    assert 0 <= task["complexity_score"] <= 10 and 0.5 < task["tier_score"] <= 1


def test_json_says_what_the_router_says(turnout: Turnout, router: Router) -> None:
    decision = router.route(HARD)
    (result,) = parsed(turnout("route", "--json", HARD).out)
    assert result["candidate"] == decision.candidate == result["ranking"][0]["candidate"]
    assert result["confidence"] == pytest.approx(decision.confidence, abs=1e-4)
    assert [entry["candidate"] for entry in result["ranking"]] == [entry.candidate for entry in decision.ranking]


def test_json_for_several_prompts_is_one_object_a_line(turnout: Turnout) -> None:
    assert len(parsed(turnout("route", "--json", "sort the imports", HARD).out)) == 2


def test_json_keeps_progress_and_notes_off_standard_output(turnout: Turnout) -> None:
    ran = turnout("route", "--json", "--explain", HARD)
    assert len(parsed(ran.out)) == 1
    assert ran.err == ""


# Preference and predictor


@pytest.mark.parametrize("preference", ["fast", "balanced", "quality", "0", "0.25", "1e3"])
def test_a_preference_is_a_name_or_a_number(turnout: Turnout, router: Router, preference: str) -> None:
    meant = float(preference) if preference[0].isdigit() else preference
    (result,) = parsed(turnout("route", "--json", "--preference", preference, HARD).out)
    assert result["candidate"] == router.route(HARD, meant).candidate


@pytest.mark.parametrize("preference", ["cheap", "nan", "inf", "", "-1"])
def test_an_unknown_preference_is_explained_in_one_line(turnout: Turnout, preference: str) -> None:
    ran = turnout("route", f"--preference={preference}", HARD)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("turnout route: preference ") and ran.err.count("\n") == 1


def test_another_predictor_can_be_named(
    turnout: Turnout, champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "nothing"))
    assert turnout("route", "--predictor", champion, HARD).code == 0


# A file of prompts


def test_a_file_gets_one_result_a_line_with_its_id(
    turnout: Turnout, write: Callable[..., Path], router: Router
) -> None:
    path = write({"id": "a", "prompt": HARD}, {"id": 7, "prompt": "sort the imports"})
    ran = turnout("route", "--file", path, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert [row["id"] for row in parsed(ran.out)] == ["a", 7]
    assert [row["candidate"] for row in parsed(ran.out)] == [
        router.route(prompt).candidate for prompt in (HARD, "sort the imports")
    ]


def test_a_file_without_json_gets_one_tabbed_line_each(turnout: Turnout, write: Callable[..., Path]) -> None:
    out = turnout("route", "--file", write({"id": "a", "prompt": HARD}, {"id": "b", "prompt": "hi"})).out
    assert [line.split("\t")[0] for line in out.splitlines()] == ["a", "b"]
    assert {len(line.split("\t")) for line in out.splitlines()} == {5}


def test_a_line_without_an_id_is_known_by_its_number(turnout: Turnout, write: Callable[..., Path]) -> None:
    path = write({"prompt": "hi"}, "", {"prompt": "hello", "more": [1]})
    assert [row["id"] for row in parsed(turnout("route", "--file", path, "--json").out)] == [1, 3]


def test_a_byte_order_mark_at_the_start_of_a_file_is_no_mistake(turnout: Turnout, write: Callable[..., Path]) -> None:
    path = write("\ufeff" + json.dumps({"id": "a", "prompt": "hi"}))
    assert turnout("route", "--file", path).code == 0


def test_an_empty_file_has_no_results_and_no_mistakes(turnout: Turnout, write: Callable[..., Path]) -> None:
    ran = turnout("route", "--file", write())
    assert ran == (0, "", "")


@pytest.mark.parametrize(
    "broken",
    ["{", "nonsense", "[1, 2]", '"text"', "{}", '{"id": 1}', '{"prompt": 3}', '{"prompt": null}', "[" * 20_000],
)
def test_a_broken_line_is_an_error_that_names_file_and_line(
    turnout: Turnout, write: Callable[..., Path], broken: str
) -> None:
    path = write({"id": "a", "prompt": "hi"}, broken)
    ran = turnout("route", "--file", path, "--json")
    assert ran.code == 1
    assert f"{path}, line 2: " in ran.err and ran.err.count("\n") == 1
    assert [row["id"] for row in parsed(ran.out)] == ["a"], "what came before it is told"


def test_a_blank_prompt_in_a_file_is_reported_beside_its_id_and_the_rest_is_routed(
    turnout: Turnout, write: Callable[..., Path]
) -> None:
    path = write({"id": "a", "prompt": " "}, {"id": "b", "prompt": "hi"})
    ran = turnout("route", "--file", path, "--json")
    assert ran.code == 1
    first, second = parsed(ran.out)
    assert (first["id"], second["id"]) == ("a", "b")
    assert "empty" in first["error"] and "candidate" in second
    assert ran.err == "1 prompts could not be routed\n"


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_an_error_in_one_line(turnout: Turnout, tmp_path: Path, name: str) -> None:
    ran = turnout("route", "--file", tmp_path / name)
    assert (ran.code, ran.out) == (1, "")
    assert "cannot be read" in ran.err and ran.err.count("\n") == 1


# Mistakes


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_an_empty_prompt_is_explained_in_one_line(turnout: Turnout, prompt: str) -> None:
    ran = turnout("route", prompt)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("turnout route: the prompt is empty") and ran.err.count("\n") == 1


def test_hostile_strings_are_routed_and_shown(turnout: Turnout, hostile_prompts: dict[str, str]) -> None:
    for prompt in hostile_prompts.values():
        assert turnout("route", prompt).code == 0


def test_without_a_champion_the_command_says_how_to_make_one(
    turnout: Turnout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path))
    ran = turnout("route", HARD)
    assert (ran.code, ran.out) == (1, "")
    assert "no predictor in" in ran.err and "turnout train --promote" in ran.err and ran.err.count("\n") == 1


def test_a_damaged_champion_is_explained_in_one_line(turnout: Turnout, damaged: Callable[[str], Path]) -> None:
    ran = turnout("route", "--predictor", damaged("arrays cut"), HARD)
    assert (ran.code, ran.out) == (1, "")
    assert "truncated or was altered" in ran.err and ran.err.count("\n") == 1
