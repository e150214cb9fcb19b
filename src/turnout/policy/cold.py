"""What candidates that were never asked should be like here: told by their names, their providers and the machine.

A snapshot changes every moment and these answers hardly ever, so they are kept by what they depend on.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from turnout.descriptors import Descriptor, Metadata, describe
from turnout.descriptors.cards import bandwidth_of
from turnout.descriptors.speed import Bandwidth, ColdSpeed, Weights, cold_speed
from turnout.policy.candidates import Candidate
from turnout.policy.memory import memory_bytes
from turnout.types import CandidateState, LanguageModel, Resources

_KEPT: Final = 4096
_UNTOLD: Final = LanguageModel(name="")
_NOTHING: Final = Descriptor()


class _Here(NamedTuple):
    """What counts of this machine; None where it is not known."""

    ram_bytes_per_s: float | None = None
    card: str | None = None
    vram_bytes: int | None = None


_ANYWHERE: Final = _Here()


def descriptor_of(candidate: str, model: LanguageModel | None) -> Descriptor:
    """What a candidate is, from its name and what its provider tells of it."""
    told = model or _UNTOLD
    return _descriptor(candidate, told.family, told.parameters, told.quantization, told.context_length)


def weights_of(candidate: Candidate, state: CandidateState | None) -> Weights | None:
    """What its weights take; None where nobody tells a size, neither its provider, nor the configuration, nor its name."""
    model = state.model if state is not None else None
    told = Weights.of(descriptor_of(candidate.name, model), model.size_bytes if model is not None else None)
    return told or Weights.of(_NOTHING, memory_bytes(candidate, state))


def expected_speed(candidate: Candidate, state: CandidateState | None, machine: Resources | None) -> ColdSpeed | None:
    """What is expected of a candidate that runs on a machine of its owner; None where its size is unknown.

    What a provider far away runs on is anybody's guess, so there is none.
    """
    model = state.model if state is not None else None
    if not candidate.local or (model is not None and model.remote):
        return None
    here = _ANYWHERE
    if machine is not None and candidate.here:
        here = _Here(machine.ram_bytes_per_s, machine.card, machine.vram_total_bytes)
    told = model or _UNTOLD
    known = (told.family, told.parameters, told.quantization, told.context_length, told.size_bytes)
    return _speed(candidate.name, known, memory_bytes(candidate, state), told.vram_bytes, here)


@lru_cache(maxsize=_KEPT)
def _speed(
    name: str,
    known: tuple[str | None, str | None, str | None, int | None, int | None],
    taken_bytes: int | None,
    vram_bytes: int | None,
    here: _Here,
) -> ColdSpeed | None:
    *told, size_bytes = known
    weights = Weights.of(_descriptor(name, *told), size_bytes) or Weights.of(_NOTHING, taken_bytes)
    if weights is None:
        return None
    card = bandwidth_of(here.card) if here.card else None
    bandwidth = Bandwidth.of(ram_copied_per_s=here.ram_bytes_per_s, card_bytes_per_s=card)
    # As its provider tells, else as much as the card has room for.
    held, whole = (here.vram_bytes or 0, weights.total.value) if vram_bytes is None else (vram_bytes, taken_bytes)
    return cold_speed(weights, bandwidth, on_card=min(1.0, max(0.0, held / whole)) if whole else 0.0)


@lru_cache(maxsize=_KEPT)
def _descriptor(
    name: str, architecture: str | None, parameters: str | None, quantisation: str | None, context_tokens: int | None
) -> Descriptor:
    told = Metadata(
        architecture=architecture, parameters=parameters, quantisation=quantisation, context_tokens=context_tokens
    )
    return describe(name, metadata=told)
