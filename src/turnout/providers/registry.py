"""Adapters by name: those here, those that other packages register, and any class named by its path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, TypeAlias

from turnout.config.providers import ProviderSettings
from turnout.errors import ConfigurationError
from turnout.providers.protocol import Provider

GROUP: Final = "turnout.providers"
Factory: TypeAlias = Callable[[ProviderSettings], object]

_BUILT_IN: Final[Mapping[str, str]] = {
    "lmstudio": "turnout.providers.lmstudio:LMStudioProvider",
    "ollama": "turnout.providers.ollama:OllamaProvider",
    "openai": "turnout.providers.openai:OpenAIProvider",
    "anthropic": "turnout.providers.anthropic:AnthropicProvider",
}


def kinds() -> tuple[str, ...]:
    """The names that can stand in `kind`, besides `package.module:Class`."""
    return tuple(sorted({*_BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))}))


def make(settings: ProviderSettings) -> Provider:
    """The adapter of one configured provider.

    Raises:
        ConfigurationError: an unknown kind, a class that cannot be imported, or one that is no provider.
    """
    factory = _factory(settings)
    try:
        provider = factory(settings)
    except TypeError as error:
        raise ConfigurationError(f"{settings.name}: {settings.kind} does not make a provider ({error})") from error
    if not isinstance(provider, Provider):
        members = sorted({*dir(Provider), *Provider.__annotations__})
        lacking = [name for name in members if not name.startswith("_") and not hasattr(provider, name)]
        raise ConfigurationError(
            f"{settings.name}: {settings.kind} is no provider; it lacks {', '.join(lacking) or 'what the protocol asks'}"
        )
    return provider


def _factory(settings: ProviderSettings) -> Factory:
    kind = settings.kind
    if kind in _BUILT_IN:
        return _imported(settings.name, _BUILT_IN[kind])
    if ":" in kind:
        return _imported(settings.name, kind)
    for entry in entry_points(group=GROUP, name=kind):
        try:
            return entry.load()  # type: ignore[no-any-return]
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(f"{settings.name}: kind {kind} cannot be loaded ({error})") from error
    raise ConfigurationError(
        f"{settings.name}: no kind {kind!r}; known: {', '.join(kinds())}, or a class as package.module:Class"
    )


def _imported(name: str, path: str) -> Factory:
    module, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module), attribute)  # type: ignore[no-any-return]
    except (ImportError, AttributeError, ValueError, TypeError, SyntaxError) as error:
        raise ConfigurationError(f"{name}: the class {path} cannot be loaded ({error})") from error
