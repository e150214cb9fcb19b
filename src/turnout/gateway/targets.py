"""Names in place of a language model's: what a client may put there, and what each means."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from turnout.config.schema import Configuration
from turnout.execution.voices import voices
from turnout.gateway.refusals import RefusedError
from turnout.types import LanguageModel, Snapshot

AUTO: Final = {"auto": "", "auto-fast": "fast", "auto-quality": "quality"}
"""Names that leave the choice to the router, and the preference that each stands for."""

_LATEST: Final = ":latest"
_SHOWN_CHARS: Final = 80


@dataclass(frozen=True, slots=True)
class Target:
    """What a name means; at most one is set beside `name`, none for `auto`. `embeds` says that the candidate makes
    vectors and no answers."""

    name: str
    preference: str = ""
    candidate: str = ""
    voice: str = ""
    ensemble: str = ""
    description: str = ""
    embeds: bool = False


_AUTOMATIC: Final = {name: Target(name, preference=preference) for name, preference in AUTO.items()}


def find_target(name: str, configuration: Configuration, snapshot: Snapshot) -> Target:
    """What a name means: auto, an ensemble, a voice, a candidate, or the language model of exactly one candidate.

    Raises:
        RefusedError: nothing, or several things; it says what was probably meant.
    """
    plain = name.strip()
    if plain in AUTO:
        return _AUTOMATIC[plain]
    candidates, embedders = _candidates(configuration, snapshot), embedding_candidates(snapshot)
    everybody = list(dict.fromkeys((*candidates, *embedders)))
    for known in (plain, plain.removesuffix(_LATEST)):
        if known in AUTO:
            return Target(known, preference=AUTO[known])
        if known in configuration.ensembles:
            return Target(known, ensemble=known)
        if known in voices(configuration):
            return Target(known, voice=known)
    for known in (plain, plain.removesuffix(_LATEST), plain + _LATEST):  # Ollama's clients leave it out, or add it
        found = [one for one in everybody if known in (one, one.partition("/")[2])]
        if len(found) == 1:
            return Target(known, candidate=found[0], embeds=found[0] in embedders)
        if found:
            told = f"several candidates are named {known[:_SHOWN_CHARS]!r}: {', '.join(found)}"
            raise RefusedError(404, "model_not_found", told, param="model")
    if not plain:
        raise RefusedError(400, "invalid_value", "model: a name is needed; auto lets the router choose", param="model")
    known_names = [target.name for target in all_targets(configuration, snapshot)]
    near = get_close_matches(plain, known_names, 3, 0.5) or [*AUTO]
    told = f"no language model is named {plain[:_SHOWN_CHARS]!r}; there is {', '.join(near)}"
    raise RefusedError(404, "model_not_found", told, param="model")


def all_targets(configuration: Configuration, snapshot: Snapshot) -> list[Target]:
    """Everything that a client may name."""
    told = {
        "auto": "whoever is best for the prompt",
        "auto-fast": "whoever is best for the prompt, seconds counting more",
        "auto-quality": "whoever is best for the prompt, quality counting more",
    }
    found = [Target(name, preference=AUTO[name], description=told[name]) for name in AUTO]
    found += (
        Target(name, ensemble=name, description=entry.description or f"several answers made into one ({entry.kind})")
        for name, entry in configuration.ensembles.items()
    )
    found += (
        Target(name, voice=name, description=entry.description or "a voice")
        for name, entry in voices(configuration).items()
    )
    embedders = embedding_candidates(snapshot)
    found += (Target(name, candidate=name) for name in _candidates(configuration, snapshot) if name not in embedders)
    found += (Target(name, candidate=name, embeds=True) for name in embedders)
    return found


def embedding_candidates(snapshot: Snapshot) -> dict[str, LanguageModel]:
    """Who makes embeddings and nothing else, in the order of the configuration. The router does not know them: it chooses
    among those that answer."""
    return {
        f"{provider}/{model.name}": model
        for provider, state in snapshot.providers.items()
        for model in state.models
        if "embedding" in model.capabilities and "chat" not in model.capabilities
    }


def language_model(candidate: str, snapshot: Snapshot) -> LanguageModel | None:
    """What is known of a candidate's language model."""
    state = snapshot.candidates.get(candidate)
    return embedding_candidates(snapshot).get(candidate) if state is None else state.model


def _candidates(configuration: Configuration, snapshot: Snapshot) -> list[str]:
    return list(dict.fromkeys((*configuration.candidates, *snapshot.candidates)))
