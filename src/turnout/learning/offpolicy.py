"""Off-policy evaluation: what a policy would have been worth, out of a log that another policy wrote.

Only the chosen candidate's score is known, so a row speaks for a policy as far as the policy would have chosen the
same, and weighs more the less likely the choice was. Notation as in Dudík, Langford and Li, "Doubly Robust Policy
Evaluation and Learning" (2011): rewards r in [0, 1], propensities p, the target's probabilities π, a direct model q.

    direct method          mean of  Σ_a π(a|x) q(x, a)
    inverse propensity     mean of  π(A|x) / p · r
    self-normalised        Σ w r / Σ w  with  w = π(A|x) / p  (Swaminathan and Joachims 2015)
    doubly robust          direct   + mean of  w · (r - q(x, A))

Where only some decisions have a score, p is the propensity times the share of the candidate's decisions that were
scored: that assumes that whether a result is known depends on who answered, not on how well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from turnout.learning.logged import LoggedDecisions
from turnout.learning.metrics import Interval

Estimator: TypeAlias = Literal["direct", "ips", "snips", "dr"]
ESTIMATORS: Final[tuple[Estimator, ...]] = get_args(Estimator)

MAX_WEIGHT: Final = 100.0
"""Weights are clipped here. With k candidates and an exploration rate e none is above k / e: 100 at two and .02."""

MAX_UNSUPPORTED: Final = 0.05
"""A target that wants, on more than this share of the rows, what the log never tries is not judged: the log cannot tell."""

MIN_EFFECTIVE: Final = 30.0
"""Fewer effective rows than this on which two policies differ decide nothing; the usual least size for a mean's normal
interval."""

DRAWS: Final = 1000
_BLOCKS: Final = 2_000

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """How far a log can speak for a policy.

    rows, scored : how many. unsupported : the share of rows on which the policy wants what was never tried there.
    effective_rows : effective sample size of the weights, (Σw)² / Σw² (Kish 1965). clipped : share of the scored rows
    whose weight was clipped. problem : why nothing can be concluded; empty where something can.
    """

    rows: int
    scored: int
    unsupported: float
    effective_rows: float
    clipped: float
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The mean score of a policy, by every estimator, each with its 95 % bootstrap interval over rows."""

    direct: Interval
    ips: Interval
    snips: Interval
    dr: Interval
    support: Support


@dataclass(frozen=True, slots=True)
class Evidence:
    """What each row says of one policy: all float64 (n,), `scored` bool. Where no score is known the weight is 0."""

    scored: NDArray[np.bool_]
    weight: Array
    reward: Array
    direct: Array
    residual: Array
    unsupported: Array
    clipped: Array

    @property
    def robust(self) -> Array:
        """The doubly robust contribution of each row; their mean is the estimate."""
        return self.direct + self.weight * self.residual


def evidence(logged: LoggedDecisions, target: Array, model: Array) -> Evidence:
    """What each row says of a policy.

    Args:
        logged: n rows.
        target: float64 (n, k), the probabilities with which the policy chooses; rows sum to 1.
        model: float64 (n, k), expected scores, for each row from parts that never saw its group.

    Raises:
        ValueError: a shape is wrong, or probabilities do not sum to 1.
    """
    n, k = len(logged), len(logged.candidates)
    if target.shape != (n, k) or model.shape != (n, k):
        raise ValueError(f"target {target.shape} and model {model.shape} must both have shape {(n, k)}")
    if n and not np.allclose(target.sum(1), 1.0, atol=1e-6):
        raise ValueError("the target's probabilities of a row must sum to 1")
    rows = np.arange(n)
    wanted = target[rows, logged.chosen]
    scored = logged.scored
    full = wanted / (logged.propensity * _scored_share(logged))
    weight = np.where(scored, np.minimum(full, MAX_WEIGHT), 0.0)
    reward = np.where(scored, logged.score, 0.0).astype(np.float64)
    # A choice that was certain leaves the others untried; one that no score is known of was tried all the same.
    certain = logged.propensity >= 1.0 - 1e-12
    return Evidence(
        scored=scored,
        weight=weight,
        reward=reward,
        direct=(target * model).sum(1),
        residual=np.where(scored, reward - model[rows, logged.chosen], 0.0),
        unsupported=np.where(certain, 1.0 - wanted, 0.0),
        clipped=(scored & (full > MAX_WEIGHT)).astype(np.float64),
    )


