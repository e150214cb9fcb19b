"""Pairs of a fast and a strong candidate: how far apart, how much the fast one can take, whether there is room for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from turnout.advice.beliefs import Beliefs, Interval
from turnout.advice.offload import LOSS, shares
from turnout.advice.profiles import Profile
from turnout.advice.worth import Scale, fits

_LEAST_RATIO: Final = 1.25
"""By how much the fast one has to be faster for a couple to be worth the trouble."""

_LEAST_GAIN: Final = 0.005
"""By how much two have to be worth more than the best one alone."""

Fit: TypeAlias = Literal["together", "in turn", "not"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Couple:
    """A fast and a strong candidate.

    gap : what the strong one succeeds more often, of 1. ratio : how many times as long its answer takes. share : of typical
    traffic that the fast one can take at a loss of at most `LOSS`. fit : whether both can be loaded. worth : of the two behind
    a router (see `Scale`). good : whether both can be loaded and are worth more than any candidate alone.
    """

    fast: str
    strong: str
    gap: Interval
    ratio: float
    share: Interval
    fit: Fit
    worth: float
    good: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "fast": self.fast,
            "strong": self.strong,
            "quality_gap": self.gap.to_json(),
            "speed_ratio": round(self.ratio, 2),
            "fast_share": self.share.to_json(),
            "fits": self.fit,
            "worth": round(self.worth, 4),
            "good": self.good,
        }


def couples(profiles: Sequence[Profile], believed: Beliefs, room: int | None, scale: Scale) -> tuple[Couple, ...]:
    """All pairs of which one is faster and the other stronger, the best first: those that fit, by their worth."""
    alone = scale.alone()
    found = []
    for fast, strong in permutations(profiles, 2):
        ratio = strong.answer_s / fast.answer_s
        p_fast, p_strong = believed.of(fast.name), believed.of(strong.name)
        gap = (p_strong - p_fast).mean(axis=1)
        if ratio < _LEAST_RATIO or np.median(gap) <= LOSS:
            continue
        share, fit = Interval.of(shares(p_fast, p_strong)), _fit(fast, strong, room)
        worth = scale.together(fast, strong, changing=fit == "in turn")
        found.append(
            Couple(
                fast=fast.name,
                strong=strong.name,
                gap=Interval.of(gap),
                ratio=ratio,
                share=share,
                fit=fit,
                worth=worth,
                good=fit != "not" and (alone is None or worth > alone[1] + _LEAST_GAIN),
            )
        )
    return tuple(sorted(found, key=lambda each: (each.fit == "not", -each.worth)))


def _fit(fast: Profile, strong: Profile, room: int | None) -> Fit:
    needed = sum(each.memory.value for each in (fast, strong) if each.memory is not None)
    if room is None or needed <= room:
        return "together"
    return "in turn" if fits(fast, room) and fits(strong, room) else "not"
