"""What is wished of one request: by its voice of the request itself, by caller, feedback and voice of the decision."""

from __future__ import annotations

from collections.abc import Mapping

from turnout.config.schema import Configuration
from turnout.execution.asked import Asked
from turnout.execution.voices import find_voice, voiced
from turnout.execution.wishes import like, pin, shift
from turnout.types import Decision


def spoken(asked: Asked, configuration: Configuration) -> Asked:
    """The request as its voice takes it.

    Raises:
        RequestError: an unknown voice.
    """
    return voiced(asked, find_voice(configuration, asked.voice), asked.voice) if asked.voice else asked


def wished(asked: Asked, configuration: Configuration, offsets: Mapping[str, float], decision: Decision) -> Decision:
    """The decision as the caller, a user's feedback (`offsets` of utilities) and the voice wish it.

    Raises:
        RequestError: an unknown voice.
        NoCandidateError: the only candidate that may answer cannot.
    """
    if asked.candidate:
        return pin(decision, asked.candidate)
    decision = shift(decision, offsets)
    if asked.voice:
        voice = find_voice(configuration, asked.voice)
        return like(decision, voice.candidates, f"the voice {asked.voice}")
    return decision