def estimate(logged: LoggedDecisions, target: Array, model: Array, *, seed: int = 0, draws: int = DRAWS) -> Estimate:
    """The worth of one policy by every estimator; arguments as in `evidence`."""
    seen = evidence(logged, target, model)
    weighted = seen.weight * seen.reward
    n = len(logged)
    sums = _resampled(np.stack([seen.direct, weighted, seen.weight, seen.robust]), seed, draws)
    point = np.array([seen.direct.sum(), weighted.sum(), seen.weight.sum(), seen.robust.sum()])
    means = {
        "direct": (point[0] / n, sums[0] / n),
        "ips": (point[1] / n, sums[1] / n),
        "snips": (_ratio(point[1], point[2]), _ratio(sums[1], sums[2])),
        "dr": (point[3] / n, sums[3] / n),
    }
    support = _support(seen)
    # What makes the sum of inverse propensities are the weighted rewards: a weight on a failure adds nothing to it.
    effective = {"direct": float(n), "ips": min(_effective(weighted), support.effective_rows)}
    intervals = {
        name: _interval(float(value), drawn, effective.get(name, support.effective_rows))
        for name, (value, drawn) in means.items()
    }
    return Estimate(**intervals, support=support)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much better one policy is than another on the same rows.

    score : doubly robust difference of mean scores with its 95 % interval. at_least : what the difference is above with
    95 % confidence, so the lower end of a 90 % interval. likely_better : share of the resamplings in which the first is
    better. differ : share of rows on which they choose differently.
    """

    score: Interval
    at_least: float
    likely_better: float
    differ: float
    support: Support


def difference(
    logged: LoggedDecisions, first: Array, second: Array, model: Array, *, seed: int = 0, draws: int = DRAWS
) -> Difference:
    """Compare two policies row by row: where both choose the same, nothing is estimated and nothing varies."""
    one, other = evidence(logged, first, model), evidence(logged, second, model)
    gain = one.robust - other.robust
    drawn = _resampled(gain[None], seed, draws)[0] / len(logged)
    apart = np.abs(first - second).sum(1) / 2
    seen = Evidence(
        scored=one.scored,
        weight=np.abs(one.weight - other.weight),
        reward=one.reward,
        direct=gain,
        residual=one.residual,
        # Rows on which both want the same need no support: what is unknown there cancels out.
        unsupported=np.where(apart > 0, np.maximum(one.unsupported, other.unsupported), 0.0),
        clipped=np.maximum(one.clipped, other.clipped) * (apart > 0),
    )
    value, support = float(gain.mean()), _support(seen)
    return Difference(
        score=_interval(value, drawn, support.effective_rows),
        at_least=value - _widening(support.effective_rows, 0.95) * (value - float(np.quantile(drawn, 0.05))),
        likely_better=float((drawn > 0).mean()),
        differ=float(apart.mean()),
        support=support,
    )


def _support(seen: Evidence) -> Support:
    """How far the rows can speak, judged by the weights with which they do."""
    weight, scored = seen.weight, int(seen.scored.sum())
    effective = _effective(weight)
    unsupported = float(seen.unsupported.mean()) if len(weight) else 0.0
    problem = ""
    if unsupported > MAX_UNSUPPORTED:
        problem = (
            f"on {unsupported:.0%} of the decisions it wants a candidate that the log could not have chosen there: "
            "switch exploration on and collect more"
        )
    elif effective < MIN_EFFECTIVE:
        problem = (
            f"only {effective:.0f} effective decisions with a known result speak about it, {MIN_EFFECTIVE:.0f} are "
            "needed: collect more, or explore more"
        )
    return Support(
        rows=len(weight),
        scored=scored,
        unsupported=unsupported,
        effective_rows=effective,
        clipped=float(seen.clipped.sum() / max(scored, 1)),
        problem=problem,
    )


def _effective(parts: Array) -> float:
    """How many equal parts would vary as much as these (Kish 1965)."""
    total = float(parts.sum())
    return total**2 / float((parts**2).sum()) if total > 0 else 0.0


def _scored_share(logged: LoggedDecisions) -> Array:
    """For each row the share of its candidate's decisions that have a score."""
    k = len(logged.candidates)
    chosen = np.bincount(logged.chosen, minlength=k)
    scored = np.bincount(logged.chosen[logged.scored], minlength=k)
    share = np.where(scored > 0, scored / np.maximum(chosen, 1), 1.0)
    return np.asarray(share[logged.chosen])


def _resampled(values: Array, seed: int, draws: int) -> Array:
    """Sums of the columns over resampled rows: (len(values), draws).

    Of more rows than `_BLOCKS`, sums over that many random blocks of equal size are resampled, which for independent rows
    gives the same intervals in a time that does not grow with the log.
    """
    rng = np.random.default_rng(seed)
    n = values.shape[1]
    if n > _BLOCKS:
        shuffled = values[:, rng.permutation(n)]
        values = np.add.reduceat(shuffled, np.linspace(0, n, _BLOCKS, endpoint=False).astype(np.int64), axis=1)
        n = _BLOCKS
    chance = np.full(n, 1.0 / max(n, 1))
    return np.stack([values @ rng.multinomial(n, chance) for _ in range(draws)], axis=1)


def _ratio(top: Array | float, bottom: Array | float) -> Array:
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=np.asarray(bottom) > 0))


def _interval(value: float, drawn: Array, effective_rows: float) -> Interval:
    """The 95 % interval of resampled values, as wide as so few effective rows ask for."""
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(finite, (0.025, 0.975))
    wider = _widening(effective_rows, 0.975)
    return Interval(value, value - wider * (value - float(low)), value + wider * (float(high) - value))


def _widening(effective_rows: float, level: float) -> float:
    """Student's quantile over the normal one, with as many degrees of freedom as effective rows less one.

    Resampling knows the spread of the rows only from the rows; where few of them carry the weight, its percentiles are
    too narrow by about this much: the expanded percentile interval of Hesterberg, "What Teachers Should Know About the
    Bootstrap" (2015), with Kish's effective rows for rows.
    """
    return float(stdtrit(max(effective_rows - 1.0, 1.0), level) / ndtri(level))
