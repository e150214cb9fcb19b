"""How long an answer will take: load, wait, prefill, decode, each from what was measured, else from what is likely."""

from __future__ import annotations

from typing import Final

from turnout.policy.candidates import Candidate, Needs
from turnout.policy.memory import memory_bytes
from turnout.types import CandidateState, ExpectedSeconds

# Before anything was measured. Decoding reads every weight once for each token, so its rate is memory bandwidth over
# size (Pope et al., "Efficiently Scaling Transformer Inference", 2022): 50 GB/s is dual-channel DDR5, 500 GB/s a
# mid-range card. Prefill is bound by arithmetic and runs 5 to 20 times as fast. Disks read 1.5 GB/s and more.
_RAM_BYTES_PER_S: Final = 50e9
_VRAM_BYTES_PER_S: Final = 500e9
_PREFILL_TO_DECODE: Final = 10.0
_LOAD_BYTES_PER_S: Final = 1.5e9
_LOAD_OVERHEAD_S: Final = 1.0
_UNKNOWN_BYTES: Final = 5_000_000_000  # a 7B model in four bits
_REMOTE_DECODE_TOKENS_PER_S: Final = 60.0
_REMOTE_FIRST_TOKEN_S: Final = 0.8
_FIRST_TOKEN_S: Final = 0.1


def expected_seconds(
    candidate: Candidate,
    state: CandidateState | None,
    needs: Needs,
    *,
    known_tokens: int = 0,
    evict_s: float = 0.0,
    slower: float = 1.0,
    provider_ahead: int = 0,
) -> ExpectedSeconds:
    """Expected time of one answer.

    Args:
        candidate: as configured.
        state: as last seen; None where nothing watches it.
        needs: of the request.
        known_tokens: how much of the prompt the candidate has read before in this conversation and holds in its cache.
        evict_s: what bringing back the language models that make room for it will take.
        slower: by how much a busy machine stretches prefill and decode.
        provider_ahead: requests that run or wait at its provider, for all candidates together.
    """
    speeds = state.speeds if state is not None else None
    decode, prefill, first_s = _rates(candidate, state)
    prefill_s = (first_s + max(0, needs.prompt_tokens - known_tokens) / prefill) * slower
    decode_s = needs.answer_tokens / decode * slower
    load_s = queue_s = 0.0
    if state is not None:
        service_s = first_s + decode_s
        queue_s = max(
            _wait_s(state.running + state.waiting, candidate.slots, service_s),
            _wait_s(provider_ahead, candidate.provider_slots, service_s),
        )
        if state.model is not None and state.model.loaded is False:
            load_s = likely_load_s(candidate, state)
            if state.model.loading:
                load_s /= 2
    measured = speeds is not None and speeds.decode_tokens_per_s is not None
    return ExpectedSeconds(load_s, queue_s, prefill_s, decode_s, evict_s, measured)


def _wait_s(before: int, slots: int, service_s: float) -> float:
    """Those ahead are somewhere in the middle of their answers: half of one, then whole ones, over the slots."""
    ahead = before + 1 - slots
    return (ahead - 0.5) * service_s / slots if ahead > 0 else 0.0


def _rates(candidate: Candidate, state: CandidateState | None) -> tuple[float, float, float]:
    """Decode and prefill in tokens a second, and the overhead before the first token in seconds."""
    speeds = state.speeds if state is not None else None
    decode = speeds.decode_tokens_per_s if speeds is not None else None
    prefill = speeds.prefill_tokens_per_s if speeds is not None else None
    first_s = speeds.first_token_s if speeds is not None else None
    if decode is None:
        decode = _likely_decode(candidate, state)
    if prefill is None:
        prefill = decode * _PREFILL_TO_DECODE
    if first_s is None:
        first_s = _FIRST_TOKEN_S if candidate.local else _REMOTE_FIRST_TOKEN_S
    return decode, prefill, first_s


def _likely_decode(candidate: Candidate, state: CandidateState | None) -> float:
    if not candidate.local:
        return _REMOTE_DECODE_TOKENS_PER_S
    size = memory_bytes(candidate, state) or _UNKNOWN_BYTES
    model = state.model if state is not None else None
    on_card = model is not None and model.vram_bytes is not None and model.vram_bytes >= size / 2
    return max(0.2, (_VRAM_BYTES_PER_S if on_card else _RAM_BYTES_PER_S) / size)


def likely_load_s(candidate: Candidate, state: CandidateState | None) -> float:
    """Seconds that loading takes: measured, else from the size."""
    if state is not None and state.speeds.load_s is not None:
        return state.speeds.load_s
    return _LOAD_OVERHEAD_S + (memory_bytes(candidate, state) or _UNKNOWN_BYTES) / _LOAD_BYTES_PER_S
