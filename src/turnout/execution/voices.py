"""Voices: a persona's system prompt, temperature and preference laid over a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from turnout.config.default_voices import default_voices
from turnout.config.schema import Configuration
from turnout.config.values import FrozenMapping
from turnout.config.voices import Voice
from turnout.errors import RequestError
from turnout.execution.asked import Asked
from turnout.types import Message, Request

_SYSTEM_ROLES: Final = ("system", "developer")
_SHOWN_CHARACTERS: Final = 60


def voices(configuration: Configuration) -> Mapping[str, Voice]:
    """Every voice that can be asked for: those that come with Turnout, and those of the configuration in their place."""
    return FrozenMapping({**default_voices(), **configuration.voices})


def find_voice(configuration: Configuration, name: str) -> Voice:
    """The voice of this name.

    Raises:
        RequestError: there is none; names those that were probably meant.
    """
    voice = configuration.voices.get(name) or default_voices().get(name)
    if voice is None:
        known, name = tuple(voices(configuration)), name[:_SHOWN_CHARACTERS]
        near = get_close_matches(name.strip().lower(), known, 3, 0.5)
        meant = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        raise RequestError(f"no voice is named {name!r}; {meant}")
    return voice


def voiced(asked: Asked, voice: Voice, name: str) -> Asked:
    """The request as this voice takes it: the same request and voice give an equal one each time.

    The voice's system prompt comes first, the caller's own system message after it, both in one message, because chat
    templates of many language models take a single one, at the start. Temperature and preference count where the caller
    says none. A request that begins with this system prompt already keeps it once.
    """
    sampling = asked.request.sampling
    if sampling.temperature is None and voice.temperature is not None:
        sampling = replace(sampling, temperature=voice.temperature)
    return replace(
        asked,
        request=replace(_spoken_to(asked.request, voice.system_prompt.strip()), sampling=sampling),
        preference=voice.preference if asked.preference is None else asked.preference,
        voice=name,
    )


def _spoken_to(request: Request, prompt: str) -> Request:
    """The request under a system prompt."""
    messages = request.messages
    if not messages or messages[0].role not in _SYSTEM_ROLES:
        return replace(request, messages=(Message("system", prompt), *messages))
    own = messages[0].content
    if own == prompt or own.startswith(f"{prompt}\n\n"):
        return request
    first = replace(messages[0], content=f"{prompt}\n\n{own}" if own.strip() else prompt)
    return replace(request, messages=(first, *messages[1:]))
