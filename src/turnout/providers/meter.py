"""What one attempt costs, written down while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable

from turnout.errors import ProviderError
from turnout.providers.clock import CallClock
from turnout.types import Answer, Attempt, Usage


class Meter:
    """The measurements of one attempt in the making."""

    def __init__(self, candidate: str, number: int, *, streamed: bool, now: Callable[[], float]) -> None:
        self.candidate = candidate
        self.model = candidate.partition("/")[2]
        self.queue_s = 0.0
        self.load_s = 0.0
        self.prefill_s = 0.0
        self.clock: CallClock | None = None
        self.answer: Answer | None = None
        self.held_s = 0.0
        self._error = self._message = ""
        self.cancelled = False
        self.was_loaded = True
        self.began: Callable[[], None] = _nothing
        self.started_s = now()
        self._started_at = time.time()
        self._number = number
        self._streamed = streamed
        self._now = now

    def failed(self, error: ProviderError) -> None:
        """It ended with this. The words are kept, not the error: its traceback leads back here, and to the whole request."""
        self._error, self._message = error.code, error.message

    @property
    def first_token_s(self) -> float | None:
        """Seconds from the call to its first content; None where there was none or nobody can know."""
        return self.clock.first_token_s if self.clock is not None else None

    @property
    def late_s(self) -> float:
        """Seconds from the call to its first content, without what reading the prompt should have taken."""
        return (self.first_token_s or 0.0) - self.prefill_s

    def attempt(self) -> Attempt:
        """What was measured so far."""
        usage = self.answer.usage if self.answer is not None else Usage()
        total_s = self._now() - self.started_s
        return Attempt(
            candidate=self.candidate,
            started_at=self._started_at,
            queue_s=self.queue_s,
            load_s=self.load_s,
            first_token_s=self.first_token_s,
            total_s=total_s,
            usage=usage,
            tokens_per_s=self._tokens_per_s(usage),
            streamed=self._streamed,
            number=self._number,
            error="cancelled" if self.cancelled else self._error,
            message=self._message,
            held_s=self.held_s,
        )

    def _tokens_per_s(self, usage: Usage) -> float | None:
        made = usage.completion_tokens or 0
        if self.answer is None or self.clock is None or made < 2:
            return None
        decode_s = self.answer.timings.decode_s
        if not decode_s:
            decode_s = self.clock.elapsed_s - (self.first_token_s or 0.0)
        return (made - 1) / decode_s if decode_s > 0 else None


def _nothing() -> None:
    """Nobody wants to hear that content began."""
