"""The hybrid client for code without an event loop: one runs in a thread of its own, and does what the client does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar, Unpack

from turnout.config.schema import Configuration
from turnout.errors import RequestError
from turnout.execution.asked import Options
from turnout.execution.client import HybridClient
from turnout.execution.status import Status
from turnout.execution.streaming import Streaming
from turnout.types import Chunk, Completion, Decision, RequestLike

_Result = TypeVar("_Result")

Waits: TypeAlias = Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]


class SyncHybridClient:
    """A `HybridClient` whose methods wait. Used as a context manager; safe to share between threads.

    Args:
        client: one that is not open yet.
    """

    def __init__(self, client: HybridClient) -> None:
        self._client = client
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @classmethod
    def from_config(cls, *arguments: Any, **options: Any) -> Self:
        """See `HybridClient.from_config`."""
        return cls(HybridClient.from_config(*arguments, **options))

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="turnout-client", daemon=True)
        self._thread.start()
        try:
            self._wait(self._client.__aenter__)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """See `HybridClient.aclose`."""
        if self._loop is not None:
            try:
                self._wait(self._client.aclose)
            finally:
                self._end()

    @property
    def configuration(self) -> Configuration:
        """See `HybridClient.configuration`."""
        return self._client.configuration

    def complete(self, request: RequestLike, **options: Unpack[Options]) -> Completion:
        """See `HybridClient.complete`."""
        return self._wait(lambda: self._client.complete(request, **options))

    def stream(self, request: RequestLike, **options: Unpack[Options]) -> SyncStreaming:
        """See `HybridClient.stream`."""

        async def begun() -> Streaming:
            return self._client.stream(request, **options)

        return SyncStreaming(self._wait(begun), self._wait)

    def route(self, request: RequestLike, **options: Unpack[Options]) -> Decision:
        """See `HybridClient.route`."""

        async def decided() -> Decision:
            return self._client.route(request, **options)

        return self._wait(decided)

    def feedback(self, decision_id: str, kind: str, value: float | None = None, comment: str = "") -> None:
        """See `HybridClient.feedback`."""
        self._wait(lambda: self._client.feedback(decision_id, kind, value, comment))

    def warm(self, candidate: str) -> float:
        """See `HybridClient.warm`."""
        return self._wait(lambda: self._client.warm(candidate))

    def status(self) -> Status:
        """See `HybridClient.status`."""
        return self._wait(self._client.status)

    def _wait(self, work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        loop = self._loop
        if loop is None or not loop.is_running():
            raise RequestError("the client is not open; use it as a context manager")
        future: Future[_Result] = asyncio.run_coroutine_threadsafe(work(), loop)
        try:
            return future.result()
        except BaseException:  # Ctrl-C among them: what was asked for is not wanted any more
            future.cancel()
            raise

    def _end(self) -> None:
        loop, thread = self._loop, self._thread
        assert loop is not None and thread is not None
        asyncio.run_coroutine_threadsafe(_rest_of(loop), loop).result()
        self._loop = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class SyncStreaming:
    """A `Streaming` to iterate over without an event loop."""

    def __init__(self, streaming: Streaming, wait: Waits) -> None:
        self._streaming = streaming
        self._wait = wait

    @property
    def completion(self) -> Completion:
        """See `Streaming.completion`."""
        return self._streaming.completion

    def __iter__(self) -> Iterator[Chunk]:
        try:
            while True:
                try:
                    yield self._wait(self._streaming.__anext__)
                except StopAsyncIteration:
                    return
        finally:
            self.close()

    def close(self) -> None:
        """See `Streaming.aclose`. A client that was closed has closed its streams."""
        with suppress(RequestError):
            self._wait(self._streaming.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _rest_of(loop: asyncio.AbstractEventLoop) -> None:
    """Let everything that is under way in a loop end, so that no thread waits for it for ever."""
    others = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
