"""Waits between tries: full jitter, never shorter than asked for, never beyond what the caller has left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.providers import RetrySettings
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
)
from turnout.providers.retry import retry_wait_s

SETTINGS = RetrySettings(retries=3, base_s=0.25, max_wait_s=5.0)


def wait(error: ProviderError | None = None, tries: int = 1, *, draw: float = 0.999999, **rest: object) -> float | None:
    settings = rest.pop("settings", SETTINGS)
    error = error or BusyError("busy")
    return retry_wait_s(error, tries, settings, draw=lambda: draw, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [UnreachableError, NotLoadedError, LoadFailedError, BusyError])
def test_what_may_pass_is_tried_again(error: type[ProviderError]) -> None:
    assert wait(error("x")) is not None


@pytest.mark.parametrize(
    "error",
    [
        *(AuthenticationError, NotFoundError, ContextOverflowError, BadRequestError, IncompleteError, InternalError),
        *(QueueFullError, CircuitOpenError),
    ],
)
def test_what_will_not_pass_is_not_tried_again(error: type[ProviderError]) -> None:
    assert wait(error("x", retry_after_s=0.1)) is None


def test_a_time_limit_that_passed_is_not_tried_again() -> None:
    assert wait(ProviderTimeoutError("x", phase="chunk")) is None


@pytest.mark.parametrize(("tries", "most_s"), [(1, 0.5), (2, 1.0), (3, 2.0)])
def test_the_bound_of_the_wait_doubles_with_each_try(tries: int, most_s: float) -> None:
    assert wait(tries=tries) == pytest.approx(most_s, rel=1e-5)
    assert wait(tries=tries, draw=0.0) == 0.0
    assert wait(tries=tries, draw=0.5) == pytest.approx(most_s / 2)


def test_there_are_as_many_tries_as_configured_and_one() -> None:
    assert wait(tries=3) is not None
    assert wait(tries=4) is None
    assert wait(settings=RetrySettings(retries=0)) is None


def test_the_wait_is_capped_however_many_tries_there_were() -> None:
    many = RetrySettings(retries=20, base_s=0.25, max_wait_s=5.0)
    assert wait(tries=20, settings=many) == pytest.approx(5.0, rel=1e-5)


def test_what_the_provider_asks_for_is_kept_and_a_longer_draw_too() -> None:
    assert wait(BusyError("x", retry_after_s=3.0), draw=0.0) == 3.0
    assert wait(BusyError("x", retry_after_s=0.1)) == pytest.approx(0.5, rel=1e-5)


def test_a_provider_that_asks_for_more_than_the_bound_is_not_waited_for() -> None:
    assert wait(BusyError("x", retry_after_s=5.0)) == 5.0
    assert wait(BusyError("x", retry_after_s=5.1)) is None


def test_a_wait_that_ends_after_the_deadline_makes_no_sense() -> None:
    assert wait(left_s=0.6) is not None
    assert wait(left_s=0.4) is None
    assert wait(left_s=0.0, draw=0.0) is None
    assert wait(left_s=-1.0, draw=0.0) is None
    assert wait(BusyError("x", retry_after_s=3.0), left_s=2.0) is None


def test_without_a_draw_of_ones_own_chance_decides() -> None:
    waits = {retry_wait_s(BusyError("x"), 1, SETTINGS) for _ in range(20)}
    assert len(waits) > 1
    assert all(0 <= wait < 0.5 for wait in waits if wait is not None)


@given(
    tries=st.integers(1, 2000) | st.integers(1, 20),
    draw=st.floats(0, 1, exclude_max=True),
    retry_after_s=st.none() | st.floats(0, 3600),
    left_s=st.none() | st.floats(-10, 1000),
    base_s=st.floats(0, 100),
    max_wait_s=st.floats(0, 100),
    retries=st.integers(0, 20),
)
def test_any_wait_lies_within_its_bounds(
    tries: int,
    draw: float,
    retry_after_s: float | None,
    left_s: float | None,
    base_s: float,
    max_wait_s: float,
    retries: int,
) -> None:
    settings = RetrySettings(retries=retries, base_s=base_s, max_wait_s=max_wait_s)
    waited = wait(BusyError("x", retry_after_s=retry_after_s), tries, draw=draw, settings=settings, left_s=left_s)
    if waited is not None:
        assert 0 <= waited <= max_wait_s
        assert waited >= (retry_after_s or 0)
        assert left_s is None or waited < left_s
        assert tries <= retries
