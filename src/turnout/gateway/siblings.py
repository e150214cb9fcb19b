"""How the workers of one gateway speak with each other: each listens at a socket in a folder that only they can enter.

A question is one line of JSON, its answer is JSON until the end of the connection. Who does not answer in time, or has
died, is left out; nobody waits for long.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 0.5
"""As long as one waits for what its siblings know; what they have to say they know by heart."""

_MOST_QUESTION_BYTES: Final = 1 << 20

Question = dict[str, Any]
Answers = Callable[[Question], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """Which worker of how many this is, and the folder that all of them share. A worker that takes over from one that
    died has its number."""

    folder: Path
    number: int
    workers: int

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / f"{self.number}.sock"

    @property
    def record(self) -> Path:
        """What it told last."""
        return self.folder / f"{self.number}.json"

    @property
    def others(self) -> tuple[Place, ...]:
        """The places of its siblings."""
        return tuple(
            Place(self.folder, number, self.workers) for number in range(self.workers) if number != self.number
        )


class Siblings:
    """The other workers, as one of them sees them. Used as an async context manager, while which it answers them.

    Args:
        place: which one this is.
        answer: what it says to a question; what it raises is logged, and the asker told nothing.
    """

    def __init__(self, place: Place, answer: Answers) -> None:
        self.place = place
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._talking: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        path = self.place.socket
        path.unlink(missing_ok=True)  # of a worker that died
        try:
            self._server = await asyncio.start_unix_server(self._talk, str(path), limit=_MOST_QUESTION_BYTES)
        except OSError as error:
            logger.warning("the other workers cannot ask this one: %s: %s", path, error)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for task in self._talking:
                task.cancel()
            await asyncio.gather(*self._talking, return_exceptions=True)
            self.place.socket.unlink(missing_ok=True)

    async def ask(self, question: Question, *, patience_s: float = PATIENCE_S) -> Mapping[Place, Any]:
        """What each says, all of them asked at once; without those that say nothing in time."""
        others = self.place.others
        told = await asyncio.gather(*(_asked(place.socket, question, patience_s) for place in others))
        return {place: said for place, said in zip(others, told, strict=True) if said is not None}

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question."""
        task = asyncio.current_task()
        assert task is not None
        self._talking.add(task)
        try:
            async with asyncio.timeout(10 * PATIENCE_S):
                line = await reader.readline()
            writer.write(json.dumps(await self._answer(json.loads(line))).encode())
            await writer.drain()
        except (ConnectionError, TimeoutError):
            pass  # whoever asked has gone
        except Exception:
            logger.exception("a question of another worker could not be answered")
        finally:
            writer.close()
            self._talking.discard(task)


def can_talk() -> bool:
    """Whether workers can speak with each other on this system; on Windows each tells of itself only."""
    return hasattr(socket, "AF_UNIX") and hasattr(asyncio, "start_unix_server")


async def _asked(path: Path, question: Question, patience_s: float) -> Any:
    """What one says; None where it says nothing."""
    try:
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                writer.write(json.dumps(question).encode() + b"\n")
                return json.loads(await reader.read())
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, ValueError):  # it died, it is late, or it has just begun to listen
        return None
