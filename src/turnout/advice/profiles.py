"""Each candidate as advice sees it: what it is, what it takes in memory, how fast it answers when it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from turnout.config.resources import Resources as Limits
from turnout.descriptors import Descriptor
from turnout.descriptors.speed import Likely
from turnout.policy.candidates import TYPICAL_ANSWER_TOKENS, Candidate, Needs
from turnout.policy.cold import descriptor_of, expected_speed, weights_of
from turnout.policy.memory import CONTEXT_SHARE, allowed_bytes, memory_bytes
from turnout.policy.seconds import Pace, likely_load_s
from turnout.types import CandidateState, Snapshot

_TYPICAL = Needs(
    prompt_tokens=500,
    least_prompt_tokens=0,
    answer_tokens=round(TYPICAL_ANSWER_TOKENS),
    capabilities=frozenset(),
)
"""What seconds are told for: a prompt of a page, and an answer of the usual length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One candidate.

    memory : bytes that it takes while loaded, weights and context; None where nobody knows or it runs elsewhere.
    tokens_per_s : of its answers. answer_s : seconds of a typical one once it is loaded, load_s : to bring it there.
    measured : whether the rate was. here : whether it takes this machine's memory. problem : why it cannot be asked now.
    """

    name: str
    descriptor: Descriptor
    here: bool
    memory: Likely | None
    tokens_per_s: Likely
    answer_s: float
    load_s: float
    measured: bool
    loaded: bool
    problem: str

    @property
    def nameless(self) -> bool:
        """Whether neither its name nor its provider tells what it is."""
        told = self.descriptor
        return told.family is None and told.parameters_b is None and told.tier is None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told, memory, rate = self.descriptor, self.memory, self.tokens_per_s
        return {
            "family": told.family,
            "parameters_b": told.parameters_b,
            "quantisation": told.quantisation,
            "memory_bytes": None if memory is None else [round(end) for end in (memory.value, memory.low, memory.high)],
            "tokens_per_s": [round(end, 2) for end in (rate.value, rate.low, rate.high)],
            "measured": self.measured,
            "answer_s": round(self.answer_s, 2),
            "load_s": round(self.load_s, 2),
            "loaded": self.loaded,
            "problem": self.problem,
        }


def profile(candidate: Candidate, snapshot: Snapshot) -> Profile:
    """What is known of one candidate now."""
    state, machine = snapshot.candidates.get(candidate.name), snapshot.resources
    model = state.model if state is not None else None
    here = candidate.here and not (model is not None and model.remote)
    pace = Pace.of(candidate, state, machine=machine)
    cold = expected_speed(candidate, state, machine)
    measured = state is not None and state.speeds.decode_tokens_per_s is not None
    factor = 1.0 if measured or cold is None else cold.decode_tokens_per_s.factor
    return Profile(
        name=candidate.name,
        descriptor=descriptor_of(candidate.name, model),
        here=here,
        memory=_memory(candidate, state) if here else None,
        tokens_per_s=Likely(pace.decode_tokens_per_s, factor),
        answer_s=_answer_s(pace),
        load_s=likely_load_s(candidate, state, machine) if here else 0.0,
        measured=measured,
        loaded=bool(model is not None and model.loaded),
        problem=state.problem if state is not None else "",
    )


def room_bytes(profiles: list[Profile], snapshot: Snapshot, limits: Limits) -> int | None:
    """Memory for language models: what is free, less reserves, and what those that are loaded hold; None where unknown."""
    if snapshot.resources is None:
        return None
    held = sum(round(each.memory.value) for each in profiles if each.loaded and each.memory is not None)
    return allowed_bytes(snapshot.resources, limits) + held


def _answer_s(pace: Pace) -> float:
    seconds = pace.expected(_TYPICAL)
    return seconds.prefill_s + seconds.decode_s


def _memory(candidate: Candidate, state: CandidateState | None) -> Likely | None:
    """As configured or told by its provider, else weights and something for the context."""
    told = memory_bytes(candidate, state)
    if told is not None:
        return Likely(float(told))
    weights = weights_of(candidate, state)
    return None if weights is None else weights.total.times(Likely(1 + CONTEXT_SHARE))
