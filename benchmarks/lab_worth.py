"""What routing was worth on prompts that every candidate answered: against its yardsticks, and by preference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import t

Array = NDArray[np.float64]
Choice = NDArray[np.int64]

CONFIDENCE: Final = 0.95

ROOM_SECONDS: Final = 0.48
"""Of always strong's seconds: a preference is chosen on development that leaves some of the aim's half to chance (.015 over
three development seeds) and to escalation (.008)."""


def over_seeds(values: Sequence[float | None]) -> list[float]:
    """Mean and 95 % interval (Student's t) over the means of those seeds that have one; the mean alone of a single seed,
    nothing of none."""
    each = np.array([value for value in values if value is not None], np.float64)
    if not len(each):
        return []
    mean = float(each.mean())
    if len(each) < 2:
        return [mean]
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5)
    return [mean, mean - half, mean + half]


def worth(right: Array, seconds: Array, choice: Choice) -> dict[str, Any]:
    """Quality, mean seconds and share on each candidate of one way to choose; arrays (n, k), candidates weakest first."""
    rows = np.arange(len(choice))
    return {
        "quality": float(right[rows, choice].mean()),
        "seconds": float(seconds[rows, choice].mean()),
        "shares": shares(choice, right.shape[1]).tolist(),
    }


def shares(choice: Choice, k: int) -> Array:
    """The share of each candidate."""
    return np.bincount(choice, minlength=k) / len(choice)


def ways(right: Array, seconds: Array, choice: Choice, served: tuple[Array, Array]) -> dict[str, dict[str, Any]]:
    """Routing beside always fast, always strong, random at the same shares, and what an oracle makes of the same prompts.

    Args:
        right, seconds: of every candidate alone, (n, k).
        choice: whose answer routing gave, (n,).
        served: whether that was right, and the seconds that it took, escalations included; (n,) each.
    """
    n, k = right.shape
    part = shares(choice, k)
    return {
        "routed": {"quality": float(served[0].mean()), "seconds": float(served[1].mean()), "shares": part.tolist()},
        "always fast": worth(right, seconds, np.zeros(n, np.int64)),
        **{f"always {at + 1} of {k}": worth(right, seconds, np.full(n, at)) for at in range(1, k - 1)},
        "always strong": worth(right, seconds, np.full(n, k - 1)),
        "random, same shares": {
            "quality": float(right.mean(0) @ part),
            "seconds": float(seconds.mean(0) @ part),
            "shares": part.tolist(),
        },
        "oracle, same shares": worth(right, seconds, oracle_at(right, np.bincount(choice, minlength=k))),
        "oracle, same share on fast": worth(right, seconds, oracle_on_fast(right, int((choice == 0).sum()))),
        "oracle, free": worth(right, seconds, oracle_free(right)),
    }


def oracle_at(right: Array, counts: Sequence[int] | Choice) -> Choice:
    """The most right answers with exactly so many prompts on each candidate: an assignment (Hungarian method)."""
    owner = np.repeat(np.arange(right.shape[1]), counts)
    rows, places = linear_sum_assignment(right[:, owner], maximize=True)
    choice = np.empty(len(right), np.int64)
    choice[rows] = owner[places]
    return choice


def oracle_on_fast(right: Array, count: int) -> Choice:
    """The most right answers with exactly so many prompts on the fast candidate, the others where they are right first."""
    others = oracle_free(right[:, 1:]) + 1
    gain = right[:, 0] - right[np.arange(len(right)), others]
    choice = others.copy()
    choice[np.argsort(-gain, kind="stable")[:count]] = 0
    return choice


def oracle_free(right: Array) -> Choice:
    """The weakest candidate that is right, the weakest of all where none is."""
    return right.argmax(1)


def by_preference(
    right: Array, seconds: Array, choices: Mapping[float, Choice], strong: Mapping[str, Any]
) -> dict[float, dict[str, float]]:
    """For each preference how many points are lost against always strong, and how many of its seconds are spent."""
    found = {}
    for preference, choice in choices.items():
        one = worth(right, seconds, choice)
        found[preference] = {
            "seconds_over_strong": one["seconds"] / strong["seconds"],
            "loss_points": 100 * (strong["quality"] - one["quality"]),
            "on_fast": one["shares"][0],
            "on_strong": one["shares"][-1],
            "below_oracle": worth(right, seconds, oracle_at(right, np.bincount(choice, minlength=right.shape[1])))[
                "quality"
            ]
            - one["quality"],
        }
    return found


def preferred(curve: Mapping[float, Mapping[str, float]]) -> float:
    """The preference that development would choose: the least loss within `ROOM_SECONDS`, the lowest of equals; where
    none is within, the fastest."""
    within = [one for one in sorted(curve) if curve[one]["seconds_over_strong"] <= ROOM_SECONDS]
    if not within:
        return min(curve, key=lambda one: curve[one]["seconds_over_strong"])
    return min(within, key=lambda one: curve[one]["loss_points"])


def mean_curve(curves: Iterable[Mapping[float, Mapping[str, float]]]) -> dict[float, dict[str, float]]:
    """The curve of several seeds, figure by figure."""
    every = list(curves)
    return {
        preference: {name: float(np.mean([curve[preference][name] for curve in every])) for name in first}
        for preference, first in every[0].items()
    }
