"""Which candidates can serve a request at all; who cannot keeps the reason. What nobody knows excludes nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from turnout.policy.candidates import Candidate, Needs
from turnout.types import CandidateState, Resources

_TOLD = {"tools": "cannot call tools", "vision": "cannot see pictures", "json_schema": "cannot follow a JSON schema"}
# A language model takes its file's size in memory and something for the context; see Ollama's own estimate of
# weights + KV + compute, which for windows of 4k to 8k comes to a tenth or a fifth more.
_CONTEXT_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """Bytes that may be used, and bytes to be left alone. None is no limit beside what is free."""

    ram_bytes: int | None = None
    vram_bytes: int | None = None
    reserve_bytes: int = 0


def obstacle(
    candidate: Candidate,
    state: CandidateState | None,
    needs: Needs,
    *,
    require_local: bool = False,
    freeable_bytes: int = 0,
    resources: Resources | None = None,
    limits: MemoryLimits | None = None,
) -> str:
    """Why a candidate cannot serve, in words; empty where it can.

    Args:
        candidate: as configured.
        state: as last seen; None where nothing watches it.
        needs: of the request.
        require_local: whether the prompt must stay on this machine.
        freeable_bytes: memory that idle language models on this machine would give back.
        resources: what the machine has free.
        limits: how much of it may be used.
    """
    if require_local and not candidate.local:
        return "the prompt has to stay on this machine"
    if state is not None and state.problem:
        return state.problem
    model = state.model if state is not None else None
    known = candidate.capabilities if candidate.capabilities is not None else model.capabilities if model else None
    if needs.capabilities and known:
        for capability in sorted(needs.capabilities - known):
            return _TOLD[capability]
    window = candidate.context_length
    if window is None and model is not None:
        window = model.loaded_context_length or model.context_length
    if window is not None and needs.least_prompt_tokens >= window:
        return f"its window of {window} tokens is too small for a prompt of at least {needs.least_prompt_tokens}"
    if window is not None and needs.prompt_tokens + min(needs.answer_tokens, window // 4) > window:
        return f"prompt and answer of about {needs.prompt_tokens + needs.answer_tokens} tokens do not fit {window}"
    if model is not None and model.loaded is False and candidate.local and resources is not None:
        return _memory_obstacle(candidate, state, freeable_bytes, resources, limits or MemoryLimits())
    return ""


def _memory_obstacle(
    candidate: Candidate, state: CandidateState | None, freeable: int, resources: Resources, limits: MemoryLimits
) -> str:
    needed = memory_bytes(candidate, state)
    if needed is None:
        return ""
    free = resources.ram_free_bytes + (resources.vram_free_bytes or 0) + freeable - limits.reserve_bytes
    if limits.ram_bytes is not None:
        free = min(free, limits.ram_bytes + (limits.vram_bytes or resources.vram_free_bytes or 0))
    if needed <= free:
        return ""
    return f"needs about {needed / 2**30:.1f} GiB of memory, {max(free, 0) / 2**30:.1f} GiB can be had"


def memory_bytes(candidate: Candidate, state: CandidateState | None) -> int | None:
    """What a candidate takes while loaded; None where neither configuration nor provider gives a size."""
    if candidate.memory_bytes is not None:
        return candidate.memory_bytes
    model = state.model if state is not None else None
    if model is None:
        return None
    if model.memory_bytes is not None:
        return model.memory_bytes
    return None if model.size_bytes is None else int(model.size_bytes * (1 + _CONTEXT_SHARE))


def freeable_bytes(candidates: Iterable[Candidate], states: Iterable[CandidateState | None]) -> int:
    """Memory that idle language models on this machine would give back."""
    total = 0
    for candidate, state in zip(candidates, states, strict=True):
        loaded = state is not None and state.model is not None and state.model.loaded
        if candidate.local and loaded and state is not None and not state.running:
            total += memory_bytes(candidate, state) or 0
    return total
