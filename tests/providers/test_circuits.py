"""The breakers of one provider together: whose opens, who is still let pass, what is told."""

from __future__ import annotations

import pytest
from tests.providers.fakes import FakeClock

from turnout.config.providers import BreakerSettings
from turnout.errors import (
    BadRequestError,
    BusyError,
    CircuitOpenError,
    InternalError,
    ProviderError,
    UnreachableError,
)
from turnout.providers.circuits import Circuits
from turnout.types import ProviderEvent

DOWN, BROKEN, ODD = UnreachableError("refused"), InternalError("crashed"), BadRequestError("no tools")


class Watched:
    """Circuits that open at the first failure, their clock and the events they told."""

    def __init__(self, **changes: float) -> None:
        self.clock = FakeClock()
        self.events: list[ProviderEvent] = []
        settings = BreakerSettings(**{"minimum_calls": 1, "window": 1, "open_s": 10.0, **changes})  # type: ignore[arg-type]
        self.circuits = Circuits("local", settings, on_event=self.events.append, now=self.clock)

    def fail(self, model: str, error: ProviderError) -> None:
        admission = self.circuits.admit(model)
        admission.failed(error, was_loaded=True, own_deadline=False)
        admission.ended()

    def refusal(self, model: str) -> CircuitOpenError:
        with pytest.raises(CircuitOpenError) as caught:
            self.circuits.admit(model)
        return caught.value


@pytest.fixture
def watched() -> Watched:
    return Watched()


# Whose breaker opens


def test_a_provider_that_is_down_is_left_alone_with_all_its_candidates(watched: Watched) -> None:
    watched.fail("small", DOWN)
    assert {model: watched.circuits.state(model) for model in ("small", "large", "never asked")} == dict.fromkeys(
        ("small", "large", "never asked"), "open"
    )


def test_a_candidate_that_fails_is_left_alone_by_itself(watched: Watched) -> None:
    watched.fail("small", BROKEN)
    assert (watched.circuits.state("small"), watched.circuits.state("large")) == ("open", "closed")
    watched.circuits.admit("large").succeeded()


def test_what_is_the_requests_own_fault_opens_nothing(watched: Watched) -> None:
    for _ in range(50):
        watched.fail("small", ODD)
    assert watched.circuits.state("small") == "closed" and watched.events == []


def test_candidates_that_fail_show_that_their_provider_is_there() -> None:
    watched = Watched(window=4, minimum_calls=4, failure_share=0.5)
    watched.fail("a", DOWN)
    for model in "bcd":
        watched.fail(model, BROKEN)
    watched.fail("e", DOWN)
    assert watched.circuits.state("f") == "closed", "one in four failed to answer"


def test_an_answer_whose_first_token_came_far_too_late_speaks_against_the_candidate_only(watched: Watched) -> None:
    watched.circuits.admit("small").succeeded(slowly=True)
    assert (watched.circuits.state("small"), watched.circuits.state("large")) == ("open", "closed")


def test_a_call_of_which_nothing_is_told_says_nothing(watched: Watched) -> None:
    for _ in range(50):
        watched.circuits.admit("small").ended()
    assert watched.circuits.state("small") == "closed"


@pytest.mark.parametrize("error", [DOWN, BROKEN], ids=["provider", "candidate"])
def test_a_probe_of_which_nothing_is_told_leaves_its_place_to_the_next(watched: Watched, error: ProviderError) -> None:
    watched.fail("small", error)
    watched.clock.advance(10)
    for _ in range(3):
        watched.circuits.admit("small").ended()
    watched.fail("small", ODD)
    watched.circuits.admit("small").succeeded()
    assert watched.circuits.state("small") == "closed"


def test_the_end_after_an_outcome_changes_nothing(watched: Watched) -> None:
    admission = watched.circuits.admit("small")
    admission.failed(BROKEN, was_loaded=True, own_deadline=False)
    admission.ended()
    admission.succeeded()
    assert watched.circuits.state("small") == "open"


# Refusals


