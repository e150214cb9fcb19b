"""Explanations: every number adds up, every flip is true, and both forms can be read where they are meant to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from turnout import Decision, Router
from turnout.config.loader import load_content
from turnout.config.machine import Machine
from turnout.config.rules import ExchangeRates
from turnout.policy.explanation import Explanation
from turnout.policy.policy import Policy
from turnout.predictor import Predictor
from turnout.predictor.contributions import Breakdown
from turnout.predictor.fit import Fitted
from turnout.types import CandidateState, Hints, LanguageModel, Resources, Snapshot, Speeds

HARD = "quick question: why does our lock deadlock under failover?"
EASY = "what does git stash do"
SMALL, MIDDLE, LARGE = "lmstudio/qwen2.5-coder-1.5b", "lmstudio/qwen2.5-coder-7b", "ollama/llama-3.3-70b"
NEW = "cloud/huge"
GIB = 2**30
BASE = """
providers:
  lmstudio:
    models: [qwen2.5-coder-1.5b, qwen2.5-coder-7b]
  ollama:
    models: [llama-3.3-70b]
"""
CLOUD = """
  cloud:
    kind: openai
    base_url: https://api.example.com/v1
    models: [{name: huge, prompt_usd_per_million: 2.5, completion_usd_per_million: 10}]
