"""The semantic cache: the answer to a prompt that says the same in other words, under the same circumstances.

A prompt may get another's answer if everything around it is equal (earlier turns, tools, sampling, who may share), if
the two are similar, and if they agree in everything that carries meaning (`agreement`). Similarity finds; agreement
decides: of the hand-written prompts that ask for something else, most are more similar than most paraphrases.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from turnout.errors import TurnoutError
from turnout.execution.cache.agreement import agree
from turnout.execution.cache.embedders import Embedder
from turnout.execution.cache.entry import CachedAnswer
from turnout.execution.cache.gist import gist
from turnout.execution.cache.kept import Kept
from turnout.execution.cache.keys import Target, context_key, scope_prefix
from turnout.execution.cache.minilm import Floats
from turnout.execution.cache.shelves import Shelf, Shelved
from turnout.execution.cache.store import StoreStats
from turnout.types import Request

logger = logging.getLogger(__name__)

_MAX_BYTES: Final = 256 * 2**20
_OVERHEAD_BYTES: Final = 3000
"""What key, entry and a vector of 384 dimensions, which is kept twice, take besides the content."""

_MOST_COMPARED: Final = 1000
"""Similar prompts that are read more closely; those with another number or quotation take a microsecond each."""

_REMEMBERED: Final = 256
"""Vectors remembered between looking for an answer and keeping one."""


@dataclass(frozen=True, slots=True)
class SemanticHit:
    """An answer to a prompt that says the same, that prompt, and the cosine similarity of the two."""

    cached: CachedAnswer
    prompt: str
    similarity: float


class SemanticCache:
    """Answers to prompts that say the same. For one event loop.

    Nothing here raises because an encoder or a disk fails: then there is no hit, nothing is kept, and the log says so
    once. Looking costs the encoder's time only where there is a prompt under the same circumstances.

    Args:
        embedder: makes the vectors.
        threshold: the cosine similarity that two prompts need.
        ttl_s: seconds that an answer is kept.
        max_entries: how many are kept.
        path: a file that survives restarts; it holds prompts and answers, and only its owner may read it.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        threshold: float,
        ttl_s: float = 3600.0,
        max_entries: int = 10_000,
        path: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._embedder = embedder
        self._threshold = threshold
        self._ttl_s = ttl_s
        self._shelves: dict[str, Shelf] = {}
        self._kept: Kept[Shelved] = Kept(
            path,
            max_entries=max_entries,
            max_bytes=_MAX_BYTES,
            overhead_bytes=_OVERHEAD_BYTES,
            now=now,
            decode=Shelved.from_bytes,
            added=self._shelve,
            removed=self._unshelve,
        )
        self._vectors: OrderedDict[str, Floats] = OrderedDict()
        self._complained = False
        self._hits = self._misses = 0

    async def find(self, request: Request, *, scope: str, target: Target = ()) -> SemanticHit | None:
        """The answer to a prompt that says the same, under the same circumstances; None where there is none.

        Raises:
            RequestError: a schema is no JSON.
        """
        await self._kept.ready()
        hit = await self._found(request, scope, target)
        if hit is None:
            self._misses += 1
        else:
            self._hits += 1
        return hit

    async def keep(self, request: Request, cached: CachedAnswer, *, scope: str, target: Target = ()) -> None:
        """Keep the answer to a request, unless its prompt has nothing to be found by.

        Raises:
            RequestError: a schema is no JSON.
        """
        await self._kept.ready()
        context = self._context(request, scope, target)
        if context is None or gist(request.prompt) is None:
            return
        vector = await self._vector(request.prompt)
        if vector is not None:
            entry = Shelved(context, request.prompt, vector, cached.to_bytes())
            self._kept.put(_key(scope, entry), entry, entry.to_bytes(), self._ttl_s)

    async def clear(self, scope: str | None = None) -> int:
        """Forget what belongs to one scope, or everything; how many answers that were."""
        await self._kept.ready()
        return self._kept.clear("" if scope is None else scope_prefix(scope))

    async def stats(self) -> StoreStats:
        """What it holds and did."""
        await self._kept.ready()
        return StoreStats(self._hits, self._misses, self._kept.evicted, len(self._kept), self._kept.size_bytes)

    async def aclose(self) -> None:
        """Write what is left to be written."""
        await self._kept.aclose()

    async def _found(self, request: Request, scope: str, target: Target) -> SemanticHit | None:
        context = self._context(request, scope, target)
        if context is None or context not in self._shelves:
            return None
        said = gist(request.prompt)
        vector = None if said is None else await self._vector(request.prompt)
        shelf = self._shelves.get(context)
        if said is None or vector is None or shelf is None or shelf.dimensions != len(vector):
            return None
        for similarity, entry in shelf.similar(vector, self._threshold, _MOST_COMPARED):
            if not agree(said, entry.gist) or self._kept.get(_key(scope, entry)) is None:
                continue
            cached = CachedAnswer.from_bytes(entry.answer)
            if cached is not None:
                return SemanticHit(cached, entry.prompt, similarity)
        return None

    def _context(self, request: Request, scope: str, target: Target) -> str | None:
        """What has to be equal; the maker of the vectors is part of it."""
        names = (target,) if isinstance(target, str) else tuple(target)
        return context_key(request, scope=scope, target=(self._embedder.name, *names))

    async def _vector(self, prompt: str) -> Floats | None:
        vector = self._vectors.get(prompt)
        if vector is None:
            try:
                vector = (await self._embedder.embed((prompt,)))[0]
            except (TurnoutError, OSError, ValueError) as error:
                if not self._complained:
                    logger.warning("the semantic cache has no vectors, requests go on without it: %s", error)
                self._complained = True
                return None
            self._complained = False
            self._vectors[prompt] = vector
            while len(self._vectors) > _REMEMBERED:
                self._vectors.popitem(last=False)
        return vector

    def _shelve(self, entry: Shelved) -> None:
        shelf = self._shelves.get(entry.context)
        if shelf is None or shelf.dimensions != len(entry.vector):  # the same name makes other vectors now
            shelf = self._shelves[entry.context] = Shelf(len(entry.vector))
        shelf.add(entry)

    def _unshelve(self, entry: Shelved) -> None:
        shelf = self._shelves.get(entry.context)
        if shelf is not None and shelf.remove(entry) and not len(shelf):
            del self._shelves[entry.context]


def _key(scope: str, entry: Shelved) -> str:
    digest = hashlib.blake2b(f"{entry.context}\0{entry.prompt}".encode("utf-8", "surrogatepass"), digest_size=24)
    return scope_prefix(scope) + digest.hexdigest()
