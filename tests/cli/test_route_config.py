"""`turnout route` under a configuration: its candidates and rules, explained; mistakes in one line with their place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Turnout = Callable[..., Any]
HARD = "quick question: why does our lock deadlock under failover?"
EASY = "what does git stash do"
SMALL, MIDDLE, LARGE = "lmstudio/qwen2.5-coder-1.5b", "lmstudio/qwen2.5-coder-7b", "ollama/llama-3.3-70b"
NEW = "cloud/huge"
BASE = """providers:
  lmstudio:
    models: [qwen2.5-coder-1.5b, qwen2.5-coder-7b]
  ollama:
    models: [llama-3.3-70b]
  cloud:
    kind: openai
    base_url: https://api.example.com/v1
    models: [huge]
"""
RULES = """routing:
  rules:
    - name: security needs care
      when: "'security' in keywords"
      then: {force: ollama}
    - name: stays here
      when: prompt_chars > 30
      then: {forbid: cloud}
"""
SECURITY = "is this a security hole?"


@pytest.fixture(autouse=True)
def nothing_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration from where the tests run."""
    for name in ("TURNOUT_CONFIG", "TURNOUT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration file."""

    def write(text: str = BASE + RULES) -> Path:
        path = tmp_path / "hybrid.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def parsed(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


# Candidates and rules


def test_the_candidates_are_those_of_the_configuration(turnout: Turnout, config: Callable[..., Path]) -> None:
    ran = turnout("route", "--json", "--config", config(), EASY)
    assert (ran.code, ran.err) == (0, "")
    (result,) = parsed(ran.out)
    assert {entry["candidate"] for entry in result["ranking"]} == {SMALL, MIDDLE, LARGE, NEW}
    assert (result["rules"], result["excluded"], result["secrets"]) == ([], {}, [])


def test_rules_decide_and_are_named(turnout: Turnout, config: Callable[..., Path]) -> None:
    forced, forbidden = parsed(turnout("route", "--json", "--config", config(), SECURITY, HARD).out)
    assert forced["candidate"] == LARGE
    assert forced["reason"] == "the rule 'security needs care' forces it"
    assert (forced["rules"], forbidden["rules"]) == (["security needs care"], ["stays here"])
    assert forbidden["excluded"] == {NEW: "the rule 'stays here' forbids it"}


def test_the_environment_may_name_the_configuration(
    turnout: Turnout, config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_CONFIG", str(config()))
    (result,) = parsed(turnout("route", "--json", SECURITY).out)
    assert result["candidate"] == LARGE


def test_what_the_command_names_goes_before_what_the_environment_does(
    turnout: Turnout, config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_CONFIG", "nowhere.yaml")
    assert turnout("route", "--config", config(), EASY).code == 0


def test_the_configured_preference_counts_unless_another_is_asked_for(
    turnout: Turnout, config: Callable[..., Path]
) -> None:
    path = config(BASE + "routing: {preference: 1.0e+6}\n")
    configured, asked = (
        parsed(turnout("route", "--json", "--config", path, *more, HARD).out)[0] for more in ([], ["--preference", "0"])
    )
    assert "at preference 1000000.0" in configured["reason"]
    assert all(entry["utility"] == entry["p_success"] for entry in asked["ranking"])
    assert asked["confidence"] == max(entry["p_success"] for entry in asked["ranking"])


def test_before_there_is_a_champion_the_configuration_is_enough(
    turnout: Turnout, config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "nothing"))
    ran = turnout("route", "--config", config(), "--explain", HARD)
    assert (ran.code, ran.err) == (0, "")
    assert "nothing was learned of these candidates yet" in ran.out


def test_a_file_of_prompts_follows_the_configuration_and_goes_on_after_one_nobody_can_serve(
    turnout: Turnout, config: Callable[..., Path], tmp_path: Path
) -> None:
    nobody = BASE + "routing:\n  rules: [{name: r, when: prompt_chars > 30, then: {forbid: '*'}}]\n"
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text(
        "\n".join(json.dumps({"id": n, "prompt": p}) for n, p in enumerate((HARD, EASY))), encoding="utf-8"
    )
    ran = turnout("route", "--json", "--config", config(nobody), "--file", prompts)
    first, second = parsed(ran.out)
    assert ran.code == 1
    assert "the rule 'r' forbids it" in first["error"]
    assert second["candidate"]


# Explain


def test_explain_tells_candidates_rules_exclusions_and_pushes(turnout: Turnout, config: Callable[..., Path]) -> None:
    ran = turnout("route", "--config", config(), "--explain", HARD)
    assert (ran.code, ran.err) == (0, "")
    assert all(name in ran.out for name in (SMALL, MIDDLE, LARGE))
    assert "rules that spoke: stays here" in ran.out
    assert f"not {NEW}: the rule 'stays here' forbids it" in ran.out
    assert "what pushed" in ran.out


def test_explain_tells_nothing_twice(turnout: Turnout, config: Callable[..., Path]) -> None:
    lines = turnout("route", "--config", config(), "--explain", HARD).out.splitlines()
    assert sum("sure of success" in line for line in lines) == 1
    assert sum("worth its expense" in line or "points of success, too" in line for line in lines) == 1


def test_explain_in_json_is_the_decision_with_its_explanation(turnout: Turnout, config: Callable[..., Path]) -> None:
    (result,) = parsed(turnout("route", "--json", "--config", config(), "--explain", HARD).out)
    explanation = result["explanation"]
    assert explanation["candidate"] == result["candidate"]
    assert [entry["candidate"] for entry in explanation["ranking"]] == [e["candidate"] for e in result["ranking"]]
    assert explanation["pushes"] and "flips" in explanation
    assert explanation["excluded"] == [
        {"candidate": NEW, "reason": "the rule 'stays here' forbids it", "rule": "stays here"}
    ]


# Conversation


@pytest.fixture
def staying(config: Callable[..., Path]) -> Path:
    """A configuration whose conversations never move by themselves, and whose security goes to the strong one."""
    return config(BASE + RULES.replace("routing:", "routing:\n  conversations: {switch_gain: 1.0e+6}"))


def candidates(out: str) -> list[str]:
    return [result["candidate"] for result in parsed(out)]


def test_prompts_of_one_conversation_stay_together(turnout: Turnout, staying: Path) -> None:
    asked = ["route", "--json", "--preference", "1000", "--config", staying, SECURITY, "ok"]
    together = candidates(turnout(*asked, "--conversation", "c").out)
    apart = candidates(turnout(*asked).out)
    assert together == [LARGE, LARGE]
    assert apart[0] == LARGE != apart[1]


def test_a_file_of_prompts_may_be_one_conversation(turnout: Turnout, staying: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("\n".join(json.dumps({"prompt": p}) for p in (SECURITY, "ok")), encoding="utf-8")
    ran = turnout(
        "route", "--json", "--preference", "1000", "--config", staying, "--file", prompts, "--conversation", "c"
    )
    assert candidates(ran.out) == [LARGE, LARGE]


def test_a_short_follow_up_is_as_hard_as_what_it_follows(turnout: Turnout, config: Callable[..., Path]) -> None:
    asked = ["route", "--json", "--config", config(), HARD, "commit it"]
    alone, follow_up = (
        {entry["candidate"]: entry["p_success"] for entry in parsed(turnout(*asked, *more).out)[1]["ranking"]}
        for more in ([], ["--conversation", "c"])
    )
    assert follow_up[SMALL] != pytest.approx(alone[SMALL], abs=1e-3)


# Live


def test_looking_first_needs_a_configuration(turnout: Turnout) -> None:
    ran = turnout("route", "--live", EASY)
    assert (ran.code, ran.out) == (2, "")
    assert "--config" in ran.err


def test_looking_first_leaves_out_providers_that_do_not_answer(
    turnout: Turnout, config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TURNOUT_STATE", str(tmp_path / "state"))
    nobody_listens = "providers:\n  lmstudio:\n    base_url: http://127.0.0.1:9\n    models: [one]\n"
    ran = turnout("route", "--live", "--config", config(nobody_listens), EASY)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("turnout route: no candidate can serve this (lmstudio/one: ")
    assert ran.err.count("\n") == 1


# Mistakes


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (BASE + "routing:\n  preferense: fast\n", 11, "did you mean preference?"),
        (BASE + "routing:\n  preference: quick\n", 11, "fast, balanced, quality"),
        (BASE + RULES.replace("force: ollama", "force: olama"), 14, "did you mean ollama?"),
        (BASE + RULES.replace("prompt_chars >", "prompt_char >"), 16, "prompt_chars"),
        (BASE + "routing: [\n", 10, "not YAML"),
        ("providers:\n  a: {kind: openai, base_url: nowhere}\n", 2, "base_url"),
    ],
    ids=["key", "value", "target", "variable", "yaml", "address"],
)
def test_a_mistake_in_the_configuration_is_told_in_one_line_with_file_and_line(
    turnout: Turnout, config: Callable[..., Path], text: str, line: int, told: str
) -> None:
    path = config(text)
    ran = turnout("route", "--config", path, EASY)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"turnout route: {path}:{line}: ") and ran.err.count("\n") == 1
    assert told in ran.err


def test_several_mistakes_have_a_line_each(turnout: Turnout, config: Callable[..., Path]) -> None:
    path = config(BASE + "routing:\n  preferense: fast\n  unsure_margin: 7\n")
    err = turnout("route", "--config", path, EASY).err.splitlines()
    assert [f"{path}:{line}: " in told for line, told in zip((11, 12), err, strict=True)] == [True, True]


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_configuration_that_cannot_be_read_is_an_error_in_one_line(turnout: Turnout, name: str) -> None:
    ran = turnout("route", "--config", name, EASY)
    assert (ran.code, ran.out) == (1, "")
    assert name in ran.err and ran.err.count("\n") == 1


def test_when_nobody_can_serve_every_reason_is_told_in_one_line(turnout: Turnout, config: Callable[..., Path]) -> None:
    path = config(BASE + "routing:\n  rules: [{name: r, when: 'true', then: {forbid: '*'}}]\n")
    ran = turnout("route", "--config", path, EASY)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1 and ran.err.count("the rule 'r' forbids it") == 4


def test_a_forced_candidate_that_cannot_serve_is_an_error(turnout: Turnout, config: Callable[..., Path]) -> None:
    text = BASE.replace("[llama-3.3-70b]", "[{name: llama-3.3-70b, context_length: 4}]") + RULES
    ran = turnout("route", "--config", config(text), f"{SECURITY} " * 20)
    assert (ran.code, ran.out) == (1, "")
    assert f"{LARGE}: its window of 4 tokens" in ran.err


@pytest.mark.parametrize("preference", ["cheap", "nan", "-1"])
def test_an_unknown_preference_is_explained_in_one_line(
    turnout: Turnout, config: Callable[..., Path], preference: str
) -> None:
    ran = turnout("route", "--config", config(), f"--preference={preference}", EASY)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("turnout route: preference ") and ran.err.count("\n") == 1
