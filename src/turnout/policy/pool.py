"""The candidates of a configuration, with what providers told where the configuration is silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from turnout.config.providers import CandidateSettings, Provider
from turnout.config.schema import Configuration
from turnout.policy.candidates import Candidate
from turnout.types import Snapshot

_NOTHING_SET = CandidateSettings()


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
        self._listed: tuple[frozenset[str], tuple[Candidate, ...]] = (frozenset(), ())

    def candidates(self, snapshot: Snapshot | None, learned: Sequence[str] = ()) -> tuple[Candidate, ...]:
        """Those named in the configuration, then those that their providers list.

        Without a snapshot nobody lists anything: then those that the predictor has learned of stand for them.
        """
        if not self._open:
            return self._named
        names = frozenset(learned if snapshot is None else snapshot.candidates)
        if names != self._listed[0]:
            found = [name.partition("/") for name in (learned if snapshot is None else snapshot.candidates)]
            listed = tuple(self._candidate(provider, model) for provider, _, model in found if provider in self._open)
            self._listed = (names, listed)
        return (*self._named, *self._listed[1])

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
                memory_bytes=None if settings.memory_mb is None else int(settings.memory_mb * 2**20),
                slots=min(queue.max_concurrent, queue.max_concurrent_per_candidate),
                input_usd_per_million=settings.prompt_usd_per_million,
                output_usd_per_million=settings.completion_usd_per_million,
            )
        return self._made[name]
