"""Waiting for a slot: the schedule with futures around it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from types import TracebackType

from turnout.config.providers import QueueLimits
from turnout.errors import QueueFullError
from turnout.providers.schedule import Schedule, Ticket


class Slot:
    """A slot of a queue, held between entering and leaving. A class of its own, because every request passes here and
    a generator in its place takes several times as long."""

    __slots__ = ("_deadline_s", "_expected_s", "_model", "_queue", "_since_s", "_ticket")

    def __init__(
        self, queue: Queue, model: str, deadline_s: float | None, since_s: float | None, expected_s: float | None
    ) -> None:
        self._queue = queue
        self._model = model
        self._deadline_s = deadline_s
        self._since_s = since_s
        self._expected_s = expected_s

    async def __aenter__(self) -> float:
        self._ticket, waited_s = await self._queue._enter(
            self._model, self._deadline_s, self._since_s, self._expected_s
        )
        return waited_s

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue._leave(self._ticket)


class Queue:
    """The bounded queue of one provider."""

    def __init__(
        self,
        provider: str,
        limits: QueueLimits,
        *,
        max_resident: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._limits = limits
        self._now = now
        self._turns: dict[Ticket, asyncio.Future[None]] = {}
        self.schedule = Schedule(limits, max_resident=max_resident, now=now)

    def slot(
        self,
        model: str,
        *,
        deadline_s: float | None = None,
        since_s: float | None = None,
        expected_s: float | None = None,
    ) -> Slot:
        """Hold a slot inside an `async with`; its value is how many seconds it was waited for.

        Args:
            model: the language model that is asked.
            deadline_s: the longest wait; the configured one where it is shorter.
            since_s: when the request first came, where this is another try.
            expected_s: how long the slot will likely be held.

        Raises, on entering:
            QueueFullError: too many wait already, at once; or the wait was over before a turn came.
        """
        return Slot(self, model, deadline_s, since_s, expected_s)

    def observe(self, resident: Iterable[str]) -> None:
        """What is in memory at the provider now."""
        self.schedule.observe(resident)
        self._pump()

    async def _enter(
        self, model: str, deadline_s: float | None, since_s: float | None, expected_s: float | None
    ) -> tuple[Ticket, float]:
        """A ticket whose turn has come, and the seconds that took."""
        asked_s = self._now()
        ticket = self.schedule.ask(model, since_s, expected_s)
        if ticket is None:
            raise self._full(model, f"{self.schedule.waiting} requests wait already")
        self._pump()
        if ticket.started_s is None:
            try:
                await self._turn(ticket, model, deadline_s)
            except BaseException:
                self._leave(ticket)
                raise
        return ticket, max(0.0, (ticket.started_s or asked_s) - asked_s)

    def _leave(self, ticket: Ticket) -> None:
        self.schedule.leave(ticket)
        self._pump()

    async def _turn(self, ticket: Ticket, model: str, deadline_s: float | None) -> None:
        wait_s = self._limits.max_wait_s if deadline_s is None else min(deadline_s, self._limits.max_wait_s)
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except TimeoutError:
            if ticket.started_s is None:  # else the turn came in the very moment the wait was over
                raise self._full(model, f"no slot came free within {wait_s:.3g} s") from None
        finally:
            self._turns.pop(ticket, None)

    def _pump(self) -> None:
        while (ticket := self.schedule.next()) is not None:
            turn = self._turns.get(ticket)
            if turn is not None and not turn.done():
                turn.set_result(None)

    def _full(self, model: str, why: str) -> QueueFullError:
        return QueueFullError(
            f"{why}; try again later or raise the limits of its queue",
            provider=self._provider,
            model=model,
            retry_after_s=round(self.schedule.retry_after_s, 3),
        )
