"""The circuit breaker: keeps requests away from what keeps failing. Pure: outcomes and a clock in, decisions out.

- closed: every call is admitted; outcomes are counted over a sliding window.
- open: none is admitted until the wait is over; the wait doubles each time the probes fail.
- half_open: a few probes are admitted; if all succeed the breaker closes, if one fails it opens again.

The scheme and the defaults (a share of failures over a counted window, a few probes) follow resilience4j.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from turnout.config.providers import BreakerSettings
from turnout.types import BreakerState


class Permit:
    """One admitted call. Exactly one of `succeeded`, `failed` or `released` is told about it; later ones do nothing."""

    __slots__ = ("_breaker", "_epoch")

    def __init__(self, breaker: Breaker, epoch: int) -> None:
        self._breaker: Breaker | None = breaker
        self._epoch = epoch

    def succeeded(self) -> None:
        """The call did what it should."""
        self._end(failed=False)

    def failed(self) -> None:
        """The call failed in a way that speaks against the provider or candidate."""
        self._end(failed=True)

    def released(self) -> None:
        """The call ended in a way that says nothing: cancelled, or the caller's own fault."""
        self._end(failed=None)

    def _end(self, *, failed: bool | None) -> None:
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._record(self._epoch, failed)


class Breaker:
    """One breaker. `on_change` hears every change of state as (from, to)."""

    def __init__(
        self,
        settings: BreakerSettings,
        *,
        now: Callable[[], float] = time.monotonic,
        on_change: Callable[[BreakerState, BreakerState], None] | None = None,
    ) -> None:
        self._settings = settings
        self._now = now
        self._on_change = on_change
        self._state: BreakerState = "closed"
        self._failures: deque[bool] = deque(maxlen=settings.window)
        self._epoch = 0  # outcomes of calls admitted before the last change of state say nothing about now
        self._opened_s = 0.0
        self._wait_s = settings.open_s
        self._probes_out = 0
        self._probes_passed = 0

    @property
    def state(self) -> BreakerState:
        """closed, open or half_open; an open breaker whose wait is over counts as half_open."""
        return "half_open" if self._state == "open" and self._left_s() == 0 else self._state

    @property
    def retry_after_s(self) -> float | None:
        """Seconds until a call may be admitted; None where one may be now."""
        if self._state == "open":
            return self._left_s() or None
        if self._state == "half_open" and self._probes_out + self._probes_passed >= self._settings.probes:
            return self._settings.open_s  # a probe is out; nobody knows when it comes back
        return None

    def admit(self) -> Permit | None:
        """A permit, or None while calls are kept away."""
        if self._state == "open" and self._left_s() == 0:
            self._probes_out = self._probes_passed = 0
            self._change("half_open")
        if self._state == "open":
            return None
        if self._state == "half_open":
            if self._probes_out + self._probes_passed >= self._settings.probes:
                return None
            self._probes_out += 1
        return Permit(self, self._epoch)

    def try_soon(self) -> None:
        """End the wait of an open breaker: something else showed that a probe is worth it."""
        if self._state == "open":
            self._opened_s = self._now() - self._wait_s

    def _record(self, epoch: int, failed: bool | None) -> None:
        if epoch != self._epoch:
            return
        if self._state == "half_open":
            self._probes_out -= 1
            if failed:
                self._wait_s = min(self._wait_s * 2, self._settings.max_open_s)
                self._open()
            elif failed is not None:
                self._probes_passed += 1
                if self._probes_passed >= self._settings.probes:
                    self._wait_s = self._settings.open_s
                    self._failures.clear()
                    self._change("closed")
        elif self._state == "closed" and failed is not None:
            self._failures.append(failed)
            seen = len(self._failures)
            if (
                failed
                and seen >= self._settings.minimum_calls
                and sum(self._failures) / seen >= self._settings.failure_share
            ):
                self._open()

    def _open(self) -> None:
        self._opened_s = self._now()
        self._change("open")

    def _left_s(self) -> float:
        return max(0.0, self._opened_s + self._wait_s - self._now())

    def _change(self, state: BreakerState) -> None:
        before, self._state = self._state, state
        self._epoch += 1
        if self._on_change is not None:
            self._on_change(before, state)
