"""A router under a configuration: loaded, changed while it serves, before and after there is a champion."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout import Router
from turnout.config.loader import load_content
from turnout.config.machine import Machine
from turnout.config.rules import ExchangeRates
from turnout.errors import ArtifactMissingError, ConfigurationError, NoCandidateError, RequestError
from turnout.features import extract
from turnout.policy.policy import Policy
from turnout.policy.requested import Requested
from turnout.predictor.fit import Fitted
from turnout.types import (
    Answer,
    Attempt,
    CandidateState,
    Decision,
    Hints,
    LanguageModel,
    Message,
    Request,
    Snapshot,
    Speeds,
    Tried,
)
from turnout.types.request import Image

HARD = "quick question: why does our lock deadlock under failover?"
EASY = "what does git stash do"
SMALL, MIDDLE, LARGE = "lmstudio/qwen2.5-coder-1.5b", "lmstudio/qwen2.5-coder-7b", "ollama/llama-3.3-70b"
NEW = "cloud/huge"
BASE = """
providers:
  lmstudio:
    models: [qwen2.5-coder-1.5b, qwen2.5-coder-7b]
  ollama:
    models: [llama-3.3-70b]
  cloud:
    kind: openai
    base_url: https://api.example.com/v1
    models: [huge]
"""
FAST = Speeds(first_token_s=0.1, prefill_tokens_per_s=1000, decode_tokens_per_s=100, load_s=2, measurements=9)
SLOW = Speeds(first_token_s=0.4, prefill_tokens_per_s=100, decode_tokens_per_s=10, load_s=60, measurements=9)


def policy(routing: str = "", base: str = BASE) -> Policy:
    """A policy from its routing section, in YAML's flow style; nothing is left to chance."""
    hybrid = "" if "hybrid:" in base else "hybrid: {exploration: {enabled: false}}"
    text = f"{base}\nrouting: {routing or '{}'}\n{hybrid}\n"
    ordinary = Machine(memory_mb=24_000, cores=8, gpu=False)
    loaded = load_content(text.encode(), "f.yaml", environment={}, machine=lambda: ordinary)
    return Policy(loaded.configuration)


def rules(*entries: str, **more: str) -> str:
    parts = [f"rules: [{', '.join(entries)}]", *(f"{name}: {value}" for name, value in more.items())]
    return f"{{{', '.join(parts)}}}"


def rule(then: str, when: str = "true", name: str = "the rule") -> str:
    return f'{{name: {name}, when: "{when}", then: {{{then}}}}}'


def state(name: str, speeds: Speeds = FAST, problem: str = "", loaded: bool = True) -> CandidateState:
    model = LanguageModel(name=name.partition("/")[2], loaded=loaded)
    return CandidateState(candidate=name, model=model, speeds=speeds, problem=problem)


def seen(*states: CandidateState) -> Snapshot:
    return Snapshot(taken_s=0, candidates={each.candidate: each for each in states})


