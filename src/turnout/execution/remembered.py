"""Answers given before, as the orchestrator asks for them: the exact cache, the semantic one, and requests in flight."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from turnout.config.performance import Cache
from turnout.errors import ConfigurationError
from turnout.execution.asked import Asked
from turnout.execution.cache.embedders import BuiltinEncoder, ProviderEncoder
from turnout.execution.cache.entry import CachedAnswer
from turnout.execution.cache.keys import exact_key, is_repeatable, scope_of
from turnout.execution.cache.redis_store import RedisStore
from turnout.execution.cache.semantic import SemanticCache
from turnout.execution.cache.single_flight import Seat, SingleFlight
from turnout.execution.cache.store import LocalStore, Store
from turnout.execution.fleets import Fleets
from turnout.types import CachedBy, Completion

_MIB: Final = 2**20

LEAST_CONFIDENCE: Final = 0.5
"""Answers that are more likely wrong than right are not kept."""

_FOLLOWERS_PATIENCE_S: Final = 30.0
"""A request that is just being asked is waited for so long, or half of one's own deadline; then it is asked again."""


@dataclass(frozen=True, slots=True)
class Key:
    """What one request is found by. None where its scope cannot be told, or it may not be shared in that way."""

    exact: str | None
    scope: str | None
    target: tuple[str, ...]

    @property
    def is_useful(self) -> bool:
        """Whether anything can be found by it."""
        return self.exact is not None or self.scope is not None


_USELESS: Final = Key(None, None, ())


@dataclass(frozen=True, slots=True)
class Found:
    """An answer given before, and by which cache."""

    cached: CachedAnswer
    by: CachedBy


class Remembered:
    """Both caches under one configuration.

    Args:
        settings: which of them is on, how long and for whom answers are kept.
        store: of the exact cache.
        semantic: None where it is off.
    """

    def __init__(self, settings: Cache, store: Store, semantic: SemanticCache | None = None) -> None:
        self._settings = settings
        self._store = store
        self._semantic = semantic
        self.flights: SingleFlight[Completion] = SingleFlight()
        self._keeping: set[asyncio.Task[None]] = set()

    @classmethod
    def open(cls, settings: Cache, folder: Path, fleets: Fleets) -> Remembered:
        """What a configuration asks for, kept in a folder or in a Redis.

        Raises:
            ConfigurationError: the variable with the address of the Redis is not set.
            MissingExtraError: the built-in encoder or the client for Redis is not installed.
        """
        exact, semantic = settings.exact, settings.semantic
        store: Store
        if settings.url_variable is not None:
            url = os.environ.get(settings.url_variable, "")
            if not url:
                raise ConfigurationError(
                    f"performance.cache.url_variable: the variable {settings.url_variable} is not set"
                )
            store = RedisStore(url)
        else:
            path = folder / "answers.db" if exact.enabled else None
            store = LocalStore(path, max_entries=exact.max_entries, max_bytes=exact.max_mb * _MIB)
        if not semantic.enabled:
            return cls(settings, store)
        named = semantic.embedding
        similar = SemanticCache(
            BuiltinEncoder() if named == "builtin" else ProviderEncoder(fleets.embed, named),
            threshold=semantic.threshold,
            ttl_s=semantic.ttl_s,
            max_entries=semantic.max_entries,
            path=folder / "similar.db",
        )
        return cls(settings, store, similar)

    def key(self, asked: Asked, configuration: str) -> Key:
        """What a request is found by; `configuration` is the fingerprint of what is configured.

        Raises:
            RequestError: a schema is no JSON.
        """
        exact, semantic = self._settings.exact, self._settings.semantic
        is_exact = exact.enabled and is_repeatable(asked.request, exact.deterministic_only)
        # Who sets a temperature above 0 wants another answer each time; who leaves it to the provider need not.
        is_semantic = self._semantic is not None and not (asked.request.sampling.temperature or 0.0)
        scope = scope_of(asked.hints, exact.scope) if is_exact else None
        similar = scope_of(asked.hints, semantic.scope) if is_semantic else None
        if scope is None and similar is None:
            return _USELESS
        # Rules may decide by headers, so whoever sends others may have to get another answer.
        headers = json.dumps(sorted(asked.hints.headers.items())) if asked.hints.headers else ""
        target = (str(asked.preference), asked.candidate, asked.voice, str(asked.hold), headers, configuration)
        return Key(None if scope is None else exact_key(asked.request, scope=scope, target=target), similar, target)

    def flight(self, asked: Asked, key: Key, deadline_s: float) -> AbstractAsyncContextManager[Seat[Completion]]:
        """A place among the identical requests in flight; one of its own for whoever asks afresh."""
        patience_s = min(_FOLLOWERS_PATIENCE_S, deadline_s / 2)
        return self.flights.join(key.exact if asked.use_cache else None, patience_s=patience_s)

    async def find(self, asked: Asked, key: Key) -> Found | None:
        """The answer given before, the exact cache first."""
        if key.exact is not None:
            content = await self._store.get(key.exact)
            cached = None if content is None else CachedAnswer.from_bytes(content)
            if cached is not None:
                return Found(cached, "exact")
        if self._semantic is not None and key.scope is not None:
            hit = await self._semantic.find(asked.request, scope=key.scope, target=key.target)
            if hit is not None:
                return Found(hit.cached, "semantic")
        return None

    def keep(self, asked: Asked, key: Key, completion: Completion) -> None:
        """Keep an answer that is whole and trusted, in the background; others would only be found again."""
        whole = completion.answer.finish in ("stop", "tool_calls")
        if whole and completion.confidence >= min(completion.threshold or 0.0, LEAST_CONFIDENCE):
            task = asyncio.create_task(self._keep(asked, key, completion))
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    async def _keep(self, asked: Asked, key: Key, completion: Completion) -> None:
        answer = completion.answer
        cached = CachedAnswer(answer, completion.confidence, time.time(), completion.total_s)
        if key.exact is not None:
            await self._store.put(key.exact, cached.to_bytes(), self._settings.exact.ttl_s)
        if self._semantic is not None and key.scope is not None:
            await self._semantic.keep(asked.request, cached, scope=key.scope, target=key.target)

    async def stats(self) -> dict[str, object]:
        """Hits, misses and sizes of each cache that is on."""
        found: dict[str, object] = {"in_flight": len(self.flights)}
        if self._settings.exact.enabled:
            found["exact"] = await self._store.stats()
        if self._semantic is not None:
            found["semantic"] = await self._semantic.stats()
        return found

    async def aclose(self) -> None:
        """Write what is left to be written."""
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await self._store.aclose()
        if self._semantic is not None:
            await self._semantic.aclose()


def handed_again(found: Found, *, identifier: str, total_s: float, asked: Asked) -> Completion:
    """The completion of a request that a cache answered."""
    cached = found.cached
    told = "the same was asked before" if found.by == "exact" else "something that means the same was asked before"
    return Completion(
        id=identifier,
        answer=cached.answer,
        decision=None,
        confidence=cached.confidence,
        reason=f"{told}, {_ago(time.time() - cached.made_at)} ago",
        total_s=total_s,
        cached=found.by,
        metadata=asked.metadata,
    )


def shared(completion: Completion, *, identifier: str, total_s: float, asked: Asked) -> Completion:
    """The completion of an identical request that was in flight, for another caller."""
    return replace(
        completion,
        id=identifier,
        decision=None,
        reason="the same was being asked at this moment",
        tried=(),
        total_s=total_s,
        first_token_s=None,
        cached="exact",
        metadata=asked.metadata,
    )


def _ago(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
