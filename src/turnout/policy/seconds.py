"""How long an answer will take: load, wait, prefill, decode, each from what was measured, else from what is likely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from turnout.descriptors.speed import Likely
from turnout.policy.candidates import TYPICAL_ANSWER_TOKENS, Candidate, Needs
from turnout.policy.cold import expected_speed
from turnout.types import CandidateState, ExpectedSeconds, Resources, Speeds

# Before anything was measured, of a language model of unknown size: a 7B in four bits on an average machine without a card.
# What is known of its size gives better (`turnout.policy.cold`).
_DECODE_TOKENS_PER_S: Final = 10.0
_PREFILL_TO_DECODE: Final = 10.0
_LOAD_S: Final = 4.3
_REMOTE_DECODE_TOKENS_PER_S: Final = 60.0
_REMOTE_FIRST_TOKEN_S: Final = 0.8
_FIRST_TOKEN_S: Final = 0.1
_FEW_ANSWERS: Final = 5

_NEVER: Final = Speeds()
_SLOWEST: Final = 0.2
"""Tokens a second, below which nobody waits."""

_SCATTER: Final = 0.4
"""Standard deviation of the logarithm of one measurement: contexts are longer or shorter, and other programs at work."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one candidate would answer if it were asked now. What is missing is the request: `expected` adds it.

    Rates are in tokens a second. `evict_s` is what bringing back the language models that make room for it will take,
    `slower` by how much a busy machine stretches prefill and decode, `lengthy` how long its answers are by the typical
    one, and `measured` says that its rates were.
    """

    first_token_s: float
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    lengthy: float
    load_s: float
    queue_s: float
    evict_s: float
    slower: float
    measured: bool

    @staticmethod
    def of(
        candidate: Candidate,
        state: CandidateState | None,
        *,
        evict_s: float = 0.0,
        slower: float = 1.0,
        ahead_s: float = 0.0,
        machine: Resources | None = None,
    ) -> Pace:
        """What was measured of it, from what is likely on.

        Args:
            candidate: as configured.
            state: as last seen; None where nothing watches it.
            evict_s, slower: see above.
            ahead_s: the wait behind what runs and waits at its provider (see `waits_s`).
            machine: this one; None where nobody looks at it.
        """
        decode, prefill, first_s = _rates(candidate, state, machine)
        load_s = queue_s = 0.0
        if state is not None:
            queue_s = ahead_s
            if state.model is not None and state.is_cold:
                load_s = likely_load_s(candidate, state, machine)
                if state.model.loading:
                    load_s /= 2
        measured = state is not None and state.speeds.decode_tokens_per_s is not None
        return Pace(first_s, prefill, decode, _lengthy(state), load_s, queue_s, evict_s, slower, measured)

    def expected(self, needs: Needs, known_tokens: int = 0, answer_tokens: float | None = None) -> ExpectedSeconds:
        """Expected time of one answer.

        Args:
            needs: of the request.
            known_tokens: how much of the prompt the candidate has read before in this conversation and holds in its
                cache.
            answer_tokens: how long its answer will be, where that was learned; else the guess is stretched as far as its
                answers were longer than others so far.
        """
        unread = max(0, needs.prompt_tokens - known_tokens)
        tokens = needs.allowed(needs.answer_tokens * self.lengthy if answer_tokens is None else answer_tokens)
        return ExpectedSeconds(
            self.load_s,
            self.queue_s,
            (self.first_token_s + unread / self.prefill_tokens_per_s) * self.slower,
            tokens / self.decode_tokens_per_s * self.slower,
            self.evict_s,
            self.measured,
        )


def waits_s(
    pairs: Sequence[tuple[Candidate, CandidateState | None]], machine: Resources | None = None
) -> dict[str, float]:
    """The wait for a slot at each candidate of one provider, in seconds.

    What runs and waits takes what was expected of each request, or where that is not known the measured time of an
    answer, of which what runs has half behind it; over the slots.
    What waits for a candidate that is not loaded waits for its load too, and so does everybody behind it. A cold
    candidate has to wait until one that is at work makes room.
    """
    work: dict[str, float] = {}
    busy_s: dict[str, float] = {}
    total = 0
    for candidate, state in pairs:
        if state is None:
            continue
        service_s = state.speeds.service_s or _likely_service_s(candidate, state, machine)
        load_s = likely_load_s(candidate, state, machine) if state.waiting and state.is_cold else 0.0
        left_s = (0.5 * state.running + state.waiting) * service_s if state.work_s is None else state.work_s
        work[candidate.name] = left_s + load_s
        busy_s[candidate.name] = 0.5 * service_s if state.running else 0.0
        total += state.running + state.waiting
    found: dict[str, float] = {}
    for candidate, state in pairs:
        if state is None:
            continue
        own = state.running + state.waiting >= candidate.slots
        whole = total >= candidate.provider_slots
        wait_s = max(
            work[candidate.name] / candidate.slots if own else 0.0,
            sum(work.values()) / candidate.provider_slots if whole else 0.0,
        )
        if state.is_cold:
            wait_s = max(wait_s, max((s for name, s in busy_s.items() if name != candidate.name), default=0.0))
        found[candidate.name] = wait_s
    return found


def _likely_service_s(candidate: Candidate, state: CandidateState, machine: Resources | None) -> float:
    decode, _, first_s = _rates(candidate, state, machine)
    return first_s + TYPICAL_ANSWER_TOKENS / decode


def _lengthy(state: CandidateState | None) -> float:
    """How long the answers of this candidate have been seen to be, by the typical one."""
    speeds = state.speeds if state is not None else None
    if speeds is None or speeds.answer_tokens is None or speeds.measurements < _FEW_ANSWERS:
        return 1.0
    return speeds.answer_tokens / TYPICAL_ANSWER_TOKENS


def _rates(candidate: Candidate, state: CandidateState | None, machine: Resources | None) -> tuple[float, float, float]:
    """Decode and prefill in tokens a second, and the overhead before the first token in seconds."""
    speeds = state.speeds if state is not None else _NEVER
    cold = expected_speed(candidate, state, machine)
    if cold is None:
        likely = _DECODE_TOKENS_PER_S if _is_here(candidate, state) else _REMOTE_DECODE_TOKENS_PER_S
        decode = speeds.decode_tokens_per_s or likely
        prefill = speeds.prefill_tokens_per_s or decode * _PREFILL_TO_DECODE
    else:
        decode = moved(cold.decode_tokens_per_s, speeds.decode_tokens_per_s, speeds.decode_count)
        # A machine that writes faster than was expected reads faster, too.
        reading = Likely(
            cold.prefill_tokens_per_s.value * decode / cold.decode_tokens_per_s.value, cold.prefill_tokens_per_s.factor
        )
        prefill = moved(reading, speeds.prefill_tokens_per_s, speeds.prefill_count)
    first_s = speeds.first_token_s
    if first_s is None:
        first_s = _FIRST_TOKEN_S if candidate.local else _REMOTE_FIRST_TOKEN_S
        if speeds.service_s is not None:  # no more than writing leaves of the time of whole answers
            first_s = min(first_s, max(0.0, speeds.service_s - (speeds.answer_tokens or 0.0) / max(_SLOWEST, decode)))
    return max(_SLOWEST, decode), max(_SLOWEST, prefill), first_s


def _is_here(candidate: Candidate, state: CandidateState | None) -> bool:
    """Whether it runs on a machine of its owner, and not on one that its provider only passes prompts on to."""
    return candidate.local and not (state is not None and state.model is not None and state.model.remote)


def likely_load_s(candidate: Candidate, state: CandidateState | None, machine: Resources | None = None) -> float:
    """Seconds that loading takes: as measured, from what its size tells on."""
    speeds = state.speeds if state is not None else _NEVER
    cold = expected_speed(candidate, state, machine)
    if cold is None:
        return speeds.load_s or _LOAD_S
    return moved(cold.load_s, speeds.load_s, speeds.load_count)


def moved(likely: Likely, measured: float | None, count: int) -> float:
    """What was expected, moved by the geometric mean of `count` measurements as far as these outweigh it.

    Precisions add up: what is known within a wide range gives way at the first measurement, a narrow one stays for a few.
    """
    if measured is None:
        return likely.value
    if not count:  # nobody says how often, so it is believed
        return measured
    worth = (_SCATTER / likely.spread) ** 2
    return math.exp((worth * math.log(likely.value) + count * math.log(measured)) / (worth + count))
