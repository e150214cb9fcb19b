"""Identical requests in flight share one run.

`Flights` is the state machine, without an event loop: whoever comes first leads, the others follow. It moves on when
the leader lands (all followers have the result) or leaves (the follower that has waited longest leads). `SingleFlight`
puts futures around it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

Result = TypeVar("Result")
Ticket = TypeVar("Ticket")


class Flights(Generic[Ticket]):
    """Who leads and who follows, for every key."""

    def __init__(self) -> None:
        self._flights: dict[str, OrderedDict[Ticket, None]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: str, ticket: Ticket) -> bool:
        """Take part; whether as the leader."""
        flight = self._flights.setdefault(key, OrderedDict())
        flight[ticket] = None
        return len(flight) == 1

    def leads(self, key: str, ticket: Ticket) -> bool:
        """Whether this one leads now."""
        flight = self._flights.get(key)
        return flight is not None and next(iter(flight)) is ticket

    def land(self, key: str, ticket: Ticket) -> list[Ticket]:
        """The leader has a result: the flight is over; everybody who waits for it. Nobody where this one leads none."""
        if not self.leads(key, ticket):
            return []
        return [other for other in self._flights.pop(key) if other is not ticket]

    def leave(self, key: str, ticket: Ticket) -> Ticket | None:
        """This one is no part of it any more, if it was; who leads in its place, None where nothing changes."""
        flight = self._flights.get(key)
        if flight is None or ticket not in flight:
            return None
        led = next(iter(flight)) is ticket
        del flight[ticket]
        if not flight:
            del self._flights[key]
            return None
        return next(iter(flight)) if led else None


@dataclass(eq=False, slots=True)
class Seat(Generic[Result]):
    """A place in a flight. Where `landed`, `result` is what the leader got; else the holder has to get it itself."""

    _flights: Flights[Seat[Result]]
    _key: str | None
    landed: bool = False
    result: Result | None = None
    _turn: asyncio.Future[None] | None = None

    def land(self, result: Result) -> None:
        """Give the result to everybody who waits. Without effect where this one does not lead."""
        if self._key is None:
            return
        for seat in self._flights.land(self._key, self):
            seat.landed, seat.result = True, result
            seat._wake()

    def _wake(self) -> None:
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)


class SingleFlight(Generic[Result]):
    """Identical requests in flight share one run. For one event loop.

    The leader runs in its own task: if it is cancelled, its run ends with it, and one follower begins anew. A follower
    that is cancelled disturbs nobody. A run must not wait for a flight of its own key.
    """

    def __init__(self) -> None:
        self._flights: Flights[Seat[Result]] = Flights()

    def __len__(self) -> int:
        """How many runs are in flight."""
        return len(self._flights)

    @asynccontextmanager
    async def join(self, key: str | None, *, patience_s: float | None = None) -> AsyncIterator[Seat[Result]]:
        """Take part in the flight of a key, and wait while another one leads.

        Inside the block either `landed` is true and there is a result, or this one leads: it gets the result, by a
        stream or in one piece, and tells it with `land`. A leader that leaves without one makes the next follower lead.
        Nothing is shared where the key is None.

        Args:
            key: what makes requests identical.
            patience_s: the longest wait for a leader, which may be held up by its own caller; after it this one gets
                the result for itself.
        """
        seat: Seat[Result] = Seat(self._flights, key)
        if key is None:
            yield seat
            return
        try:
            if not self._flights.join(key, seat):
                seat._turn = asyncio.get_running_loop().create_future()
                await asyncio.wait([seat._turn], timeout=patience_s)
                if not seat._turn.done():
                    self._flights.leave(key, seat)
            yield seat
        finally:
            if (next_leader := self._flights.leave(key, seat)) is not None:
                next_leader._wake()

    async def run(self, key: str | None, work: Callable[[], Awaitable[Result]]) -> tuple[Result, bool]:
        """The result of the work, and whether another one's run gave it.

        Raises:
            Exception: what this one's own run raises; another's error is never raised here.
        """
        async with self.join(key) as seat:
            if seat.landed:
                return seat.result, True  # type: ignore[return-value]
            result = await work()
            seat.land(result)
            return result, False
