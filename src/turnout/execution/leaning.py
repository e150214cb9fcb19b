"""What the feedback of one user comes to: how much quality counts against speed, and which candidates they like.

Each event says something about the candidate that answered, and most say something about the exchange rate: a bad answer
of a fast candidate asks for quality, one that was too slow asks for speed. Both are means of what was said, -1 to 1, where
older events fade by a half-life (gradual forgetting: Koychev and Schwab, "Adaptation to Drifting User's Interests", 2000;
Gama et al., "A Survey on Concept Drift Adaptation", 2014) and a few events that say nothing are added, so that one thumb
moves little. Choosing another candidate by hand and asking again are read as judgements, as Joachims reads clicks
("Optimizing Search Engines Using Clickthrough Data", 2002). The weights are chosen to be explainable, not measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from sys import float_info
from typing import Final, Literal, TypeAlias, get_args

from turnout.config.rules import ExchangeRates
from turnout.config.values import FrozenMapping
from turnout.policy.utility import exchange_rate

Kind: TypeAlias = Literal["good", "bad", "score", "regenerate", "edit_kept", "too_slow", "choose"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_FACTOR: Final = 4.0
"""The rate moves between a quarter and four times: from balanced (.15) to .04, near quality, or .6, beyond fast."""

MOST_OFFSET: Final = 0.15
"""As much as the most expensive call is worth at the balanced preference."""

HALF_LIFE: Final = 20
"""Events after which one counts half."""

WINDOW: Final = 100
"""Older events count for nothing; they would count 3 % and less."""

LEAST_EVENTS: Final = 3

PRIOR: Final = 3.0
"""Events that say nothing, added to what was heard: after three alike the mean is a half, after ten .74."""

PRAISE: Final = 0.2
"""What a good word weighs beside a bad one. A user whose fast answers are bad one time in six is where they want to be."""

_OPINIONS: Final[Mapping[Kind, float]] = {"good": 1.0, "bad": -1.0, "regenerate": -0.6, "too_slow": -0.5, "choose": 1.0}
"""What an event says of the candidate; score and share kept run from -1 to 1. Asking again may be mere curiosity."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One event: what was said (`value` for a score or the share kept), of whom, how long the answer took, whether the
    candidate is one of the strong ones, and when in Unix time."""

    kind: Kind
    value: float | None
    candidate: str
    seconds: float | None
    strong: bool
    at: float


@dataclass(frozen=True, slots=True)
class Leaning:
    """Where one user leans. `rate_factor` multiplies the exchange rate: under 1 quality counts more, over 1 speed does.
    `offsets` are added to the utilities of candidates. `told` says it in a sentence, after how many `events`."""

    rate_factor: float = 1.0
    offsets: Mapping[str, float] = field(default_factory=FrozenMapping)
    events: int = 0
    told: str = "nothing was heard of this user yet"


NEUTRAL: Final = Leaning()


def leaning_of(events: Sequence[Heard]) -> Leaning:
    """The leaning that a user's events come to, oldest first; only the last `WINDOW` count."""
    if not events:
        return NEUTRAL
    if len(events) < LEAST_EVENTS:
        told = f"{len(events)} of {LEAST_EVENTS} events were heard before anything changes"
        return Leaning(events=len(events), told=told)
    recent = events[-WINDOW:]
    rate, candidates = _Mean(), dict[str, _Mean]()
    for age, event in enumerate(reversed(recent)):
        fading = 0.5 ** (age / HALF_LIFE)
        rate.add(_on_rate(event), fading)
        if event.candidate:
            candidates.setdefault(event.candidate, _Mean()).add(_on_candidate(event), fading)
    factor = MOST_FACTOR**rate.value
    offsets = {name: MOST_OFFSET * mean.value for name, mean in sorted(candidates.items()) if mean.value}
    return Leaning(factor, FrozenMapping(offsets), len(recent), _told(recent, factor, offsets))


def preference_for(
    leaning: Leaning, preference: str | float | ExchangeRates | None, configured: str | float | ExchangeRates
) -> str | float | ExchangeRates:
    """The preference for a request of this user: the asked one, else the configured one, at their exchange rate.

    Raises:
        RequestError: an unknown preference.
    """
    wanted = configured if preference is None else preference
    factor = leaning.rate_factor
    if factor == 1.0:
        return wanted
    if isinstance(wanted, ExchangeRates):
        return ExchangeRates(
            success_per_second=_scaled(wanted.success_per_second, factor),
            success_per_cent=_scaled(wanted.success_per_cent, factor),
        )
    return _scaled(exchange_rate(wanted), factor)


@dataclass(slots=True)
class _Mean:
    """A mean of what was said, drawn towards 0 by `PRIOR`."""

    said: float = 0.0
    weight: float = 0.0

    def add(self, says: float, fading: float) -> None:
        self.said += fading * says
        self.weight += fading * abs(says)

    @property
    def value(self) -> float:
        return self.said / (self.weight + PRIOR)


def _opinion(event: Heard) -> float:
    """How content the user was, -1 to 1."""
    return 2 * event.value - 1 if event.value is not None else _OPINIONS[event.kind]


def _on_candidate(event: Heard) -> float:
    opinion = _opinion(event)
    return opinion * PRAISE if opinion > 0 and event.kind != "choose" else opinion


def _on_rate(event: Heard) -> float:
    """Towards speed above 0, towards quality below. What a strong candidate said badly, no exchange would cure."""
    if event.kind == "too_slow":
        return 1.0
    if event.kind == "choose":
        return -1.0 if event.strong else 1.0
    return 0.0 if event.strong else _on_candidate(event)


def _scaled(rate: float, factor: float) -> float:
    return min(rate * factor, float_info.max)


def _told(events: Sequence[Heard], factor: float, offsets: Mapping[str, float]) -> str:
    if factor < 1:
        lean = f"leans to quality: seconds and money count {factor:.2f} times as much as configured"
    elif factor > 1:
        lean = f"leans to speed: seconds and money count {factor:.1f} times as much as configured"
    else:
        lean = "weighs speed and quality as configured"
    parts = [f"after {len(events)} events this user {lean}", *_likes(offsets)]
    slow_s = [event.seconds for event in events if event.kind == "too_slow" and event.seconds]
    if slow_s:
        usual_s = math.exp(sum(map(math.log, slow_s)) / len(slow_s))
        parts.append(f"found answers of about {usual_s:.1f} s too slow ({len(slow_s)} times)")
    return "; ".join(parts)


def _likes(offsets: Mapping[str, float]) -> Iterable[str]:
    shown = [f"{name} {offset:+.2f}" for name, offset in offsets.items() if abs(offset) >= 0.005]
    return [f"utility of {', '.join(shown)}"] if shown else []