@pytest.fixture(scope="module")
def under(small_fitted: Fitted) -> Callable[..., Router]:
    """A router of the small predictor under a policy."""
    return lambda made=None: Router(small_fitted.predictor, policy=made or policy())


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration file."""

    def write(text: str, name: str = "hybrid.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


# The tempo of today


def asked_of(router: Router, snapshot: Snapshot, times: float) -> Decision:
    """One decision, whose candidate took so many times what history expected of it."""
    decision = router.route(EASY, snapshot=snapshot)
    expected = decision.ranking[0].expected
    assert expected is not None and expected.learned_s is not None
    name = decision.candidate
    attempt = Attempt(candidate=name, started_at=0.0, total_s=times * expected.learned_s)
    router.took(decision, [Tried(candidate=name, role="first", attempts=(attempt,), answer=Answer(name, name, "yes"))])
    return decision


def test_what_answers_took_shows_in_the_next_decisions(under: Callable[..., Router]) -> None:
    router, snapshot = under(), seen(*map(state, (SMALL, MIDDLE, LARGE, NEW)))
    for _ in range(4):
        asked_of(router, snapshot, 7.0)
    decision = router.route(EASY, snapshot=snapshot)
    for entry in decision.ranking:
        if entry.expected is not None and entry.expected.learned_s is not None:
            assert entry.expected.answer_s == pytest.approx(7.0 * entry.expected.learned_s, rel=1e-3)
    assert {entry.candidate for entry in decision.ranking if entry.expected and entry.expected.learned_s} >= {SMALL}


def test_another_predictor_begins_with_a_tempo_of_its_own(champion: Path, tmp_path: Path, small_fitted: Fitted) -> None:
    shutil.copytree(champion, tmp_path / "champion")
    router = Router.load(tmp_path / "champion", configuration=policy())
    snapshot = seen(*map(state, (SMALL, MIDDLE, LARGE, NEW)))
    for _ in range(4):
        before = asked_of(router, snapshot, 7.0)
    assert router.reload() and router.predictor is not before.predictor
    entry = router.route(EASY, snapshot=snapshot).ranking[0]
    assert entry.expected is not None and entry.expected.learned_s is not None
    assert entry.expected.answer_s != pytest.approx(7.0 * entry.expected.learned_s, rel=0.01)


def test_a_challenger_is_held_to_the_same_seconds(under: Callable[..., Router], small_fitted: Fitted) -> None:
    made = policy(base=BASE + "hybrid: {exploration: {enabled: false}, challenger: canary, canary_share: 1.0}\n")
    router, snapshot = Router(small_fitted.predictor, policy=made), seen(*map(state, (SMALL, MIDDLE, LARGE, NEW)))
    router.challenge(replace(small_fitted.predictor, info={}))
    for _ in range(4):
        assert asked_of(router, snapshot, 7.0).arm == "challenger"
    entry = router.route(EASY, snapshot=snapshot).ranking[0]
    assert entry.expected is not None and entry.expected.learned_s is not None
    assert entry.expected.answer_s == pytest.approx(7.0 * entry.expected.learned_s, rel=1e-3)


# Loading


def test_a_configuration_may_be_a_file_its_name_or_a_policy(champion: Path, written: Callable[..., Path]) -> None:
    path = written(BASE)
    for configuration in (path, str(path), Policy.load(path)):
        router = Router.load(champion, configuration=configuration)
        assert router.candidates == (SMALL, MIDDLE, LARGE, NEW)


def test_before_there_is_a_champion_a_configuration_is_enough(
    written: Callable[..., Path], tmp_path: Path, champion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "models"))
    router = Router.load(configuration=written(BASE))
    assert router.predictor is None
    decision = router.route(HARD)
    assert decision.candidate == SMALL
    assert "nothing was learned" in decision.reason
    assert (decision.novelty, decision.out_of_depth) == (1.0, False)
    assert not router.reload()
    shutil.copytree(champion, tmp_path / "models" / "champion")
    assert router.reload()
    assert router.route(HARD).ranking[0].learned


def test_a_predictor_that_is_named_has_to_be_there(written: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ArtifactMissingError):
        Router.load(tmp_path / "nowhere", configuration=written(BASE))


def test_with_neither_predictor_nor_configuration_there_is_no_router() -> None:
    with pytest.raises(ConfigurationError, match="a predictor, a configuration, or both"):
        Router(None)


def test_a_configuration_that_is_refused_is_refused_with_its_line(champion: Path, written: Callable[..., Path]) -> None:
    path = written(f"{BASE}routing:\n  preferense: fast\n")
    with pytest.raises(ConfigurationError, match=rf"{path.name}:12: .*preferense"):
        Router.load(champion, configuration=path)


def test_a_router_whose_only_candidate_cannot_take_the_warm_up_is_made_all_the_same() -> None:
    router = Router(None, policy=policy(rules(rule("forbid: ['*']"))))
    with pytest.raises(NoCandidateError):
        router.route(EASY)


def test_candidates_that_nobody_names_are_those_that_were_learned_of(under: Callable[..., Router]) -> None:
    assert under(policy(base="providers: {ollama: {}}")).candidates == (LARGE,)


def test_a_configuration_without_any_candidate_is_an_error_that_says_so() -> None:
    with pytest.raises(NoCandidateError, match="none is known"):
        Router(None, policy=policy(base="providers: {ollama: {}}")).route(EASY)


# Decisions


def test_a_decision_says_which_configuration_and_rules_made_it(under: Callable[..., Router]) -> None:
    made = policy(rules(rule("hold: true, threshold: 0.8", name="careful"), rule("forbid: [ollama]", "false", "never")))
    decision = under(made).route(EASY)
    assert decision.configuration == made.fingerprint
    assert decision.rules == ("careful",)
    assert (decision.hold, decision.threshold) == (True, 0.8)
    assert decision.preference == "balanced"


def test_whom_the_predictor_does_not_know_is_marked(under: Callable[..., Router]) -> None:
    learned = {entry.candidate: entry.learned for entry in under().route(EASY).ranking}
    assert learned == {SMALL: True, MIDDLE: True, LARGE: True, NEW: False}


def test_secrets_are_named_by_kind_and_keep_a_prompt_here(under: Callable[..., Router]) -> None:
    made = policy(rules(rule("require_local: true", "secrets.size() > 0")))
    key = "AKIA" + "IOSFODNN7" + "EXAMPLF"
    decision = under(made).route(f"why is this refused: aws_access_key_id = {key}", 0)
    assert decision.secrets and key not in repr(decision)
    assert NEW in {entry.candidate for entry in decision.excluded}
    assert under(made).route(EASY).secrets == ()


def test_a_model_that_runs_elsewhere_does_not_get_a_prompt_that_has_to_stay(
    under: Callable[..., Router],
) -> None:
    made = policy(rules(rule("require_local: true")))
    away = CandidateState(candidate=LARGE, model=LanguageModel(name="llama", remote=True))
    assert LARGE in {entry.candidate for entry in under(made).route(HARD, 0, snapshot=seen(away)).excluded}


def test_headers_and_the_conversation_are_there_for_rules(under: Callable[..., Router]) -> None:
    made = policy(
        rules(
            rule("force: [ollama]", "has(header.x_team) && header.x_team == 'core'", "team"),
            rule("hold: true", "conversation.present", "in a conversation"),
        )
    )
    decision = under(made).route(EASY, hints=Hints(conversation="c", headers={"X-Team": "core"}))
    assert (decision.candidate, decision.rules) == (LARGE, ("team", "in a conversation"))
    assert under(made).route(EASY).rules == ()


def test_the_last_candidate_of_the_conversation_is_there_for_rules(under: Callable[..., Router]) -> None:
    made = policy(
        rules(rule(f"forbid: ['{SMALL}']", f"conversation.candidate == '{SMALL}'"), conversations="{switch_gain: 0}")
    )
    router = under(made)
    chosen = [
        router.route(EASY, 1e3, hints=Hints(conversation="c"), snapshot=ONLY_SMALL_IS_FAST).candidate for _ in range(2)
    ]
    assert chosen[0] == SMALL != chosen[1]


ONLY_SMALL_IS_FAST = seen(state(SMALL), state(MIDDLE, SLOW), state(LARGE, SLOW), state(NEW, SLOW))


@pytest.mark.parametrize(
    ("configured", "asked", "told"),
    [
        ("fast", None, "fast"),
        ("fast", "quality", "quality"),
        ("0.3", None, "0.3"),
        ("{success_per_second: 0.01}", None, "0.01 a second"),
    ],
)
def test_the_decision_tells_the_preference_that_counted(
    under: Callable[..., Router], configured: str, asked: str | None, told: str
) -> None:
    decision = under(policy(f"{{preference: {configured}}}")).route(EASY, asked)
    assert told in decision.preference and "(" not in decision.preference


@pytest.mark.parametrize(
    ("configured", "asked", "holds"),
    [
        ("balanced", "fast", True),
        ("fast", "quality", False),
        ("fast", None, True),
    ],
)
def test_rules_read_the_preference_that_counts(
    under: Callable[..., Router], configured: str, asked: str | None, holds: bool
) -> None:
    made = policy(rules(rule("hold: true", "preference == 'fast'"), preference=configured))
    assert under(made).route(EASY, asked).hold is holds


def test_a_preference_beyond_all_numbers_is_refused_though_a_rule_reads_it(under: Callable[..., Router]) -> None:
    with pytest.raises(RequestError):
        under(policy(rules(rule("hold: true", "preference == 'fast'")))).route(EASY, 10**400)


@pytest.mark.parametrize("preference", ["cheap", -1, True, float("nan")])
def test_a_preference_that_is_none_is_refused(under: Callable[..., Router], preference: Any) -> None:
    with pytest.raises(RequestError, match="preference"):
        under().route(EASY, preference)


def test_without_a_configuration_a_second_has_no_price(router: Router) -> None:
    with pytest.raises(RequestError, match="configuration"):
        router.route(EASY, ExchangeRates(success_per_second=0.01))


def test_where_routing_is_switched_off_the_default_provider_answers(under: Callable[..., Router]) -> None:
    made = policy(base=f"{BASE}\nhybrid: {{enabled: false, default_provider: cloud}}\n")
    assert under(made).route(EASY).candidate == NEW


@pytest.mark.parametrize(("tier", "meant"), [("fast", SMALL), ("strong", MIDDLE)])
def test_tiers_in_rules_mean_the_cheaper_and_the_dearer_half_though_the_best_is_named_first(
    under: Callable[..., Router], tier: str, meant: str
) -> None:
    best_first = "providers: {lmstudio: {models: [qwen2.5-coder-7b, qwen2.5-coder-1.5b]}}"
    assert under(policy(rules(rule(f"force: [{tier}]")), base=best_first)).route(EASY).candidate == meant


def test_a_picture_goes_to_one_that_can_see(under: Callable[..., Router]) -> None:
    made = policy(
        base=BASE.replace("[qwen2.5-coder-1.5b, qwen2.5-coder-7b]", "[{name: m, capabilities: [chat, tools]}]")
    )
    decision = under(made).route(Request((Message("user", "what is this", (Image("http://x/y.png"),)),)))
    assert {entry.candidate: entry.reason for entry in decision.excluded} == {"lmstudio/m": "cannot see pictures"}


def test_the_snapshot_is_that_of_the_call(under: Callable[..., Router]) -> None:
    router = under()
    gone = seen(*(state(name, problem="gone") for name in (SMALL, MIDDLE, LARGE)))
    assert router.route(EASY, snapshot=gone).candidate == NEW
    assert router.route(EASY).excluded == ()


def test_threads_get_the_decisions_that_one_thread_gets(under: Callable[..., Router], prompts: tuple[str, ...]) -> None:
    router = under(
        policy(rules(rule("forbid: [ollama]", "prompt_chars > 60"), rule("hold: true", "confidence > 0.5", "b")))
    )
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(router.route, prompts[:100]))
    assert together == [router.route(prompt) for prompt in prompts[:100]]


@given(text=st.text(st.characters()).filter(str.strip))
def test_any_text_that_is_not_blank_is_routed(under: Callable[..., Router], text: str) -> None:
    decision = ROUTERS.setdefault("any", under(policy(rules(rule("hold: true", "'security' in keywords"))))).route(text)
    assert decision.candidate in (SMALL, MIDDLE, LARGE, NEW)


ROUTERS: dict[str, Router] = {}


# Copies


def test_a_decision_can_be_copied_and_taken_apart(under: Callable[..., Router]) -> None:
    made = policy(rules(rule("forbid: [cloud]")))
    decision = under(made).route(EASY, snapshot=seen(state(SMALL)))
    copy = replace(decision, propensity=0.5)
    assert (copy.propensity, copy.candidate) == (0.5, decision.candidate)
    assert copy.explain().decision is copy
    plain = asdict(decision)
    assert plain["ranking"][0]["candidate"] == decision.candidate
    assert plain["excluded"] == ({"candidate": NEW, "reason": "the rule 'the rule' forbids it", "rule": "the rule"},)
    assert decision == replace(decision, explainer=None)


def test_a_decision_from_a_log_cannot_be_explained(under: Callable[..., Router]) -> None:
    with pytest.raises(ValueError, match="just made"):
        replace(under().route(EASY), explainer=None).explain()


# Conversations


def turns(content: str, before: str = HARD) -> list[dict[str, str]]:
    answered = [{"role": "user", "content": before}, {"role": "assistant", "content": "because of the lease"}]
    return [*answered, {"role": "user", "content": content}]


@pytest.fixture
def hard_then(under: Callable[..., Router]) -> Callable[..., Decision]:
    """What a follow-up gets after a hard turn that went to the strong candidate."""

    def follow(request: Any, routing: str = "", preference: Any = 1e3) -> Decision:
        router, hints = under(policy(routing)), Hints(conversation="c")
        others_gone = seen(*(state(name, problem="gone") for name in (SMALL, MIDDLE, NEW)), state(LARGE, SLOW))
        assert router.route(HARD, "quality", hints=hints, snapshot=others_gone).candidate == LARGE
        return router.route(request, preference, hints=hints, snapshot=ONLY_SMALL_IS_FAST)

    return follow


def test_a_conversation_stays_where_it_is_known_unless_the_gain_is_worth_it(hard_then: Callable[..., Decision]) -> None:
    stay, move = (
        hard_then(turns("commit it"), f"{{conversations: {{switch_gain: {gain}}}}}") for gain in ("1.0e+6", 0)
    )
    assert stay.candidate == LARGE
    assert stay.reason.startswith("it knows this conversation")
    assert move.candidate == SMALL


def test_conversations_that_are_switched_off_are_not_remembered(hard_then: Callable[..., Decision]) -> None:
    off = "{conversations: {enabled: false, switch_gain: 1.0e+6}}"
    assert hard_then(turns("commit it"), off).candidate == SMALL


def test_what_is_known_of_a_conversation_needs_not_be_read_again(under: Callable[..., Router]) -> None:
    router, hints = under(), Hints(conversation="c")
    long = [{"role": "user", "content": HARD + " here is the log " * 500}, {"role": "assistant", "content": "ok"}]
    request, snapshot = [*long, {"role": "user", "content": "go on"}], seen(state(SMALL, SLOW))
    router.route(long[:1], 1e3, hints=hints, snapshot=seen(*(state(n, problem="gone") for n in (MIDDLE, LARGE, NEW))))
    knowing, new = (
        next(e for e in router.route(request, 1e3, hints=h, snapshot=snapshot).ranking if e.candidate == SMALL)
        for h in (hints, Hints())
    )
    assert knowing.expected is not None and new.expected is not None
    assert knowing.expected.prefill_s < new.expected.prefill_s / 10


def test_an_unrelated_prompt_of_the_same_conversation_has_to_be_read(under: Callable[..., Router]) -> None:
    router, hints = under(), Hints(conversation="c")
    snapshot = seen(state(SMALL, SLOW), *(state(name, problem="gone") for name in (MIDDLE, LARGE, NEW)))
    router.route(HARD + " here is the log " * 500, hints=hints, snapshot=snapshot)
    unrelated = "write a haiku about rain " + "and about moss and stone " * 300
    knowing, new = (router.route(unrelated, hints=h, snapshot=snapshot).ranking[0].expected for h in (hints, Hints()))
    assert knowing is not None and new is not None
    assert knowing.prefill_s == pytest.approx(new.prefill_s)


def test_who_answered_in_the_end_is_who_knows_the_conversation(under: Callable[..., Router]) -> None:
    router, hints = under(policy("{conversations: {switch_gain: 1.0e+6}}")), Hints(conversation="c")
    assert router.route(EASY, 1e3, hints=hints, snapshot=ONLY_SMALL_IS_FAST).candidate == SMALL
    router.answered("c", LARGE)
    assert router.route(turns("commit it"), 1e3, hints=hints, snapshot=ONLY_SMALL_IS_FAST).candidate == LARGE


def test_what_is_refused_is_no_turn_of_a_conversation(under: Callable[..., Router]) -> None:
    router, hints = under(policy("{conversations: {switch_gain: 1.0e+6}}")), Hints(conversation="c")
    everybody_gone = seen(*(state(name, problem="gone") for name in (SMALL, MIDDLE, LARGE, NEW)))
    router.route(EASY, 1e3, hints=hints, snapshot=ONLY_SMALL_IS_FAST)
    with pytest.raises(NoCandidateError):
        router.route(HARD, hints=hints, snapshot=everybody_gone)
    slow_small = seen(state(SMALL, SLOW), state(MIDDLE), state(LARGE), state(NEW))
    assert router.route(turns("commit it"), 1e3, hints=hints, snapshot=slow_small).candidate == SMALL


# Changes while it serves


def test_a_changed_configuration_counts_from_the_next_request_on(under: Callable[..., Router]) -> None:
    router = under()
    for target in ("ollama", "cloud", "lmstudio"):
        made = policy(rules(rule(f"force: [{target}]")))
        router.configure(made)
        assert router.policy is made
        decision = router.route(EASY)
        assert decision.candidate.startswith(f"{target}/")
        assert decision.configuration == made.fingerprint


def test_a_policy_that_cannot_be_made_changes_nothing(under: Callable[..., Router]) -> None:
    router = under()
    before = router.route(EASY)
    with pytest.raises(ConfigurationError):
        router.configure(policy(rules(rule("force: [ollama]", "nonsense ==="))))
    assert router.route(EASY) == before


def test_requests_during_a_thousand_changes_follow_one_policy_each_and_none_is_dropped(
    under: Callable[..., Router],
) -> None:
    targets = {"ollama": LARGE, "cloud": NEW, "lmstudio": None}
    made = {
        target: policy(
            rules(
                rule(f"force: [{target}], hold: {str(target == 'cloud').lower()}", name=f"to {target}"), preference=rate
            )
        )
        for target, rate in zip(targets, ("fast", "quality", "0.3"), strict=True)
    }
    told = {each.fingerprint: target for target, each in made.items()}
    rates = dict(zip(targets, ("fast", "quality", "0.3"), strict=True))
    router = under(made["ollama"])
    snapshots = [None, ONLY_SMALL_IS_FAST]

    def ask(number: int) -> Decision:
        return router.route(EASY, hints=Hints(conversation=f"c{number % 7}"), snapshot=snapshots[number % 2])

    with ThreadPoolExecutor(5) as pool:
        swaps = pool.submit(lambda: [router.configure(made[target]) for _ in range(334) for target in targets])
        decisions = list(pool.map(ask, range(400)))
        swaps.result()
    assert len(decisions) == 400
    for decision in decisions:
        target = told[decision.configuration]
        assert decision.rules == (f"to {target}",)
        assert decision.candidate.startswith(f"{target}/")
        assert {entry.rule for entry in decision.excluded} == {f"to {target}"}
        assert decision.hold is (target == "cloud")
        assert decision.preference == rates[target]


def test_a_conversation_survives_a_change_that_takes_its_candidate_away(under: Callable[..., Router]) -> None:
    router, hints = under(policy("{conversations: {switch_gain: 1.0e+6}}")), Hints(conversation="c")
    router.route(EASY, 1e3, hints=hints, snapshot=ONLY_SMALL_IS_FAST)
    router.configure(
        policy("{conversations: {switch_gain: 1.0e+6}}", base="providers: {ollama: {models: [llama-3.3-70b]}}")
    )
    assert router.route(turns("commit it"), hints=hints).candidate == LARGE


def test_the_rules_follow_the_candidates_that_are_listed(under: Callable[..., Router]) -> None:
    router = under(policy(rules(rule("forbid: ['*/*-7b']")), base="providers: {lmstudio: {}}"))
    for name in ("lmstudio/other-7b", "lmstudio/new-7b"):
        decision = router.route(EASY, snapshot=seen(state("lmstudio/small"), state(name)))
        assert decision.candidate == "lmstudio/small"
        assert [entry.candidate for entry in decision.excluded] == [name]


# The moment of a snapshot


def test_what_no_request_changes_is_reckoned_once_for_each_snapshot() -> None:
    made, learned = policy(), (SMALL, LARGE)
    one, other = seen(state(SMALL)), seen(state(SMALL))
    first = made.moment(one, learned)
    assert made.moment(one, learned) is first
    assert made.moment(other, learned) is not first
    assert made.moment(other, learned).rules is first.rules
    assert made.moment(None, learned).standings[0].pace is None


def test_a_decision_follows_the_snapshot_that_it_is_made_with(under: Callable[..., Router]) -> None:
    router, gone = under(), seen(state(LARGE, problem="gone"))
    for snapshot in (None, gone, seen(state(LARGE)), gone, None):
        excluded = {entry.candidate for entry in router.route(EASY, snapshot=snapshot).excluded}
        assert (LARGE in excluded) is (snapshot is gone)


def test_the_tiers_of_rules_follow_the_predictor() -> None:
    made = policy(rules(rule("forbid: [strong]")), base="providers: {ollama: {models: [a, b]}}")
    for learned, dearer in ((("ollama/a", "ollama/b"), "ollama/b"), (("ollama/b", "ollama/a"), "ollama/a")):
        book = made.moment(None, learned).rules
        said = book.apply(book.facts(Requested(Request.of(EASY), extract(EASY).task)))
        assert set(said.forbidden) == {dearer}
