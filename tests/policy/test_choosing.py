"""Choosing: eligible, forced or forbidden, judged, weighed, and where that is not sure enough, preferred by rule."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.config.providers import CandidateSettings, Provider
from turnout.config.resources import MemoryLimits
from turnout.config.resources import Resources as Limits
from turnout.config.routing import Conversations, Routing
from turnout.config.rules import Effects, ExchangeRates, Prefer, Rule
from turnout.config.schema import Configuration
from turnout.config.values import FrozenMapping
from turnout.errors import NoCandidateError, RequestError
from turnout.features import extract
from turnout.policy.case import Case
from turnout.policy.choosing import Choice, choose
from turnout.policy.conversations import Turn
from turnout.policy.policy import Policy
from turnout.policy.tempo import Learned, Tempo
from turnout.predictor import Prediction
from turnout.types import CandidateState, Hints, LanguageModel, Ranked, Request, Resources, Snapshot, Speeds

GIB = 2**30
HARD = "quick question: why does our lock deadlock under failover?"
EASY = "what does git stash do"
LONG = "unrelated: write a haiku about rain that mentions the smell of wet stone " + "and of moss by the river " * 40
SMALL, MIDDLE, LARGE, CLOUD = "lmstudio/small", "lmstudio/middle", "ollama/large", "cloud/huge"
ALL = (SMALL, MIDDLE, LARGE, CLOUD)
USUAL = {SMALL: 0.5, MIDDLE: 0.6, LARGE: 0.8, CLOUD: 0.9}
FAST = Speeds(first_token_s=0.1, prefill_tokens_per_s=1000, decode_tokens_per_s=100, load_s=2, measurements=9)
SLOW = Speeds(first_token_s=0.4, prefill_tokens_per_s=100, decode_tokens_per_s=10, load_s=60, measurements=9)


def configuration(*rules: Rule, **routing: Any) -> Configuration:
    def provider(*models: str, **options: Any) -> Provider:
        named = FrozenMapping({model: CandidateSettings() for model in models})
        return Provider(**{"kind": "openai", "base_url": "http://127.0.0.1:1", "models": named, **options})

    return Configuration(
        providers=FrozenMapping(
            lmstudio=provider("small", "middle"),
            ollama=provider("large"),
            cloud=provider("huge", base_url="https://api.example.com"),
        ),
        routing=Routing(rules=rules, **routing),
        resources=Limits(memory=MemoryLimits(max_percent=100, reserve_mb=0)),
    )


def rule(when: str = "true", name: str = "the rule", **effects: Any) -> Rule:
    return Rule(name=name, when=when, then=Effects(**effects))


def state(name: str, speeds: Speeds = FAST, **fields: Any) -> CandidateState:
    model = {"loaded": True}
    model |= {key: fields.pop(key) for key in tuple(fields) if key in LanguageModel.__dataclass_fields__}
    return CandidateState(candidate=name, model=LanguageModel(name=name, **model), speeds=speeds, **fields)


def seen(*states: CandidateState, resources: Resources | None = None) -> Snapshot:
    return Snapshot(taken_s=0, candidates={each.candidate: each for each in states}, resources=resources)


def chosen(
    *rules: Rule,
    p: dict[str, float] | None = USUAL,
    by: Policy | None = None,
    prompt: Any = EASY,
    preference: Any = None,
    snapshot: Snapshot | None = None,
    turn: Turn | None = None,
    novelty: float = 0.0,
    seconds: list[float] | None = None,
    cost: list[float] | None = None,
    tokens: list[float] | None = None,
    **routing: Any,
) -> Choice:
    """A choice with a predictor that says `p`; None for no predictor."""
    policy = by or Policy(configuration(*rules, **routing))
    request = Request.of(prompt)
    predictor = prediction = None
    learned = None if tokens is None else Learned({}, dict(zip(p or (), tokens, strict=True)), Tempo())
    if p is not None:
        predictor = SimpleNamespace(candidates=tuple(p), novelty_limit=0.5)
        columns = (None if column is None else np.array(column, np.float32) for column in (seconds, cost))
        prediction = Prediction(np.array(list(p.values())), *columns, novelty)
    case = Case(request, extract(request), predictor, prediction, preference, Hints(), learned=learned)  # type: ignore[arg-type]
    return choose(case, policy.moment(snapshot, tuple(p or ())), turn)


def first(choice: Choice) -> str:
    return choice.ranking[0].candidate


def entry(choice: Choice, name: str) -> Ranked:
    return next(each for each in choice.ranking if each.candidate == name)


# Forced, forbidden, local


def test_a_forced_candidate_is_chosen_however_little_is_thought_of_it() -> None:
    choice = chosen(rule(force=(SMALL,)), p={**USUAL, SMALL: 0.01})
    assert [each.candidate for each in choice.ranking] == [SMALL]
    assert choice.reason == "the rule 'the rule' forces it"


@pytest.mark.parametrize(
    "obstacle",
    [{"problem": "left alone after failures", "breaker": "open"}, {"problem": "gone"}, {"context_length": 2}],
    ids=["breaker open", "provider gone", "window too small"],
)
def test_a_forced_candidate_that_cannot_serve_is_an_error_and_never_silently_another(obstacle: dict[str, Any]) -> None:
    with pytest.raises(NoCandidateError) as caught:
        chosen(rule(force=(LARGE,)), snapshot=seen(*map(state, ALL[:2]), state(LARGE, **obstacle)))
    assert set(caught.value.excluded) == set(ALL)
    assert caught.value.excluded[SMALL] == "the rule 'the rule' forces another"
    assert LARGE in str(caught.value)


def test_a_forced_candidate_away_from_here_is_an_error_for_a_prompt_that_has_to_stay() -> None:
    with pytest.raises(NoCandidateError) as caught:
        chosen(rule(name="one", require_local=True), rule(name="two", force=("cloud",)))
    assert "this machine" in caught.value.excluded[CLOUD]


def test_a_forced_provider_that_lists_nothing_is_an_error_and_never_silently_another() -> None:
    made = configuration(rule(force=("ollama",)))
    nothing_named = replace(made.providers["ollama"], models=FrozenMapping())
    by = Policy(replace(made, providers=FrozenMapping({**made.providers, "ollama": nothing_named})))
    with pytest.raises(NoCandidateError):
        chosen(by=by, snapshot=seen(state(SMALL), state(MIDDLE)))


def test_of_several_forced_ones_the_best_that_can_serve_is_chosen() -> None:
    both = rule(force=(LARGE, MIDDLE))
    assert first(chosen(both, preference=0)) == LARGE
    assert first(chosen(both, snapshot=seen(state(LARGE, problem="gone")))) == MIDDLE


def test_a_forbidden_candidate_is_never_chosen_at_any_preference() -> None:
    for preference in (0, "quality", "balanced", "fast", 1e6):
        choice = chosen(rule(forbid=("cloud", LARGE)), preference=preference)
        assert {each.candidate for each in choice.ranking} == {SMALL, MIDDLE}
        assert [(each.candidate, each.rule) for each in choice.excluded] == [(LARGE, "the rule"), (CLOUD, "the rule")]


def test_who_is_forbidden_is_not_forced_either() -> None:
    choice = chosen(rule(name="one", force=(LARGE, SMALL)), rule(name="two", forbid=(LARGE,)))
    assert first(choice) == SMALL


def test_when_nobody_is_left_everybody_has_a_reason() -> None:
    with pytest.raises(NoCandidateError) as caught:
        chosen(rule(forbid=("ollama", "lmstudio"), require_local=True))
    assert set(caught.value.excluded) == set(ALL)
    assert all(caught.value.excluded.values())
    assert isinstance(caught.value, RequestError)


TARGETS = st.lists(st.sampled_from([*ALL, "lmstudio", "ollama", "cloud", "*"]), min_size=1, max_size=2).map(tuple)
WHEN = st.sampled_from(
    ["true", "true", "false", "confidence >= 0.0", "margin >= 100.0", "confidence < 2.0 && margin < 100.0"]
)
HOLDS = {"true", "confidence >= 0.0", "confidence < 2.0 && margin < 100.0"}
EFFECTS = st.one_of(
    st.fixed_dictionaries({"force": TARGETS}),
    st.fixed_dictionaries({"forbid": TARGETS}),
    st.fixed_dictionaries({"prefer": st.builds(Prefer, target=TARGETS)}),
    st.fixed_dictionaries({"require_local": st.booleans()}),
    st.fixed_dictionaries({"preference": st.sampled_from(["fast", 0.0, 50.0, ExchangeRates(success_per_second=0.1)])}),
)
SNAPSHOTS = st.one_of(
    st.none(),
    st.builds(
        lambda states, free: seen(
            *states.values(),
            resources=Resources(sampled_s=0, ram_total_bytes=64 * GIB, ram_free_bytes=free * GIB, cpu_share=0.99),
        ),
        st.fixed_dictionaries(
            {},
            optional={
                name: st.builds(
                    lambda name, problem, loaded, gib, window, running, speeds: state(
                        name,
                        speeds,
                        problem=problem,
                        loaded=loaded,
                        memory_bytes=gib * GIB,
                        context_length=window,
                        running=running,
                    ),
                    st.just(name),
                    st.sampled_from(["", "", "", "left alone after failures"]),
                    st.sampled_from([True, False]),
                    st.integers(1, 20),
                    st.sampled_from([1, 64, 8192, None]),
                    st.integers(0, 3),
                    st.sampled_from([FAST, SLOW, Speeds()]),
                )
                for name in ALL
            },
        ),
        st.integers(0, 20),
    ),
)
TURNS = st.one_of(
    st.none(), st.builds(Turn, st.sampled_from([*ALL, "gone/one"]), st.just({CLOUD: 1.0}), st.just(9), st.just(0.0))
)


def meant(targets: tuple[str, ...]) -> set[str]:
    return {name for name in ALL for target in targets if target in (name, name.partition("/")[0], "*")}


@settings(max_examples=250)
@given(
    rules=st.lists(st.tuples(WHEN, EFFECTS), max_size=5),
    snapshot=SNAPSHOTS,
    turn=TURNS,
    p=st.one_of(st.none(), st.fixed_dictionaries(dict.fromkeys(ALL[1:], st.floats(0.01, 0.99)))),
    preference=st.sampled_from([None, "fast", "quality", 0, 100.0, ExchangeRates(success_per_cent=1.0)]),
    prompt=st.sampled_from([HARD, EASY, LONG]),
    novelty=st.sampled_from([0.0, 1.0]),
    margin=st.sampled_from([0.0, 0.02, 1.0]),
)
def test_nothing_gets_a_prompt_to_whom_a_rule_keeps_it_from(
    rules: list[tuple[str, dict[str, Any]]],
    snapshot: Snapshot | None,
    turn: Turn | None,
    p: dict[str, float] | None,
    preference: Any,
    prompt: str,
    novelty: float,
    margin: float,
) -> None:
    made = [rule(when, f"rule {n}", **effects) for n, (when, effects) in enumerate(rules)]
    holding = [effects for when, effects in rules if when in HOLDS]
    forbidden = set().union(*(meant(effects.get("forbid", ())) for effects in holding))
    stays = next((effects["require_local"] for effects in holding if "require_local" in effects), False)
    forces = (meant(effects["force"]) - forbidden for effects in holding if "force" in effects)
    forced = next((targets for targets in forces if targets), set(ALL))
    try:
        choice = chosen(
            *made,
            p=p,
            snapshot=snapshot,
            turn=turn,
            preference=preference,
            prompt=prompt,
            novelty=novelty,
            unsure_margin=margin,
        )
    except NoCandidateError as error:
        assert set(error.excluded) == set(ALL)
        assert all(error.excluded.values())
        return
    ranked = {each.candidate for each in choice.ranking}
    assert ranked | {each.candidate for each in choice.excluded} == set(ALL)
    assert ranked.isdisjoint(each.candidate for each in choice.excluded)
    assert all(each.reason for each in choice.excluded)
    assert choice.reason and "\n" not in choice.reason
    assert ranked.isdisjoint(forbidden)
    assert ranked <= forced
    assert not (stays and CLOUD in ranked)
    states = snapshot.candidates if snapshot is not None else {}
    assert not any(states[name].problem or states[name].model.context_length == 1 for name in ranked & states.keys())


# Expected seconds


@pytest.mark.parametrize("load_s", [0.5, 2.0, 4.0, 8.0])
def test_a_cold_candidate_loses_exactly_when_its_load_makes_it_slower(load_s: float) -> None:
    # Both are as good; the cold one is the faster of the two once it is loaded.
    quick, slow = replace(FAST, load_s=load_s), replace(FAST, decode_tokens_per_s=40)
    p = dict.fromkeys(ALL, 0.6)
    others = [state(MIDDLE, problem="gone"), state(CLOUD, problem="gone"), state(LARGE, slow)]
    warm, cold = (chosen(p=p, snapshot=seen(state(SMALL, quick, loaded=loaded), *others)) for loaded in (True, False))
    assert first(warm) == SMALL
    cold_s, other_s = entry(cold, SMALL).expected_s, entry(cold, LARGE).expected_s
    assert cold_s is not None and other_s is not None
    assert cold_s == pytest.approx((entry(warm, SMALL).expected_s or 0) + load_s)
    assert first(cold) == (SMALL if cold_s < other_s else LARGE)


def test_over_the_loads_above_the_cold_one_wins_at_least_once_and_loses_at_least_once() -> None:
    p = dict.fromkeys((SMALL, LARGE), 0.6)
    only_two = [state(MIDDLE, problem="gone"), state(CLOUD, problem="gone")]
    slow = state(LARGE, replace(FAST, decode_tokens_per_s=40))
    winners = {
        first(chosen(p=p, snapshot=seen(state(SMALL, replace(FAST, load_s=load_s), loaded=False), slow, *only_two)))
        for load_s in (0.5, 8.0)
    }
    assert winners == {SMALL, LARGE}


def test_a_cold_candidate_still_wins_where_it_is_enough_surer() -> None:
    snapshot = seen(*map(state, (SMALL, MIDDLE, CLOUD)), state(LARGE, SLOW, loaded=False))
    p = dict.fromkeys(ALL, 0.3)
    assert first(chosen(p={**p, LARGE: 0.42}, snapshot=snapshot)) != LARGE
    assert first(chosen(p={**p, LARGE: 0.48}, snapshot=snapshot)) == LARGE
    assert first(chosen(p={**p, LARGE: 0.48}, snapshot=snapshot, preference="fast")) != LARGE


def test_a_candidate_behind_many_others_loses_to_one_that_is_idle() -> None:
    p = dict.fromkeys(ALL, 0.6)
    idle, busy = (
        chosen(p=p, snapshot=seen(state(SMALL, running=load, waiting=load), *(state(n, SLOW) for n in ALL[1:])))
        for load in (0, 30)
    )
    assert first(idle) == SMALL
    assert first(busy) != SMALL
    assert entry(busy, SMALL).expected is not None and entry(busy, SMALL).expected.queue_s > 0


def test_a_long_prompt_goes_to_the_one_that_reads_faster() -> None:
    reader = replace(FAST, decode_tokens_per_s=20, prefill_tokens_per_s=5000)
    writer = replace(FAST, decode_tokens_per_s=100, prefill_tokens_per_s=50)
    snapshot = seen(
        state(SMALL, reader), state(LARGE, writer), state(MIDDLE, problem="gone"), state(CLOUD, problem="gone")
    )
    p = dict.fromkeys((SMALL, LARGE), 0.6)
    assert first(chosen(p=p, snapshot=snapshot, prompt=EASY)) == LARGE
    assert first(chosen(p=p, snapshot=snapshot, prompt=EASY + " and this log " * 4000)) == SMALL


def test_live_seconds_go_before_learned_ones() -> None:
    choice = chosen(snapshot=seen(state(SMALL)), seconds=[100.0, 1.0, 1.0, 1.0])
    assert entry(choice, SMALL).expected_s == entry(choice, SMALL).expected.total_s < 100  # type: ignore[union-attr]
    assert entry(choice, LARGE).expected_s == 1 and entry(choice, LARGE).expected is None


def test_whose_answers_are_learned_to_be_long_takes_longer_and_costs_more() -> None:
    snapshot = seen(*map(state, ALL))
    plain, wordy = (chosen(snapshot=snapshot, tokens=[100.0, 100.0, 100.0, length]) for length in (100.0, 300.0))
    before, after = (entry(choice, ALL[3]).expected for choice in (plain, wordy))
    assert before is not None and after is not None
    assert after.decode_s == pytest.approx(3 * before.decode_s) and after.prefill_s == before.prefill_s
    assert entry(plain, SMALL).expected == entry(wordy, SMALL).expected


def test_evicting_counts_where_it_is_charged() -> None:
    free = Resources(sampled_s=0, ram_total_bytes=16 * GIB, ram_free_bytes=2 * GIB, cpu_share=0)
    states = [state(SMALL, memory_bytes=4 * GIB), state(LARGE, loaded=False, memory_bytes=5 * GIB)]
    with_room, without = (chosen(snapshot=seen(*states, resources=resources)) for resources in (None, free))
    assert entry(without, LARGE).expected_s == pytest.approx((entry(with_room, LARGE).expected_s or 0) + 2)
    behind = [entry(choice, SMALL).utility - entry(choice, LARGE).utility for choice in (with_room, without)]
    assert behind[0] < behind[1]


# Preference


@pytest.mark.parametrize(
    ("ruled", "asked", "configured", "counts"),
    [
        ("quality", "fast", 0.3, "quality"),
        (None, "fast", 0.3, "fast"),
        (None, None, 0.3, 0.3),
        (None, None, "fast", "fast"),
        (0.0, "fast", "fast", 0.0),
        (None, 0, "fast", 0),
    ],
)
def test_a_rules_preference_goes_before_the_callers_and_that_before_the_configured_one(
    ruled: Any, asked: Any, configured: Any, counts: Any
) -> None:
    rules = [rule(preference=ruled)] if ruled is not None else []
    choice = _with(rules, asked, configured)
    assert choice.preference == counts
    assert [each.utility for each in choice.ranking] == [each.utility for each in _with([], counts, "balanced").ranking]


def _with(rules: list[Rule], asked: Any, configured: Any) -> Choice:
    by = Policy(configuration(*rules, preference=configured))
    return chosen(by=by, preference=asked, seconds=[1.0, 2.0, 5.0, 3.0])


def test_a_faster_preference_never_expects_a_longer_answer() -> None:
    seconds = [1.0, 2.0, 8.0, 16.0]
    choices = [chosen(preference=name, seconds=seconds) for name in ("quality", "balanced", "fast", 1e6)]
    expected = [choice.ranking[0].expected_s for choice in choices]
    assert expected == sorted(expected, reverse=True)
    assert len(set(expected)) > 1


def test_what_a_second_is_worth_is_charged_for_every_second() -> None:
    rates = ExchangeRates(success_per_second=0.01)
    choice = chosen(preference=rates, seconds=[1.0, 2.0, 5.0, 80.0])
    assert {each.candidate: each.utility for each in choice.ranking} == pytest.approx(
        {SMALL: 0.49, MIDDLE: 0.58, LARGE: 0.75, CLOUD: 0.1}
    )
    assert first(choice) == LARGE
    assert "0.01 a second" in choice.reason


def test_what_a_cent_is_worth_is_charged_for_every_cent() -> None:
    rates = ExchangeRates(success_per_cent=0.1)
    choice = chosen(preference=rates, cost=[0.0, 0.0, 0.0, 0.04])
    assert entry(choice, CLOUD).utility == pytest.approx(0.9 - 0.4)
    assert first(choice) == LARGE


@pytest.mark.parametrize("preference", ["cheap", -1, float("nan"), True, []])
def test_a_preference_that_is_none_is_refused(preference: Any) -> None:
    with pytest.raises(RequestError, match="preference"):
        chosen(preference=preference)


# Cost


def priced(**prices: float) -> Policy:
    """A cloud that has a price, beside candidates of this machine that have none."""
    made = configuration()
    models = FrozenMapping(huge=CandidateSettings(**prices))
    return Policy(
        replace(
            made, providers=FrozenMapping({**made.providers, "cloud": replace(made.providers["cloud"], models=models)})
        )
    )


def test_a_configured_price_goes_before_a_learned_one() -> None:
    choice = chosen(by=priced(prompt_usd_per_million=1000.0), cost=[0.0, 0.0, 0.0, 7.0])
    assert entry(choice, CLOUD).cost_usd == pytest.approx(9 / 1000, rel=0.2)


def test_an_answer_from_this_machine_costs_nothing_beside_one_that_is_paid_for() -> None:
    p = {**dict.fromkeys(ALL, 0.6), CLOUD: 0.65}
    assert first(chosen(by=priced(completion_usd_per_million=10.0), preference="fast", p=p)) != CLOUD


# Not sure


PREFERS = rule(prefer=Prefer(target=("ollama",)))


def test_a_rule_that_prefers_decides_where_the_best_two_are_about_as_good() -> None:
    close = chosen(PREFERS, p={SMALL: 0.81, MIDDLE: 0.1, LARGE: 0.80, CLOUD: 0.1}, preference=0)
    assert first(close) == LARGE
    assert "not sure" in close.reason and "'the rule'" in close.reason
    assert close.ranking[1].candidate == SMALL


def test_but_not_where_the_predictor_is_sure() -> None:
    assert first(chosen(PREFERS, p={SMALL: 0.85, MIDDLE: 0.1, LARGE: 0.80, CLOUD: 0.1}, preference=0)) == SMALL


@pytest.mark.parametrize(("margin", "winner"), [(0.0, SMALL), (0.04, SMALL), (0.06, LARGE), (1.0, LARGE)])
def test_how_near_is_near_is_configured(margin: float, winner: str) -> None:
    p = {SMALL: 0.85, MIDDLE: 0.1, LARGE: 0.80, CLOUD: 0.1}
    assert first(chosen(PREFERS, p=p, preference=0, unsure_margin=margin)) == winner


def test_a_preferred_candidate_that_cannot_serve_is_passed_over() -> None:
    close = {SMALL: 0.81, MIDDLE: 0.80, LARGE: 0.80, CLOUD: 0.1}
    choice = chosen(PREFERS, p=close, preference=0, snapshot=seen(state(LARGE, problem="gone")))
    assert first(choice) == SMALL


def test_of_preferred_ones_about_as_good_the_first_named_wins() -> None:
    rules = rule(prefer=Prefer(target=(LARGE, MIDDLE)))
    close = {SMALL: 0.81, MIDDLE: 0.805, LARGE: 0.80, CLOUD: 0.1}
    assert first(chosen(rules, p=close, preference=0)) == LARGE
    assert first(chosen(rules, p={**close, LARGE: 0.5}, preference=0)) == MIDDLE


def test_out_of_its_depth_on_a_hard_prompt_the_surest_wins_at_any_price() -> None:
    choice = chosen(prompt=HARD, novelty=1.0, preference=1e6, seconds=[1.0, 2.0, 3.0, 4.0])
    assert choice.out_of_depth
    assert first(choice) == CLOUD
    assert choice.reason.startswith("unlike anything seen in training")


def test_out_of_its_depth_on_an_easy_prompt_utility_decides() -> None:
    choice = chosen(prompt=EASY, novelty=1.0, preference=1e6, seconds=[1.0, 2.0, 3.0, 4.0])
    assert choice.out_of_depth
    assert first(choice) == SMALL


def test_out_of_its_depth_on_a_hard_prompt_a_rule_that_prefers_decides() -> None:
    assert first(chosen(PREFERS, prompt=HARD, novelty=1.0)) == LARGE


# After the prediction


def test_a_rule_may_ask_how_sure_the_predictor_is() -> None:
    doubtful = rule("confidence < 0.7", force=(CLOUD,))
    sure, unsure = {**USUAL, SMALL: 0.95}, {SMALL: 0.6, MIDDLE: 0.5, LARGE: 0.4, CLOUD: 0.3}
    assert first(chosen(doubtful, p=sure, preference=0)) == SMALL
    assert first(chosen(doubtful, p=unsure, preference=0)) == CLOUD


def test_a_rule_may_ask_how_far_the_best_is_ahead() -> None:
    near = rule("margin < 0.1", preference=0.0, hold=True, threshold=0.9)
    choice = chosen(near, p={**USUAL, LARGE: 0.85}, preference=0.01)
    assert (choice.preference, choice.verdict.hold, choice.verdict.threshold) == (0.0, True, 0.9)
    assert chosen(near, p={**USUAL, CLOUD: 0.99, LARGE: 0.5}, preference=0).preference == 0


def test_a_rule_that_forbids_after_the_prediction_is_heard() -> None:
    choice = chosen(rule("confidence > 0.5", forbid=(CLOUD, LARGE)), preference=0)
    assert first(choice) == MIDDLE
    assert {each.candidate for each in choice.excluded} == {CLOUD, LARGE}


def test_a_prompt_that_has_to_stay_after_the_prediction_stays() -> None:
    assert first(chosen(rule("confidence > 0.5", require_local=True), preference=0)) == LARGE


def test_after_the_prediction_nobody_may_be_left_either() -> None:
    with pytest.raises(NoCandidateError):
        chosen(rule("confidence > 0.0", forbid=("*",)))


def test_for_one_candidate_the_margin_is_whole() -> None:
    choice = chosen(rule(name="one", force=(SMALL,)), rule("margin == 1.0", "two", hold=True))
    assert choice.verdict.hold


# Nothing learned, or not of everybody


def test_without_a_predictor_the_configured_order_decides() -> None:
    choice = chosen(p=None)
    assert [each.candidate for each in choice.ranking] == list(ALL)
    assert "nothing was learned" in choice.reason
    assert {(each.p_success, each.learned) for each in choice.ranking} == {(0.5, False)}
    assert not choice.out_of_depth


def test_without_a_predictor_seconds_go_before_the_order() -> None:
    states = [state(SMALL, SLOW), state(MIDDLE), state(LARGE, SLOW), state(CLOUD, SLOW)]
    assert first(chosen(p=None, snapshot=seen(*states))) == MIDDLE


def test_without_a_predictor_a_rule_that_prefers_decides() -> None:
    choice = chosen(PREFERS, p=None)
    assert first(choice) == LARGE
    assert "'the rule'" in choice.reason


def test_who_is_unknown_to_the_predictor_stands_for_the_mean_of_the_others() -> None:
    choice = chosen(p={SMALL: 0.4, LARGE: 0.8})
    assert (entry(choice, MIDDLE).p_success, entry(choice, MIDDLE).learned) == (pytest.approx(0.6), False)
    assert entry(choice, SMALL).learned


def test_a_rule_that_prefers_decides_where_one_of_the_best_two_is_unknown() -> None:
    assert first(chosen(PREFERS, p={SMALL: 0.9, LARGE: 0.1}, preference=0)) == LARGE
    assert first(chosen(PREFERS, p={**USUAL, SMALL: 0.99}, preference=0)) == SMALL


def test_a_predictor_that_knows_none_of_them_is_no_help_and_no_harm() -> None:
    choice = chosen(p={"other/one": 0.7, "other/two": 0.9})
    assert [each.p_success for each in choice.ranking] == pytest.approx([0.8] * 4)
    assert "nothing was learned" in choice.reason


def test_the_only_one_left_is_told_so() -> None:
    choice = chosen(rule(forbid=("lmstudio", "cloud")))
    assert (first(choice), choice.reason) == (LARGE, "the only candidate that can serve this")


def test_a_surer_one_that_is_too_dear_is_named() -> None:
    choice = chosen(preference=1e3, seconds=[1.0, 2.0, 8.0, 16.0])
    assert choice.reason.startswith(f"{CLOUD} would add 40 points of success")


# Conversations


HISTORY = [{"role": "user", "content": HARD}, {"role": "assistant", "content": "because of the lease"}]


def followed(prompt: str, turn: Turn, **options: Any) -> Choice:
    """A follow-up that looks easy on its own: there the small one is as good and much faster."""
    easy = {SMALL: 0.90, MIDDLE: 0.90, LARGE: 0.92, CLOUD: 0.5}
    snapshot = seen(state(SMALL), state(MIDDLE, problem="gone"), state(CLOUD, problem="gone"), state(LARGE, SLOW))
    messages = [*HISTORY, {"role": "user", "content": prompt}]
    return chosen(**{"prompt": messages, "p": easy, "snapshot": snapshot, "turn": turn, **options})


AFTER_HARD = Turn(LARGE, {SMALL: 0.2, MIDDLE: 0.3, LARGE: 0.8, CLOUD: 0.9}, 40, 0)


def test_commit_it_after_a_hard_change_stays_with_the_strong_candidate() -> None:
    assert first(followed("commit it", AFTER_HARD)) == LARGE
    assert first(followed("commit it", None)) == SMALL  # type: ignore[arg-type]


def test_an_unrelated_long_prompt_goes_where_it_would_have_gone_alone() -> None:
    assert first(followed(LONG, AFTER_HARD)) == SMALL


def test_a_follow_up_that_inherits_carries_on_what_was_inherited() -> None:
    choice = followed("commit it", AFTER_HARD)
    assert 0.2 < entry(choice, SMALL).p_success < 0.6
    again = followed("yes", Turn(LARGE, {each.candidate: each.p_success for each in choice.ranking}, 60, 0))
    assert first(again) == LARGE


def test_who_was_no_candidate_then_inherits_nothing() -> None:
    choice = followed("commit it", Turn("gone/one", {"gone/one": 0.99}, 40, 0))
    assert entry(choice, SMALL).p_success == pytest.approx(0.90)
    assert first(choice) == SMALL


@pytest.mark.parametrize(("switch_gain", "winner"), [(0.0, CLOUD), (0.04, CLOUD), (0.06, LARGE), (1.0, LARGE)])
def test_a_conversation_moves_only_for_a_gain_that_is_worth_it(switch_gain: float, winner: str) -> None:
    p = {SMALL: 0.1, MIDDLE: 0.1, LARGE: 0.80, CLOUD: 0.85}
    choice = chosen(p=p, turn=Turn(LARGE, {}, 0, 0), preference=0, conversations=Conversations(switch_gain=switch_gain))
    assert first(choice) == winner
    if winner == LARGE:
        assert choice.reason == f"it knows this conversation, and {CLOUD} would gain only 0.05"


def test_a_conversation_whose_candidate_cannot_serve_moves() -> None:
    turn = Turn(LARGE, {}, 0, 0)
    assert first(chosen(turn=turn, preference=0, snapshot=seen(state(LARGE, problem="gone")))) == CLOUD


def test_a_forced_or_forbidden_candidate_goes_before_the_conversation() -> None:
    turn, stay = Turn(LARGE, {}, 0, 0), Conversations(switch_gain=1.0)
    assert first(chosen(rule(force=(SMALL,)), turn=turn, conversations=stay)) == SMALL
    assert first(chosen(rule(forbid=(LARGE,)), turn=turn, conversations=stay)) != LARGE


def test_a_strange_and_hard_turn_leaves_a_weak_candidate_for_a_much_surer_one() -> None:
    p = {SMALL: 0.10, MIDDLE: 0.1, LARGE: 0.1, CLOUD: 0.90}
    choice = chosen(
        p=p, prompt=HARD, novelty=1.0, preference=1e3, seconds=[1.0, 2.0, 3.0, 4.0], turn=Turn(SMALL, {}, 0, 0)
    )
    assert first(choice) == CLOUD
