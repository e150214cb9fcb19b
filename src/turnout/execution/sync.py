"""The hybrid client for code without an event loop: one runs in a thread of its own, and does what the client does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from turnout.config.schema import Configuration
from turnout.execution.asked import Options
from turnout.execution.client import HybridClient
from turnout.execution.status import Status
from turnout.execution.streaming import Streaming
from turnout.types import Chunk, Completion, Decision, RequestLike

_Result = TypeVar("_Result")


class SyncHybridClient:
    """A `HybridClient` whose methods wait. Used as a context manager; safe to share between threads.

    Args:
        client: one that is not open yet.
    """

    def __init__(self, client: HybridClient) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="turnout-client", daemon=True)

    @classmethod
    def from_config(cls, *arguments: Any, **options: Any) -> Self:
        """See `HybridClient.from_config`."""
        return cls(HybridClient.from_config(*arguments, **options))

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._wait(self._client.__aenter__())
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
        if self._thread.is_alive():
            try:
                self._wait(self._client.aclose())
            finally:
                self._end()

    def complete(self, request: RequestLike, **options: Unpack[Options]) -> Completion:
        """See `HybridClient.complete`."""
        return self._wait(self._client.complete(request, **options))

    def stream(self, request: RequestLike, **options: Unpack[Options]) -> SyncStreaming:
        """See `HybridClient.stream`."""
        return SyncStreaming(self._client.stream(request, **options), self._wait)

    def route(self, request: RequestLike, **options: Unpack[Options]) -> Decision:
        """See `HybridClient.route`."""
        return self._client.route(request, **options)

    @property
    def configuration(self) -> Configuration:
        """See `HybridClient.configuration`."""
        return self._client.configuration

    def feedback(self, decision_id: str, kind: str, value: float | None = None, comment: str = "") -> None:
        """See `HybridClient.feedback`."""
        self._wait(self._client.feedback(decision_id, kind, value, comment))

    def warm(self, candidate: str) -> float:
        """See `HybridClient.warm`."""
        return self._wait(self._client.warm(candidate))

    def status(self) -> Status:
        """See `HybridClient.status`."""
        return self._wait(self._client.status())

    def _wait(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        future: Future[_Result] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:  # Ctrl-C among them: what was asked for is not wanted any more
            future.cancel()
            raise

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SyncStreaming:
    """A `Streaming` to iterate over without an event loop."""

    def __init__(self, streaming: Streaming, wait: Any) -> None:
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
                    yield self._wait(self._streaming.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            self.close()

    def close(self) -> None:
        """See `Streaming.aclose`."""
        with suppress(RuntimeError):  # the client was closed before
            self._wait(self._streaming.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