"""


def policy(routing: str = "{}", base: str = BASE) -> Policy:
    ordinary = Machine(memory_mb=24_000, cores=8, gpu=False)
    text = f"{base}\nrouting: {routing}\nhybrid: {{exploration: {{enabled: false}}}}\n"
    return Policy(load_content(text.encode(), "f.yaml", environment={}, machine=lambda: ordinary).configuration)


def ruled(then: str, when: str = "true", more: str = "") -> Policy:
    return policy(f'{{rules: [{{name: the rule, when: "{when}", then: {{{then}}}}}]{more}}}')


def state(name: str, rate: float, gib: float, *, loaded: bool = True, problem: str = "") -> CandidateState:
    model = LanguageModel(name=name.partition("/")[2], loaded=loaded, memory_bytes=int(gib * GIB))
    speeds = Speeds(
        first_token_s=0.2, prefill_tokens_per_s=10 * rate, decode_tokens_per_s=rate, load_s=gib * 2, measurements=9
    )
    return CandidateState(candidate=name, model=model, speeds=speeds, problem=problem)


def seen(*states: CandidateState) -> Snapshot:
    machine = Resources(sampled_s=0, ram_total_bytes=16 * GIB, ram_free_bytes=4 * GIB, cpu_share=0.1)
    return Snapshot(taken_s=0, candidates={each.candidate: each for each in states}, resources=machine)


USUAL = seen(state(SMALL, 90, 2), state(MIDDLE, 40, 5), state(LARGE, 8, 8))
SWAPS = seen(state(SMALL, 90, 2), state(MIDDLE, 40, 5), state(LARGE, 8, 8, loaded=False))


@pytest.fixture(scope="module")
def under(small_fitted: Fitted) -> Callable[..., Router]:
    """A router of the small predictor under a policy."""
    return lambda made=None: Router(small_fitted.predictor, policy=made or policy())


@pytest.fixture
def unsure(small_fitted: Fitted) -> Callable[..., Router]:
    """The same, taking every prompt for one that the predictor never saw the like of."""
    return lambda made=None: Router(replace(small_fitted.predictor, novelty_limit=-1.0), policy=made or policy())


def explained(decision: Decision) -> Explanation:
    explanation = decision.explain()
    assert isinstance(explanation, Explanation)
    return explanation


def summed(breakdown: Breakdown) -> float:
    return breakdown.base_points + sum(part.points for part in breakdown.parts) + breakdown.calibration_points


# Pushes


def test_the_parts_add_up_to_the_chance_of_every_candidate(
    under: Callable[..., Router], prompts: tuple[str, ...]
) -> None:
    router = under()
    for prompt in prompts[::25]:
        decision = router.route(prompt, snapshot=USUAL)
        pushes = {breakdown.candidate: breakdown for breakdown in explained(decision).pushes}
        assert list(pushes) == [entry.candidate for entry in decision.ranking]
        for entry in decision.ranking:
            assert summed(pushes[entry.candidate]) == pytest.approx(100 * entry.p_success, abs=0.01)


def test_a_router_without_a_configuration_explains_as_well(router: Router) -> None:
    decision = router.route(HARD)
    explanation = explained(decision)
    assert summed(explanation.pushes[0]) == pytest.approx(100 * decision.confidence, abs=0.01)
    assert decision.candidate in explanation.text()


def test_what_pushed_one_over_the_next_adds_up_to_what_lies_between_them(under: Callable[..., Router]) -> None:
    decision = under().route(HARD, snapshot=USUAL)
    first, second = decision.ranking[:2]
    over = explained(decision).over_next
    assert over is not None
    assert (over.candidate, over.over) == (first.candidate, second.candidate)
    assert summed(over) == pytest.approx(100 * (first.p_success - second.p_success), abs=0.01)


def test_who_is_unknown_to_the_predictor_has_no_pushes(under: Callable[..., Router]) -> None:
    decision = under(policy(base=BASE + CLOUD)).route(HARD)
    assert NEW in {entry.candidate for entry in decision.ranking}
    assert NEW not in {breakdown.candidate for breakdown in explained(decision).pushes}


def test_pushes_are_told_of_the_candidate_they_belong_to(under: Callable[..., Router]) -> None:
    dear = ExchangeRates(success_per_second=1.0)
    quick = seen(state(SMALL, 1, 2), state(MIDDLE, 1, 2), state(LARGE, 1, 2), state(NEW, 1000, 1))
    decision = under(policy(base=BASE + CLOUD)).route(HARD, dear, snapshot=quick)
    assert decision.candidate == NEW, "or the test shows nothing"
    assert f"what pushed {NEW}" not in explained(decision).text()


def test_a_follow_up_says_what_it_has_from_the_turn_before(under: Callable[..., Router]) -> None:
    router, hints = under(), Hints(conversation="c")
    router.route(HARD, hints=hints, snapshot=USUAL)
    turns = [
        {"role": "user", "content": HARD},
        {"role": "assistant", "content": "x"},
        {"role": "user", "content": "commit it"},
    ]
    decision = router.route(turns, hints=hints, snapshot=USUAL)
    pushes = {breakdown.candidate: breakdown for breakdown in explained(decision).pushes}
    assert summed(pushes[decision.candidate]) == pytest.approx(100 * decision.confidence, abs=0.01)


# Expected seconds and utility


def test_the_seconds_of_every_candidate_add_up(under: Callable[..., Router]) -> None:
    for entry in explained(under().route(HARD, snapshot=SWAPS)).to_json()["ranking"]:
        parts = entry["expected"]
        assert parts["total_s"] == pytest.approx(entry["expected_s"])
        split = ("load_s", "queue_s", "prefill_s", "decode_s", "evict_s")
        assert sum(parts[name] for name in split) == pytest.approx(parts["total_s"])


# Flips


def wins(router: Router, prompt: str, rate: float, candidate: str, snapshot: Snapshot | None) -> bool:
    return router.route(prompt, rate, snapshot=snapshot).candidate == candidate


@pytest.mark.parametrize("preference", ["fast", "balanced", "quality", 0.25])
@pytest.mark.parametrize("snapshot", [None, USUAL, SWAPS], ids=["learned seconds", "live seconds", "one is cold"])
def test_just_beyond_a_flip_the_named_candidate_wins(
    under: Callable[..., Router], prompts: tuple[str, ...], preference: Any, snapshot: Snapshot | None
) -> None:
    router, flips = under(), 0
    for prompt in prompts[::30]:
        decision = router.route(prompt, preference, snapshot=snapshot)
        now = {"fast": 0.4, "balanced": 0.15, "quality": 0.02}.get(preference, preference)
        for flip in explained(decision).flips:
            flips += 1
            nudge = 1e-4 + 2e-3 * flip.rate
            beyond = flip.rate + (nudge if flip.rate > now else -nudge)
            assert flip.candidate != decision.candidate
            if beyond > 0:
                assert wins(router, prompt, beyond, flip.candidate, snapshot), (prompt, flip)
            before = flip.rate - (nudge if flip.rate > now else -nudge)
            assert not wins(router, prompt, before, flip.candidate, snapshot), (prompt, flip)
    assert flips > 5


def test_at_the_rate_that_a_flip_names_the_named_candidate_wins(
    under: Callable[..., Router], prompts: tuple[str, ...]
) -> None:
    router = under()
    for prompt in prompts[::30]:
        for flip in explained(router.route(prompt, snapshot=USUAL)).flips:
            assert wins(router, prompt, flip.rate, flip.candidate, USUAL), (prompt, flip)


def test_where_no_flip_is_named_no_rate_changes_the_choice(
    under: Callable[..., Router], prompts: tuple[str, ...]
) -> None:
    router, without = under(), 0
    for prompt in prompts[::12]:
        decision = router.route(prompt, snapshot=USUAL)
        flips = explained(decision).flips
        dearer, cheaper = ([flip for flip in flips if (flip.rate > 0.15) is side] for side in (True, False))
        without += not dearer or not cheaper
        rates = [0.001, 0.01, 0.05, 0.1] * (not cheaper) + [0.3, 0.6, 1.0, 2.0, 10.0] * (not dearer)
        assert all(wins(router, prompt, rate, decision.candidate, USUAL) for rate in rates), prompt
    assert without > 5


def test_where_only_success_counts_or_seconds_have_a_price_there_are_no_flips(under: Callable[..., Router]) -> None:
    for preference in (0, ExchangeRates(success_per_second=0.01)):
        assert explained(under().route(HARD, preference, snapshot=USUAL)).flips == ()


def test_a_forced_candidate_flips_to_no_other(under: Callable[..., Router]) -> None:
    assert explained(under(ruled("force: [ollama]")).route(HARD, snapshot=USUAL)).flips == ()


@pytest.mark.parametrize("case", ["out of its depth", "preferred", "in a conversation", "ruled preference"])
def test_what_was_not_decided_by_preference_has_no_flip_that_is_untrue(
    under: Callable[..., Router], unsure: Callable[..., Router], case: str
) -> None:
    hints, first = Hints(conversation="c"), None
    match case:
        case "out of its depth":
            router = unsure()
        case "preferred":
            router = under(ruled("prefer: {target: [ollama]}", more=", unsure_margin: 1.0"))
        case "ruled preference":
            router = under(ruled("preference: quality"))
        case _:
            router = under(policy("{conversations: {switch_gain: 100}}"))
            first = LARGE
    gone = seen(*(state(name, 1, 1, problem="gone") for name in (SMALL, MIDDLE)), state(LARGE, 8, 8))

    def ask(rate: Any) -> Decision:
        if first is not None:
            router.route(HARD, hints=hints, snapshot=gone)
        return router.route(HARD, rate, hints=hints if first else Hints(), snapshot=USUAL)

    decision = ask("fast")
    assert decision.candidate == LARGE, "or the test shows nothing"
    for flip in explained(decision).flips:
        beyond = flip.rate * (1.01 if flip.rate > 0.4 or case == "ruled preference" else 0.99)
        assert ask(beyond).candidate == flip.candidate, flip


# JSON


@pytest.mark.parametrize("preference", ["balanced", 0.3, ExchangeRates(success_per_second=0.01)])
@pytest.mark.parametrize("snapshot", [None, USUAL, SWAPS])
def test_every_explanation_is_json(under: Callable[..., Router], preference: Any, snapshot: Snapshot | None) -> None:
    made = policy('{rules: [{name: a, when: "true", then: {hold: true, forbid: [cloud]}}]}', BASE + CLOUD)
    decision = under(made).route(HARD, preference, hints=Hints(conversation="c"), snapshot=snapshot)
    content = json.loads(json.dumps(explained(decision).to_json(), allow_nan=False))
    assert content["candidate"] == decision.candidate
    assert [entry["candidate"] for entry in content["ranking"]] == [entry.candidate for entry in decision.ranking]
    assert content["excluded"] == [{"candidate": NEW, "reason": "the rule 'a' forbids it", "rule": "a"}]
    assert content["rules"] == ["a"] and content["propensity"] == 1 and content["configuration"]
    assert {"pushes", "over_next", "flips"} <= content.keys() and not {"explainer", "features"} & content.keys()
    assert content["pushes"][0]["parts"][0].keys() == {"label", "points", "level"}


def test_without_a_predictor_there_is_json_without_pushes() -> None:
    content = json.loads(json.dumps(explained(Router(None, policy=policy()).route(HARD)).to_json()))
    assert (content["pushes"], content["over_next"]) == ([], None)


def test_a_router_without_a_configuration_gives_json_too(router: Router) -> None:
    assert json.loads(json.dumps(explained(router.route(HARD)).to_json()))["flips"] is not None


def test_json_copies_no_predictor(under: Callable[..., Router], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was copied")

    told = explained(under().route(HARD))
    monkeypatch.setattr(Predictor, "__deepcopy__", refuse, raising=False)
    assert told.to_json()["candidate"] == told.decision.candidate


# Text


def test_the_text_names_candidates_seconds_rules_exclusions_pushes_and_task(under: Callable[..., Router]) -> None:
    made = policy('{rules: [{name: not there, when: "true", then: {forbid: [cloud]}}]}', BASE + CLOUD)
    decision = under(made).route(HARD, snapshot=SWAPS)
    text = " ".join(explained(decision).text().split())
    for entry in decision.ranking:
        assert f"{entry.p_success:.1%}" in text and f"{entry.expected_s:.1f}" in text and f"{entry.utility:.3f}" in text
    assert text.startswith(decision.candidate) and decision.reason in text
    assert "rules that spoke: not there" in text
    assert f"not {NEW}: the rule 'not there' forbids it" in text
    assert f"what pushed {decision.candidate}" in text and "what pushed it over" in text
    assert "strong tier" in text and "chosen with probability 1.00" in text


def test_secrets_are_told_by_kind_only(under: Callable[..., Router]) -> None:
    key = "AKIA" + "IOSFODNN7" + "EXAMPLF"
    made = ruled("require_local: true", "secrets.size() > 0")
    text = explained(under(made).route(f"why is this refused: aws_access_key_id = {key}")).text()
    assert "secrets in the prompt: " in text and key not in text


def test_whom_the_predictor_does_not_know_has_a_question_mark(under: Callable[..., Router]) -> None:
    text = explained(under(policy(base=BASE + CLOUD)).route(HARD)).text()
    marked = {line.split()[0]: "%?" in line for line in text.splitlines() if "%" in line and "/" in line.split()[0]}
    assert marked.pop(NEW) is True
    assert not any(list(marked.values())[1:])


def test_without_a_predictor_the_text_has_no_pushes() -> None:
    assert "pushed" not in explained(Router(None, policy=policy()).route(HARD, snapshot=USUAL)).text()


@pytest.mark.parametrize("part", ["what is shown beside", "task: ", "because "])
def test_every_line_fits_a_terminal(under: Callable[..., Router], prompts: tuple[str, ...], part: str) -> None:
    router = under(policy(base=BASE + CLOUD))
    for prompt in prompts[::20]:
        for preference, snapshot in (("fast", USUAL), ("balanced", SWAPS), ("quality", None)):
            for line in explained(router.route(prompt, preference, snapshot=snapshot)).text().splitlines():
                found = next((start for start in ("task: ", "because ") if line.startswith(f"  {start}")), None)
                assert len(line) < 110 or (found or "what is shown beside") != part, line


def test_the_columns_of_the_table_stand_under_each_other(under: Callable[..., Router]) -> None:
    text = explained(under().route(HARD, snapshot=SWAPS)).text()
    rows = [
        line
        for line in text.splitlines()
        if "%" in line and line.strip().startswith(("lmstudio", "ollama")) and "sure" not in line
    ]
    assert len(rows) == 3
    assert len({len(row) for row in rows}) == 1
