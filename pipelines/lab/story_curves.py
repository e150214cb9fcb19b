"""The curves of a life and of its yardsticks, all on the same requests.

Every request's answer is known of both candidates, so the yardsticks are counted, not estimated: always the fast one,
always the strong one, random at the share that was served in the same window (its expectation, nothing is drawn), and
the oracle, which takes the strong one where only that is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from turnout_pipelines.lab.story_log import FAST, STRONG, Array, Life

SERVED: Final = "Turnout"
YARDSTICKS: Final = ("always fast", "always strong", "random", "oracle")


@dataclass(frozen=True, slots=True)
class Course:
    """One way to route a life: for each request the score, the seconds, and whether the fast one took it."""

    score: Array
    seconds: Array
    fast: Array


def courses(life: Life) -> dict[str, Course]:
    """What was served and the yardsticks, request by request; random at the share of them all."""
    served = (life.candidate == FAST).astype(np.float64)
    wanted = (life.scores[:, STRONG] <= life.scores[:, FAST]).astype(np.float64)
    return {
        SERVED: _with(life, served),
        "always fast": _with(life, np.ones(len(life))),
        "always strong": _with(life, np.zeros(len(life))),
        "random": _with(life, np.full(len(life), served.mean())),
        "oracle": _with(life, wanted),
    }


def curves(life: Life, window: int) -> dict[str, Course]:
    """Means of the last `window` requests at each place; random at the share that was served in the same window."""
    found = {name: _rolled(course, window) for name, course in courses(life).items()}
    share = found[SERVED].fast
    fast, strong = found["always fast"], found["always strong"]
    found["random"] = Course(
        share * fast.score + (1 - share) * strong.score, share * fast.seconds + (1 - share) * strong.seconds, share
    )
    return found


def rolling(values: Array, window: int) -> Array:
    """The mean of the last `window` values at each place, of fewer where there are not so many: float64 (n,)."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))


def figures(life: Life) -> dict[str, dict[str, float]]:
    """Means over all requests of a life or of a part of it, by the way it was routed.

    `same share` is the best that any choice could have made of as many calls to the fast one as were served.
    """
    found = {name: _means(course) for name, course in courses(life).items()}
    taken = int((life.candidate == FAST).sum())
    found["same share"] = _means(_with(life, _cheapest_loss(life, taken)))
    return found


def interval(values: Array, seed: int = 0, draws: int = 1000) -> tuple[float, float, float]:
    """The mean of values, float64 (n,), with its 95 % bootstrap interval."""
    chance = np.random.default_rng(seed)
    means = values[chance.integers(0, len(values), (draws, len(values)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(values.mean()), float(low), float(high)


def _with(life: Life, fast: Array) -> Course:
    """The course of a share on the fast one, float64 (n,) in [0, 1]."""
    both = np.stack([fast, 1.0 - fast], axis=1)
    return Course((both * life.scores).sum(1), (both * life.seconds).sum(1), fast)


def _rolled(course: Course, window: int) -> Course:
    return Course(*(rolling(values, window) for values in (course.score, course.seconds, course.fast)))


def _cheapest_loss(life: Life, taken: int) -> Array:
    """1 for the `taken` requests on which the fast one loses least, in the order they came where that is equal."""
    lost: NDArray[np.float64] = life.scores[:, STRONG] - life.scores[:, FAST]
    chosen = np.zeros(len(life))
    chosen[np.argsort(lost, kind="stable")[:taken]] = 1.0
    return chosen


def _means(course: Course) -> dict[str, float]:
    return {
        "quality": float(course.score.mean()),
        "mean_s": float(course.seconds.mean()),
        "share_on_fast": float(course.fast.mean()),
    }
