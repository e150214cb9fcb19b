"""What metrics tell at one moment, as frozen values that become JSON: figures of a period, of a candidate, of a provider."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from turnout.execution.histogram import NOTHING, Spread
from turnout.execution.tallies import CandidateTally, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFigures:
    """Figures of one candidate, or of all candidates of one provider together.

    It is `asked` once for a request, which may take several `calls`; `chosen` is how many of its `answers` were handed
    out. `success_share` is answers over all that were not cancelled; `response` are the seconds of answers, their
    retries and their waiting included; `tokens_per_s` is the mean speed of writing. Shares are from 0 to 1; what was
    never measured is None. Requests were decided for it `explored` or in the `canary`; of those `compared` that the
    challenger would have given it the champion `agreed` to so many.
    """

    asked: int = 0
    calls: int = 0
    answers: int = 0
    chosen: int = 0
    cancelled: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    success_share: float | None = None
    response: Spread = NOTHING
    first_token: Spread = NOTHING
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens_per_s: float | None = None
    confidence_mean: float | None = None
    good: int = 0
    bad: int = 0
    explored: int = 0
    canary: int = 0
    compared: int = 0
    agreed: int = 0

    @classmethod
    def of(cls, tally: CandidateTally) -> Self:
        """The figures of what was counted."""
        return cls(
            asked=tally.asked,
            calls=tally.calls,
            answers=tally.answers,
            chosen=tally.chosen,
            cancelled=tally.cancelled,
            failures=dict(sorted(tally.failures.items())),
            success_share=_share(tally.answers, tally.asked - tally.cancelled),
            response=tally.response.spread(),
            first_token=tally.first_token.spread(),
            prompt_tokens=tally.prompt_tokens,
            completion_tokens=tally.completion_tokens,
            tokens_per_s=_share(tally.timed_tokens, tally.timed_s),
            confidence_mean=_share(tally.confidence_sum, tally.confidence_count),
            good=tally.good,
            bad=tally.bad,
            explored=tally.explored,
            canary=tally.canary,
            compared=tally.compared,
            agreed=tally.agreed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures of all requests that ended in a period of `seconds`.

    Shares are from 0 to 1 and None where there is nothing to share: `escalated_share` and `cached_share` are of answered
    requests, `helped_share` of escalated ones, `fast_share` of answers from candidates (of the cheaper half of all).
    `feedback` counts by kind; `score_mean` is of feedback with a value. `explored` requests went to another candidate
    than the usual first, `canary` ones were decided by the challenger; of those `compared` in its shadow champion and
    challenger chose the same in `agreed_share`.
    """

    seconds: float
    requests: int = 0
    answered: int = 0
    cancelled: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    response: Spread = NOTHING
    first_token: Spread = NOTHING
    escalated: int = 0
    escalated_share: float | None = None
    helped: int = 0
    helped_share: float | None = None
    fell_back: int = 0
    rescued: int = 0
    races_won: int = 0
    cached: Mapping[str, int] = field(default_factory=dict)
    cached_share: float | None = None
    confidence_mean: float | None = None
    fast_share: float | None = None
    feedback: Mapping[str, int] = field(default_factory=dict)
    score_mean: float | None = None
    explored: int = 0
    canary: int = 0
    compared: int = 0
    agreed_share: float | None = None
    candidates: Mapping[str, CandidateFigures] = field(default_factory=dict)
    providers: Mapping[str, CandidateFigures] = field(default_factory=dict)

    @classmethod
    def of(cls, tally: Tally, seconds: float, fast: Collection[str] = ()) -> Self:
        """The figures of what was counted in so many seconds; `fast` names the cheaper half of the candidates."""
        providers: dict[str, CandidateTally] = {}
        for name, counted in tally.candidates.items():
            providers.setdefault(name.partition("/")[0], CandidateTally()).merge(counted)
        every = tally.candidates.values()
        chosen = sum(counted.chosen for counted in every)
        compared = sum(counted.compared for counted in every)
        chosen_fast = sum(counted.chosen for name, counted in tally.candidates.items() if name in fast)
        return cls(
            seconds=seconds,
            requests=tally.requests,
            answered=tally.answered,
            cancelled=tally.cancelled,
            failures=dict(sorted(tally.failures.items())),
            response=tally.response.spread(),
            first_token=tally.first_token.spread(),
            escalated=tally.escalated,
            escalated_share=_share(tally.escalated, tally.answered),
            helped=tally.helped,
            helped_share=_share(tally.helped, tally.escalated),
            fell_back=tally.fell_back,
            rescued=tally.rescued,
            races_won=tally.races_won,
            cached=dict(sorted(tally.cached.items())),
            cached_share=_share(tally.cached.total(), tally.answered),
            confidence_mean=_share(tally.confidence_sum, tally.answered),
            fast_share=_share(chosen_fast, chosen) if fast else None,
            feedback=dict(sorted(tally.feedback.items())),
            score_mean=_share(tally.score_sum, tally.score_count),
            explored=sum(counted.explored for counted in every),
            canary=sum(counted.canary for counted in every),
            compared=compared,
            agreed_share=_share(sum(counted.agreed for counted in every), compared),
            candidates={name: CandidateFigures.of(counted) for name, counted in sorted(tally.candidates.items())},
            providers={name: CandidateFigures.of(counted) for name, counted in sorted(providers.items())},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSnapshot:
    """The figures of the last minute, of the last hour and since the start."""

    minute: Figures
    hour: Figures
    total: Figures

    def to_json(self) -> dict[str, Any]:
        """Plain values; keys are the names of the fields."""
        return asdict(self)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