@pytest.mark.parametrize("error", [DOWN, BROKEN], ids=["provider", "candidate"])
def test_a_refusal_says_who_and_for_how_long(watched: Watched, error: ProviderError) -> None:
    watched.fail("small", error)
    watched.clock.advance(4)
    refusal = watched.refusal("small")
    assert (refusal.candidate, refusal.retry_after_s, refusal.retryable) == ("local/small", 6.0, False)
    assert (
        refusal.message == f"{'the provider' if error is DOWN else 'it'} kept failing and is left alone for another 6 s"
    )


@pytest.mark.parametrize("error", [DOWN, BROKEN], ids=["provider", "candidate"])
def test_the_check_beforehand_refuses_what_would_be_refused(watched: Watched, error: ProviderError) -> None:
    watched.circuits.check("small")
    watched.fail("small", error)
    with pytest.raises(CircuitOpenError):
        watched.circuits.check("small")
    watched.clock.advance(10)
    watched.circuits.check("small")
    watched.circuits.admit("small").succeeded()


def test_the_check_beforehand_takes_no_place_of_a_probe(watched: Watched) -> None:
    watched.fail("small", DOWN)
    watched.clock.advance(10)
    for _ in range(10):
        watched.circuits.check("small")
    watched.circuits.admit("small").succeeded()
    assert watched.circuits.state("small") == "closed"


def test_while_a_probe_is_out_the_others_are_refused_with_a_wait(watched: Watched) -> None:
    watched.fail("small", BROKEN)
    watched.clock.advance(10)
    probe = watched.circuits.admit("small")
    assert watched.refusal("small").retry_after_s == 10
    with pytest.raises(CircuitOpenError):
        watched.circuits.check("small")
    probe.succeeded()
    watched.circuits.check("small")


def test_a_refusal_between_two_probes_names_a_wait_above_zero() -> None:
    watched = Watched(probes=2)
    watched.fail("small", BROKEN)
    watched.clock.advance(10)
    passed, _out = watched.circuits.admit("small"), watched.circuits.admit("small")
    passed.succeeded()
    assert (watched.refusal("small").retry_after_s or 0) > 0


def test_a_candidate_that_fails_on_the_providers_probation_proves_the_provider(watched: Watched) -> None:
    watched.fail("large", DOWN)
    watched.clock.advance(10)
    watched.fail("small", BROKEN)
    assert (watched.circuits.state("small"), watched.circuits.state("large")) == ("open", "closed")


def test_a_candidates_refusal_while_the_provider_is_on_probation_leaves_the_probe_to_others() -> None:
    watched = Watched(window=2, minimum_calls=1, open_s=10.0, max_open_s=1000.0)
    watched.fail("small", BROKEN)
    watched.clock.advance(10)
    watched.fail("small", BROKEN)  # its own wait is 20 s now
    watched.fail("large", DOWN)
    watched.clock.advance(10)
    for _ in range(3):
        assert watched.refusal("small").message.startswith("it kept failing")
    watched.circuits.admit("large").succeeded()
    assert watched.circuits.state("large") == "closed"


# States and events


def test_the_state_of_a_candidate_is_the_worse_of_the_two(watched: Watched) -> None:
    watched.fail("small", BROKEN)
    watched.clock.advance(5)
    watched.fail("large", DOWN)
    watched.clock.advance(5)
    assert watched.circuits.state("small") == "open"
    watched.clock.advance(5)
    assert watched.circuits.state("small") == "half_open"
    watched.circuits.admit("large").succeeded()
    assert (watched.circuits.state("small"), watched.circuits.state("large")) == ("half_open", "closed")


def test_events_name_the_candidate_or_nobody_for_the_provider_itself(watched: Watched) -> None:
    watched.fail("small", BROKEN)
    watched.fail("large", DOWN)
    watched.clock.advance(10)
    watched.circuits.admit("small").succeeded()
    told = [(event.model, event.before, event.after) for event in watched.events]
    assert told == [
        ("small", "closed", "open"),
        ("", "closed", "open"),
        ("", "open", "half_open"),
        ("small", "open", "half_open"),
        ("", "half_open", "closed"),
        ("small", "half_open", "closed"),
    ]
    assert {(event.kind, event.provider) for event in watched.events} == {("breaker", "local")}


def test_a_provider_without_a_free_slot_is_there_all_the_same(watched: Watched) -> None:
    watched.fail("small", BusyError("no slot", retry_after_s=1))
    assert (watched.circuits.state("small"), watched.circuits.state("large")) == ("open", "closed")
