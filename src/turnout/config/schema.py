"""The whole configuration: every section with a sound default, so that an empty file is a valid one.

Plain frozen dataclasses, checked on creation; importing them costs nothing but the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from hashlib import sha256
from typing import Any, Final

from turnout.config.gateway import Gateway
from turnout.config.outcomes import Outcomes
from turnout.config.performance import Performance
from turnout.config.providers import Provider, ProviderSettings, QueueLimits, name_problem
from turnout.config.records import Development, History, Privacy
from turnout.config.resources import Fallback, Resources
from turnout.config.routing import Hybrid, Routing
from turnout.config.values import FrozenMapping, Section, SettingError, Text
from turnout.config.voices import Ensemble, Voice

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "lmstudio": {"base_url": "http://127.0.0.1:1234"},
    "ollama": {"base_url": "http://127.0.0.1:11434", "queue": {"max_concurrent_per_candidate": 1}},
}
"""What a kind of provider sets where nobody else does; both listen there and serve so many unless told otherwise."""


def default_providers() -> Mapping[str, Provider]:
    """LM Studio and Ollama on this machine, at the ports they choose themselves."""
    return FrozenMapping(
        lmstudio=Provider(kind="lmstudio", base_url=PRESETS["lmstudio"]["base_url"]),
        ollama=Provider(
            kind="ollama", base_url=PRESETS["ollama"]["base_url"], queue=QueueLimits(**PRESETS["ollama"]["queue"])
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration(Section):
    """Everything that is configured. `profile` is the one the file asks for: none, auto, or a name."""

    profile: Text = "none"
    hybrid: Hybrid = field(default_factory=Hybrid)
    providers: Mapping[str, Provider] = field(default_factory=default_providers)
    routing: Routing = field(default_factory=Routing)
    performance: Performance = field(default_factory=Performance)
    resources: Resources = field(default_factory=Resources)
    fallback: Fallback = field(default_factory=Fallback)
    history: History = field(default_factory=History)
    outcomes: Outcomes = field(default_factory=Outcomes)
    gateway: Gateway = field(default_factory=Gateway)
    privacy: Privacy = field(default_factory=Privacy)
    voices: Mapping[str, Voice] = field(default_factory=FrozenMapping)
    ensembles: Mapping[str, Ensemble] = field(default_factory=FrozenMapping)
    development: Development = field(default_factory=Development)

    def check(self) -> None:
        """Names that can stand where they are used."""
        for section, names in (("providers", self.providers), ("voices", self.voices), ("ensembles", self.ensembles)):
            for name in names:
                if problem := name_problem(name):
                    raise SettingError(f"{section}.{name}", f"{name!r}: {problem}")

    @property
    def candidates(self) -> tuple[str, ...]:
        """The candidates that are named here, in order of preference; a provider that names none offers all it has."""
        return tuple(f"{name}/{model}" for name, entry in self.providers.items() for model in entry.models)


def provider_settings(configuration: Configuration) -> tuple[ProviderSettings, ...]:
    """What the adapters take: one for each enabled provider, with the shared limits where it sets none of its own."""
    performance, fallback = configuration.performance, configuration.fallback
    return tuple(
        ProviderSettings(
            name=name,
            kind=entry.kind,
            base_url=entry.base_url,
            key_variable=entry.key_variable,
            transport=entry.transport,
            models=entry.models,
            timeouts=entry.timeouts or performance.timeouts,
            queue=entry.queue or performance.queue,
            breaker=entry.breaker or fallback.breaker,
            retry=entry.retry or fallback.retry,
            options=entry.options,
        )
        for name, entry in configuration.providers.items()
        if entry.enabled
    )


def to_plain(value: Any) -> Any:
    """Sections as dicts, tuples as lists: what JSON and YAML can carry."""
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: to_plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(entry) for key, entry in value.items()}
    return [to_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def fingerprint(configuration: Configuration) -> str:
    """16 hexadecimal digits that stand for the content; decisions carry them."""
    content = json.dumps(to_plain(configuration), sort_keys=True, ensure_ascii=True)
    return sha256(content.encode()).hexdigest()[:16]
