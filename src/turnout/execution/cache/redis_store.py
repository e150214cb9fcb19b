"""Answers shared by a team through Redis. What Redis does not say in time is a miss."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from turnout.errors import ConfigurationError, MissingExtraError
from turnout.execution.cache.keys import scope_prefix
from turnout.execution.cache.store import StoreStats

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

PATIENCE_S: Final = 0.05
"""Seconds for one call: a hit on the same network takes less than one millisecond."""

REST_S: Final = 1.0
"""Seconds that Redis is left alone after a failure, so that an outage costs few requests their patience."""

_CLEARING_S: Final = 30.0
_BATCH: Final = 500
_MOST_CONNECTIONS: Final = 64


class RedisStore:
    """Keeps answers in a Redis, under a prefix, each with its own time to live. For one event loop.

    Args:
        url: redis://, rediss:// or unix://, with password and database number if needed.
        prefix: what every key begins with.
        patience_s: seconds to wait for an answer of Redis, connecting included.
        now: the monotonic clock.

    Raises:
        MissingExtraError: redis-py is not installed.
        ConfigurationError: the address cannot be understood.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "turnout:cache:",
        patience_s: float = PATIENCE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis, self._failures = _client(url)
        self._prefix = prefix
        self._patience_s = patience_s
        self._now = now
        self._rest_until = -1.0
        self._down = False
        self._hits = self._misses = 0

    async def get(self, key: str) -> bytes | None:
        """The value of a key; None where there is none, its time is over, or Redis does not say."""
        content: bytes | None = await self._ask(lambda: self._redis.get(self._prefix + key), None)
        # The key is kept with the value: whatever mixes up the replies of a connection cannot mix up answers.
        mark = key.encode() + b"\n"
        if content is None or not content.startswith(mark):
            self._misses += 1
            return None
        self._hits += 1
        return content[len(mark) :]

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for so many seconds at most; nothing happens where Redis does not answer."""
        content = key.encode() + b"\n" + value
        await self._ask(lambda: self._redis.set(self._prefix + key, content, px=max(1, round(ttl_s * 1000))), None)

    async def clear(self, scope: str | None = None) -> int | None:
        """Forget what belongs to one scope, or everything under the prefix; None where Redis does not answer."""
        pattern = _escaped(self._prefix + ("" if scope is None else scope_prefix(scope))) + "*"
        return await self._ask(lambda: self._delete(pattern), None, patience_s=_CLEARING_S)

    async def stats(self) -> StoreStats:
        """What was asked of it here; what Redis holds is its own to tell."""
        return StoreStats(self._hits, self._misses)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _delete(self, pattern: str) -> int:
        count = 0
        keys: list[bytes] = []
        async for key in self._redis.scan_iter(match=pattern, count=_BATCH):
            keys.append(key)
            if len(keys) == _BATCH:
                count += await self._redis.unlink(*keys)
                keys = []
        return count + (await self._redis.unlink(*keys) if keys else 0)

    async def _ask(
        self, call: Callable[[], Awaitable[Result]], otherwise: Result, *, patience_s: float | None = None
    ) -> Result:
        if patience_s is None and self._now() < self._rest_until:
            return otherwise
        try:
            async with asyncio.timeout(patience_s or self._patience_s):
                result = await call()
        except (TimeoutError, OSError, self._failures) as error:
            self._rest_until = self._now() + REST_S
            if not self._down:
                self._down = True
                told = str(error) or type(error).__name__
                logger.warning("the shared cache does not answer, requests go on without it: %s", told)
            return otherwise
        if self._down:
            self._down = False
            logger.warning("the shared cache answers again")
        return result


def _client(url: str) -> tuple[Any, type[Exception]]:
    """The client, and the base of its errors."""
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError
    except ImportError:
        raise MissingExtraError("team", "a cache shared through Redis") from None
    try:
        # Each call has one time limit over everything; the client's own retries would only use it up.
        client = Redis.from_url(url, retry=Retry(NoBackoff(), 0), max_connections=_MOST_CONNECTIONS)
    except (ValueError, TypeError):
        # Not the address itself: there may be a password in it.
        raise ConfigurationError("the address of the shared cache is none: expected redis://HOST:PORT/NUMBER") from None
    return client, RedisError


def _escaped(text: str) -> str:
    """As a pattern that matches only itself."""
    return "".join(f"\\{character}" if character in "*?[]^\\-" else character for character in text)
