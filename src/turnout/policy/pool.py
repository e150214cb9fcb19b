"""The candidates of a configuration, with what providers told where the configuration is silent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from turnout.config.providers import CandidateSettings, Provider, is_loopback
from turnout.config.schema import Configuration
from turnout.policy.candidates import Candidate
from turnout.types import Snapshot

_NOTHING_SET = CandidateSettings()
_SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z])", re.IGNORECASE)


class Pool:
    """Every candidate that can be chosen, in order of preference. A provider that names none offers all it lists."""

    def __init__(self, configuration: Configuration) -> None:
        self._providers: Mapping[str, Provider] = {
            name: entry for name, entry in configuration.providers.items() if entry.enabled
        }
        self._queue = configuration.performance.queue
        self._made: dict[str, Candidate] = {}
        self._named = tuple(
            self._candidate(name, model) for name, entry in self._providers.items() for model in entry.models
        )
        self._open = tuple(name for name, entry in self._providers.items() if not entry.models)
        self._listed: tuple[tuple[str, ...], tuple[Candidate, ...]] = ((), ())

    def candidates(self, snapshot: Snapshot | None, learned: Sequence[str] = ()) -> tuple[Candidate, ...]:
        """Those named in the configuration, then those that their providers list.

        Without a snapshot nobody lists anything: then those that the predictor has learned of stand for them.
        """
        if not self._open:
            return self._named
        names = tuple(learned if snapshot is None else snapshot.candidates)
        known, listed = self._listed  # read once: another thread may put another pair in its place
        if names != known:
            found = [name.partition("/") for name in names]
            listed = tuple(self._candidate(provider, model) for provider, _, model in found if provider in self._open)
            self._listed = (names, listed)
        return (*self._named, *listed)

    def _candidate(self, provider: str, model: str) -> Candidate:
        name = f"{provider}/{model}"
        if name not in self._made:
            entry = self._providers[provider]
            settings = entry.models.get(model, _NOTHING_SET)
            queue = entry.queue or self._queue
            self._made[name] = Candidate(
                name=name,
                local=entry.is_local if settings.local is None else settings.local,
                context_length=settings.context_length,
                capabilities=None if settings.capabilities is None else frozenset(settings.capabilities),
                here=is_loopback(entry.base_url),
                memory_bytes=_memory_bytes(settings),
                slots=min(queue.max_concurrent, queue.max_concurrent_per_candidate),
                provider_slots=queue.max_concurrent,
                input_usd_per_million=settings.prompt_usd_per_million,
                output_usd_per_million=settings.completion_usd_per_million,
            )
        return self._made[name]


def cheapest_first(candidates: Sequence[Candidate], learned: Sequence[str] = ()) -> tuple[str, ...]:
    """Names by what they cost to ask: by price, then as the predictor learned it, then by the size in the name."""
    place = {name: position for position, name in enumerate(learned)}

    def expense(candidate: Candidate) -> tuple[float, float, float]:
        found = _SIZE.search(candidate.name.rpartition("/")[2])
        size = float(found[1]) if found is not None else (candidate.memory_bytes or 0) / 1e9
        return candidate.output_usd_per_million or 0.0, float(place.get(candidate.name, len(place))), size

    return tuple(candidate.name for candidate in sorted(candidates, key=expense))


def _memory_bytes(settings: CandidateSettings) -> int | None:
    """What is configured of main and video memory together."""
    told = [size for size in (settings.memory_mb, settings.vram_mb) if size is not None]
    return int(sum(told) * 2**20) if told else None
