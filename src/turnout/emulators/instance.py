"""One loaded copy of a model: its slots, who waits for them, and how it ends."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from turnout.emulators.language_model import LanguageModel

_CACHE_BYTES_PER_TOKEN_8B: Final = 131_072
_CACHE_GROWTH: Final = 0.42
"""Llama 3 keeps 128 KiB for a token at 8B and 320 KiB at 70B."""


class EngineError(Exception):
    """The emulated machine cannot do what was asked; every dialect words it in its own way."""


class QueueFullError(EngineError):
    """Too many requests wait for a model to be loaded."""


class LoadFailedError(EngineError):
    """The model does not fit, or its load was made to fail."""


class ModelUnloadedError(EngineError):
    """The model went away while a request was using it."""


class ContextExceededError(EngineError):
    """The requests that share one context window filled it together."""


def memory_bytes(model: LanguageModel, context: int, slots: int) -> int:
    """Weights plus the cache of `slots` context windows."""
    per_token = _CACHE_BYTES_PER_TOKEN_8B * (model.parameters_b / 8) ** _CACHE_GROWTH
    return model.size_bytes + int(per_token * context * slots)


class Holder(Protocol):
    """Whoever holds a slot; it looks at `failure` before each token."""

    failure: EngineError | None


@dataclass(eq=False)
class Instance:
    """A loaded model. `users` are the requests it was handed to, running or waiting for one of its slots.

    `automatic` tells models loaded by a request from those loaded on purpose. `expires_at` is a time of the engine's
    clock, infinity for never; it is set when the last user leaves and means nothing while there are users.
    """

    id: str
    model: LanguageModel
    context: int
    slots: int
    settings: Mapping[str, Any]
    keep_alive_s: float
    automatic: bool
    memory_bytes: int
    load_s: float = 0.0
    last_used: float = 0.0
    expires_at: float = 0.0
    users: int = 0
    tokens_held: int = 0
    ended: EngineError | None = None

    def __post_init__(self) -> None:
        self.holders: set[Holder] = set()
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def running(self) -> int:
        """Slots in use."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot, first come first served."""
        return sum(not future.done() for future in self._waiting)

    def to_json(self, now: float) -> dict[str, Any]:
        """The state for people and tests; `now` is the time of the engine's clock."""
        forever = math.isinf(self.expires_at)
        return {
            "id": self.id,
            "model": self.model.name,
            "context": self.context,
            "slots": self.slots,
            "settings": dict(self.settings),
            "automatic": self.automatic,
            "users": self.users,
            "running": self.running,
            "waiting": self.waiting,
            "expires_in_s": None if forever else round(self.expires_at - now, 3),
        }

    async def acquire(self) -> None:
        """Wait for a slot, without bound.

        Raises:
            EngineError: the instance ended before or meanwhile.
        """
        if self.ended is not None:
            raise self.ended
        if self._taken < self.slots and not self.waiting:
            self._taken += 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.release()  # the slot came in the same moment as the cancellation
            raise

    def release(self) -> None:
        """Hand a slot to the next in line, or free it."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
        self._taken -= 1

    def end(self, error: EngineError) -> None:
        """Fail everybody who runs or waits here."""
        self.ended = error
        self.fail_holders(error)
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def fail_holders(self, error: EngineError) -> None:
        """Fail those that run; those that wait may go on."""
        for holder in self.holders:
            holder.failure = error
