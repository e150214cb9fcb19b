"""How long one call may still take, phase by phase. Reads time from a function, so that tests can hand it theirs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from turnout.config.providers import Timeouts
from turnout.errors import ProviderTimeoutError

_NO_DIFFERENCE_S: Final = 1e-3

Phase: TypeAlias = Literal["load", "first_token", "chunk", "begin", "total"]


class CallClock:
    """The limits of one call: first content, silence between pieces, and the whole.

    `first_token_s` holds what load and prefill are expected to take beside the configured patience; `deadline_s` and
    `begin_within_s`, for the whole and for the first content of a stream, are the caller's, in seconds from now. A
    provider that reports progress before its first content is alive: it is then held to the silence between pieces
    until the total, or until the caller's patience ends.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        *,
        first_token_s: float | None = None,
        deadline_s: float | None = None,
        begin_within_s: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self.started_s = now()
        self.first_content_s: float | None = None
        self.timeouts = timeouts
        self._waiting_for_content = True
        self._alive_s = self.started_s
        self._patience_s = timeouts.first_token_s if first_token_s is None else first_token_s
        total = timeouts.total_s if deadline_s is None else min(timeouts.total_s, deadline_s)
        self._ends_s = self.started_s + total
        hurried = begin_within_s is not None and begin_within_s < total - _NO_DIFFERENCE_S
        self._begins_s = self.started_s + begin_within_s if begin_within_s is not None and hurried else math.inf

    @property
    def elapsed_s(self) -> float:
        """Seconds since the call began."""
        return self._now() - self.started_s

    @property
    def first_token_s(self) -> float | None:
        """Seconds from the start to the first content, None before it."""
        return None if self.first_content_s is None else self.first_content_s - self.started_s

    def progressed(self) -> None:
        """The provider reported load or prefill progress."""
        self._alive_s = self._now()
        self._patience_s = self.timeouts.chunk_s

    def received(self) -> None:
        """Content arrived."""
        self._alive_s = self._now()
        if self.first_content_s is None:
            self.first_content_s = self._alive_s
        self._waiting_for_content = False

    def left_s(self, *, streaming: bool) -> tuple[float, Phase]:
        """Seconds until the nearest limit, and which it is. Never below 0."""
        now = self._now()
        left, phase = self._ends_s - now, "total"
        if streaming:
            waiting = self._waiting_for_content
            # Between pieces the silence is the provider's only while somebody listens: a slow reader is not its fault.
            silence = self._alive_s + self._patience_s - now if waiting else self.timeouts.chunk_s
            if silence < left:
                left, phase = silence, "first_token" if waiting else "chunk"
            if waiting and self._begins_s - now < left:
                left, phase = self._begins_s - now, "begin"
        return max(left, 0.0), phase  # type: ignore[return-value]

    def expired(self, phase: Phase) -> ProviderTimeoutError:
        """The error that says which limit passed; the caller adds who and the partial text."""
        told = {
            "load": f"not loaded within {self.timeouts.load_s:g} s",
            "first_token": f"no first token within {self._patience_s:g} s",
            "chunk": f"silent for {self.timeouts.chunk_s:g} s in mid-answer",
            "begin": f"nothing said within the {self._begins_s - self.started_s:.3g} s that its caller allows",
            "total": f"not finished within {self._ends_s - self.started_s:g} s",
        }
        return ProviderTimeoutError(told[phase], phase=phase)


class Deadline:
    """When a caller's patience ends: with the whole answer, and with its first content. None is no limit.

    Args:
        total_s: seconds for everything.
        begin_s: seconds until the first content.
        now: the monotonic clock.
    """

    def __init__(
        self,
        total_s: float | None = None,
        begin_s: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self.started_s = now()
        self._ends_s = math.inf if total_s is None else self.started_s + total_s
        self._begins_s = self._ends_s if begin_s is None else min(self._ends_s, self.started_s + begin_s)

    @property
    def left_s(self) -> float | None:
        """Seconds for the rest of the answer, never below 0."""
        return self._until(self._ends_s)

    @property
    def begin_left_s(self) -> float | None:
        """Seconds until the first content has to be there, never below 0."""
        return self._until(self._begins_s)

    def _until(self, end_s: float) -> float | None:
        return None if end_s == math.inf else max(0.0, end_s - self._now())
