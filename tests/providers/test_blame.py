"""Whom a failure is counted against: the provider, one candidate, or nobody but the request."""

from __future__ import annotations

import pytest

from turnout import errors
from turnout.errors import (
    AuthenticationError,
    BadRequestError,
    BusyError,
    CircuitOpenError,
    ContextOverflowError,
    IncompleteError,
    InternalError,
    LoadFailedError,
    NotFoundError,
    NotLoadedError,
    ProviderError,
    ProviderTimeoutError,
    QueueFullError,
    UnreachableError,
    WrongModelError,
)
from turnout.providers.blame import Blame, blame


def all_kinds(kind: type[ProviderError] = ProviderError) -> list[type[ProviderError]]:
    """The tree of provider errors, as far as Turnout itself defines it."""
    below = [one for child in kind.__subclasses__() if child.__module__ == errors.__name__ for one in all_kinds(child)]
    return [kind, *below]


def of(error: ProviderError, *, was_loaded: bool = True, own_deadline: bool = False) -> Blame:
    return blame(error, was_loaded=was_loaded, own_deadline=own_deadline)


@pytest.mark.parametrize(
    ("error", "guilty"),
    [
        (UnreachableError("refused"), "provider"),
        (AuthenticationError("no such key", status=401), "provider"),
        (InternalError("bad gateway", status=502), "provider"),
        (InternalError("gateway timeout", status=504), "provider"),
        (InternalError("crashed", status=500), "candidate"),
        (InternalError("crashed", status=503), "candidate"),
        (InternalError("crashed in mid-stream"), "candidate"),
        (IncompleteError("no finish reason"), "candidate"),
        (LoadFailedError("out of memory"), "candidate"),
        (BusyError("no slot", status=503), "candidate"),
        (BusyError("quota", status=429), "candidate"),
        (QueueFullError("full"), "nobody"),
        (CircuitOpenError("open"), "nobody"),
        (BadRequestError("no tools", status=400), "nobody"),
        (ContextOverflowError("too long"), "nobody"),
        (NotFoundError("no such language model", status=404), "nobody"),
        (NotLoadedError("evicted"), "nobody"),
        (WrongModelError("other", provider="p", model="m"), "nobody"),
        (ProviderError("something"), "candidate"),
    ],
    ids=lambda value: f"{value.code} {value.status or ''}".strip() if isinstance(value, ProviderError) else value,
)
def test_each_failure_speaks_against_whom_it_should(error: ProviderError, guilty: Blame) -> None:
    for was_loaded in (True, False):
        for own_deadline in (True, False):
            assert of(error, was_loaded=was_loaded, own_deadline=own_deadline) == guilty


@pytest.mark.parametrize("phase", ["first_token", "chunk", "total", "provider"])
def test_a_time_limit_speaks_against_a_candidate_that_was_in_memory(phase: str) -> None:
    assert of(ProviderTimeoutError("late", phase=phase)) == "candidate"


@pytest.mark.parametrize("phase", ["first_token", "chunk", "total", "provider", "load"])
def test_loading_is_no_failure(phase: str) -> None:
    assert of(ProviderTimeoutError("late", phase=phase), was_loaded=False) == "nobody"


def test_a_load_that_takes_too_long_speaks_against_nobody() -> None:
    assert of(ProviderTimeoutError("late", phase="load")) == "nobody"


def test_a_caller_in_a_hurry_has_nobody_but_himself_to_blame() -> None:
    assert of(ProviderTimeoutError("late", phase="total"), own_deadline=True) == "nobody"


@pytest.mark.parametrize("phase", ["first_token", "chunk", "provider"])
def test_a_deadline_does_not_excuse_silence(phase: str) -> None:
    assert of(ProviderTimeoutError("silent", phase=phase), own_deadline=True) == "candidate"


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.__name__)
def test_every_kind_of_error_has_a_verdict(kind: type[ProviderError]) -> None:
    error = kind.__new__(kind)
    ProviderError.__init__(error, "made up")
    error.phase = "total"  # type: ignore[attr-defined]
    assert of(error) in ("provider", "candidate", "nobody")


def test_what_is_refused_here_never_counts_against_anybody() -> None:
    refusals = [kind for kind in all_kinds() if kind.code in ("queue_full", "circuit_open", "context_overflow")]
    assert len(refusals) == 3
    assert {of(kind("refused")) for kind in refusals} == {"nobody"}
