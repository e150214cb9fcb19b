"""The pool: candidates as configured, then those that providers list; both in order."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.config.performance import Performance
from turnout.config.providers import CandidateSettings, Provider, QueueLimits
from turnout.config.schema import Configuration
from turnout.config.values import FrozenMapping
from turnout.policy.candidates import Candidate
from turnout.policy.pool import Pool
from turnout.types import CandidateState, Snapshot

HERE = "http://127.0.0.1:1234"
AWAY = "https://api.example.com/v1"


def provider(*models: str, base_url: str = HERE, **options: Any) -> Provider:
    named = FrozenMapping({model: CandidateSettings() for model in models})
    return Provider(kind="openai", base_url=base_url, **{"models": named, **options})


def pool(performance: Performance | None = None, **providers: Provider) -> Pool:
    return Pool(Configuration(providers=FrozenMapping(providers), performance=performance or Performance()))


def seen(*names: str) -> Snapshot:
    return Snapshot(taken_s=0, candidates={name: CandidateState(candidate=name, model=None) for name in names})


def names(candidates: tuple[Candidate, ...]) -> list[str]:
    return [candidate.name for candidate in candidates]


def only(made: Pool) -> Candidate:
    (candidate,) = made.candidates(None)
    return candidate


# Who is in it


def test_named_candidates_keep_the_order_in_which_they_are_written() -> None:
    made = pool(b=provider("two", "one"), a=provider("three"))
    assert names(made.candidates(None)) == ["b/two", "b/one", "a/three"]


def test_a_provider_that_is_switched_off_offers_nothing() -> None:
    made = pool(a=provider("one"), b=provider("two", enabled=False), c=provider(enabled=False))
    assert names(made.candidates(seen("a/one", "b/two", "c/three"), ("c/three",))) == ["a/one"]


def test_a_provider_that_names_none_offers_what_it_lists() -> None:
    made = pool(a=provider("one"), b=provider())
    assert names(made.candidates(seen("b/x", "b/y"))) == ["a/one", "b/x", "b/y"]


def test_a_provider_that_names_some_offers_no_others() -> None:
    assert names(pool(a=provider("one")).candidates(seen("a/one", "a/other"))) == ["a/one"]


def test_a_listed_candidate_of_a_provider_that_is_not_configured_is_left_out() -> None:
    assert names(pool(a=provider()).candidates(seen("a/one", "z/one"))) == ["a/one"]


def test_a_model_name_may_hold_slashes() -> None:
    (candidate,) = pool(a=provider()).candidates(seen("a/hugging/face/7b"))
    assert (candidate.name, candidate.provider) == ("a/hugging/face/7b", "a")


def test_without_a_snapshot_those_that_were_learned_of_stand_for_what_is_listed() -> None:
    made = pool(a=provider("one"), b=provider())
    assert names(made.candidates(None, ("b/x", "a/other", "z/y"))) == ["a/one", "b/x"]
    assert names(made.candidates(None)) == ["a/one"]


def test_with_a_snapshot_nobody_is_made_up_from_what_was_learned() -> None:
    assert pool(b=provider()).candidates(seen(), ("b/x",)) == ()


def test_a_candidate_that_its_provider_lists_no_longer_is_gone_and_comes_back() -> None:
    made = pool(b=provider())
    for listed in (["b/x", "b/y"], ["b/y"], [], ["b/x", "b/y"]):
        assert names(made.candidates(seen(*listed))) == listed


def test_the_same_listing_gives_the_same_candidates() -> None:
    made = pool(a=provider("one"), b=provider())
    first, second = made.candidates(seen("b/x")), made.candidates(seen("b/x"))
    assert all(one is two for one, two in zip(first, second, strict=True))


def test_a_listing_in_another_order_is_followed() -> None:
    made = pool(b=provider())
    made.candidates(seen("b/x", "b/y"))
    assert names(made.candidates(seen("b/y", "b/x"))) == ["b/y", "b/x"]


class Interrupted(Pool):
    """A pool in which another thread lists something else whenever this one has just noted its own listing."""

    noted: Any = (frozenset(), ())
    busy = False

    @property
    def _listed(self) -> Any:
        return self.noted

    @_listed.setter
    def _listed(self, value: Any) -> None:
        self.noted = value
        if value[1] and not self.busy:
            self.busy = True
            self.candidates(seen("b/of-the-other-thread"))
            self.busy = False


def test_a_thread_that_comes_between_changes_nobody_elses_candidates() -> None:
    made = Interrupted(Configuration(providers=FrozenMapping(b=provider())))
    assert names(made.candidates(seen("b/mine"))) == ["b/mine"]


# What is known of each


@pytest.mark.parametrize(
    ("base_url", "of_provider", "of_model", "local"),
    [
        (HERE, None, None, True),
        ("http://localhost:1", None, None, True),
        ("http://[::1]:1", None, None, True),
        (AWAY, None, None, False),
        ("http://127.0.0.1.example.com", None, None, False),
        (AWAY, True, None, True),
        (HERE, False, None, False),
        (HERE, None, False, False),
        (HERE, True, False, False),
        (AWAY, None, True, True),
    ],
)
def test_local_is_said_of_the_model_else_of_the_provider_else_seen_in_the_address(
    base_url: str, of_provider: bool | None, of_model: bool | None, local: bool
) -> None:
    models = FrozenMapping(one=CandidateSettings(local=of_model))
    made = pool(a=provider(base_url=base_url, local=of_provider, models=models))
    assert only(made).local is local


def test_a_listed_candidate_is_local_where_its_provider_is() -> None:
    made = pool(a=provider(base_url=AWAY), b=provider())
    assert [candidate.local for candidate in made.candidates(seen("a/x", "b/y"))] == [False, True]


def test_settings_of_a_model_are_those_of_its_candidate() -> None:
    settings = CandidateSettings(
        context_length=4096,
        capabilities=("chat", "tools"),
        memory_mb=2.5,
        prompt_usd_per_million=1.0,
        completion_usd_per_million=2.0,
    )
    candidate = only(pool(a=provider(models=FrozenMapping(one=settings))))
    assert candidate == Candidate(
        name="a/one",
        context_length=4096,
        capabilities=frozenset({"chat", "tools"}),
        memory_bytes=2_621_440,
        slots=4,
        provider_slots=4,
        input_usd_per_million=1.0,
        output_usd_per_million=2.0,
    )


def test_what_is_not_set_is_left_open() -> None:
    assert only(pool(a=provider("one"))) == Candidate(name="a/one", slots=4, provider_slots=4)


@pytest.mark.parametrize(("of_all", "of_one", "slots"), [(4, 1, 1), (2, 4, 2), (3, 3, 3)])
def test_slots_are_the_tighter_of_both_limits(of_all: int, of_one: int, slots: int) -> None:
    limits = QueueLimits(max_concurrent=of_all, max_concurrent_per_candidate=of_one)
    assert only(pool(a=provider("one", queue=limits))).slots == slots
    assert only(pool(Performance(queue=limits), a=provider("one"))).slots == slots


def test_a_providers_own_limits_go_before_the_shared_ones() -> None:
    shared = Performance(queue=QueueLimits(max_concurrent_per_candidate=1))
    own = QueueLimits(max_concurrent_per_candidate=3)
    assert only(pool(shared, a=provider("one", queue=own))).slots == 3


def test_video_memory_that_is_configured_counts_as_memory_that_it_takes() -> None:
    models = FrozenMapping(one=CandidateSettings(vram_mb=1000))
    assert only(pool(a=provider(models=models))).memory_bytes == 1000 * 2**20
