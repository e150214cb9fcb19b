"""Why the first of a ranking is first, in one sentence that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from turnout.types import Ranked

CAUTION: Final = "unlike anything seen in training and judged strong-tier: the most likely to succeed"

_CHANCE: Final = attrgetter("p_success")


def weighed(ranking: Sequence[Ranked], preference: str | float) -> str:
    """Where utility decided at this preference."""
    first, surest = ranking[0], max(ranking, key=_CHANCE)
    if surest is first:
        return f"the most likely to succeed ({first.p_success:.0%}) and worth its expense at preference {preference}"
    gain = (surest.p_success - first.p_success) * 100
    return (
        f"{surest.candidate} would add {gain:.0f} points of success, "
        f"too little for its expense at preference {preference}"
    )
